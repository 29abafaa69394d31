//! Plans between two: the pods of one way in, the Service of one or of both, and the doors of one.

use std::collections::BTreeMap;

use crate::grammar::{Address, AddressRange, DnsLabel};
use crate::plan::node::{NodePlan, Way};
use crate::plan::{Gateway, Needs, Owner, Plan, ServiceType, TrafficPolicy};

/// One way in, with the plan it is from.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    pub plan: &'a Plan,
    pub gateway: &'a Gateway,
}

impl<'a> Side<'a> {
    /// The way in that a plan gives a gateway.
    pub fn of(plan: &'a Plan, gateway: &DnsLabel) -> Self {
        Self { plan, gateway: &plan.gateways[gateway] }
    }

    /// Whether clients come in through its Service, whatever pods stand behind it.
    pub fn serves(self) -> bool {
        !self.gateway.needs.host_network && !self.gateway.needs.host_port
    }

    /// Whether nodes do something with its ports.
    pub fn has_doors(self) -> bool {
        self.plan.nodes.values().any(|node| node.doors.iter().any(|door| door.gateway == self.gateway.name))
    }

    /// Whether the nodes let only some sources, or only so many, to the ports its processes have on them.
    pub fn guards_listeners(self) -> bool {
        let strategy = &self.gateway.strategy;
        self.gateway.needs.host_network && (!strategy.allow_from().is_empty() || strategy.limits().is_some())
    }

    /// Whether its pods are those of the other.
    pub fn same_pods(self, other: Self) -> bool {
        let of = |side: Self| {
            let Needs { host_network, host_port, host_ip, .. } = side.gateway.needs;
            (host_network, host_port, host_ip)
        };
        of(self) == of(other) && self.same_targets(other)
    }

    /// Whether its processes listen on the ports of the other's.
    pub fn same_targets(self, other: Self) -> bool {
        self.gateway.ports.values().map(|port| port.target_port).eq(other
            .gateway
            .ports
            .values()
            .map(|port| port.target_port))
    }

    fn node_ports(self) -> impl Iterator<Item = u16> + 'a {
        let has = self.gateway.needs.service_type == ServiceType::NodePort;
        self.gateway.ports.values().filter(move |_| has).filter_map(|port| Some(port.node_port?.get()))
    }
}

/// What stands between two trees.
#[derive(Debug, Clone, Copy)]
pub struct State<'a> {
    /// Whose pods run.
    pub pods: Side<'a>,
    /// Whose Service stands.
    pub service: Side<'a>,
    /// Whose Service stands beside it.
    pub beside: Option<Side<'a>>,
    /// Which pods answer, where that is neither's choice.
    pub policy: Option<TrafficPolicy>,
    /// Whose doors the nodes have.
    pub doors: Side<'a>,
    /// Whether node ports stay open beside the doors.
    pub opened: bool,
}

/// Old and new, as far as neither is chosen: the weaker namespace, the lower port.
#[derive(Debug, Clone, Copy)]
pub struct Mix<'a> {
    pub old: Side<'a>,
    pub new: Side<'a>,
}

impl Mix<'_> {
    /// The plan of a state; `None` where its two Services cannot both be there.
    pub fn plan(&self, state: &State<'_>) -> Option<Plan> {
        let service = match state.beside {
            None => state.service.gateway.clone(),
            Some(other) => both(other, state.service)?,
        };
        let pods = state.pods.gateway;
        let mut gateway = with_pods(service, pods);
        gateway.strategy = pods.strategy.clone();
        gateway.pool = pods.pool.clone();
        gateway.needs.pod_security = self.old.gateway.needs.pod_security.min(self.new.gateway.needs.pod_security);
        if gateway.needs.policy.is_some() {
            gateway.needs.policy = state.policy.or(gateway.needs.policy);
        }
        let mut beside = Vec::new();
        for side in [Some(state.service), state.beside].into_iter().flatten() {
            let mut way = with_pods(side.gateway.clone(), pods);
            way.needs.policy = way.needs.policy.map(|policy| state.policy.unwrap_or(policy));
            beside.push(way);
        }
        let name = gateway.name.clone();
        let nodes = self.nodes(state);
        let mut plan = Plan { beside, nodes, ..self.old.plan.clone() };
        plan.gateways.insert(name, gateway);
        Some(plan)
    }

    fn nodes(&self, state: &State<'_>) -> BTreeMap<DnsLabel, NodePlan> {
        let name = &self.old.gateway.name;
        let plans = [self.old.plan, self.new.plan, state.doors.plan];
        let mut nodes = BTreeMap::new();
        for pool in self.old.plan.pools.keys() {
            let known: Vec<&NodePlan> = plans.iter().filter_map(|plan| plan.nodes.get(pool)).collect();
            let Some(&any) = known.first() else { continue };
            let others = self.old.plan.nodes.get(pool).into_iter().flat_map(|node| &node.doors);
            let own = state.doors.plan.nodes.get(pool).into_iter().flat_map(|node| &node.doors);
            let mut doors: Vec<_> = others.filter(|door| door.gateway != *name).cloned().collect();
            doors.extend(own.filter(|door| door.gateway == *name).cloned().map(|mut door| {
                match &mut door.way {
                    Way::Rewrite { direct, .. } | Way::Proxy { direct, .. } => *direct |= state.opened,
                    Way::Shut { node_port } if state.opened => door.way = Way::Guard { node_port: *node_port },
                    _ => {}
                }
                door
            }));
            doors.sort_by(|a, b| (&a.gateway, &a.name).cmp(&(&b.gateway, &b.name)));
            let unprivileged_port_start = known.iter().filter_map(|node| node.unprivileged_port_start).min();
            let node = NodePlan { doors, unprivileged_port_start, ..any.clone() };
            if !node.is_idle() {
                nodes.insert(pool.clone(), node);
            }
        }
        nodes
    }
}

/// A Service in front of other pods.
fn with_pods(service: Gateway, pods: &Gateway) -> Gateway {
    let Needs { host_network, host_port, host_ip, rollout, .. } = pods.needs;
    let mut gateway =
        Gateway { needs: Needs { host_network, host_port, host_ip, rollout, ..service.needs }, ..service };
    for (name, port) in &mut gateway.ports {
        port.target_port = pods.ports[name].target_port;
    }
    gateway
}

/// The addresses that somebody announces for a gateway, and who.
fn announced(gateway: &Gateway) -> Option<(&[AddressRange], &[Address], &'static str)> {
    let (announced, who) = gateway.strategy.announced()?;
    Some((&announced.addresses, &announced.load_balancer_ips, who))
}

/// The Service that is both: one object that has everything of the two, or the chart's where they are two objects.
pub fn both(old: Side<'_>, new: Side<'_>) -> Option<Gateway> {
    let (a, b) = (old.gateway, new.gateway);
    let idle = |gateway: &Gateway| {
        gateway.needs.service_type == ServiceType::ClusterIp && gateway.needs.external_ips.is_empty()
    };
    if idle(a) || idle(b) {
        return Some(if idle(a) { b } else { a }.clone());
    }
    let (theirs, ours) = (announced(a), announced(b));
    // One address is announced for one Service only.
    let one_address = theirs.is_some() && theirs == ours;
    let overlap = theirs.is_some_and(|(theirs, ..)| {
        ours.is_some_and(|(ours, ..)| theirs.iter().any(|range| ours.iter().any(|other| range.overlaps(*other))))
    });
    let taken: Vec<u16> = old.node_ports().collect();
    if a.service.owner != b.service.owner {
        let clash = new.node_ports().any(|port| taken.contains(&port));
        return (!clash && !overlap).then(|| if a.service.owner == Owner::Chart { a } else { b }.clone());
    }
    let load_balancers = [a, b].map(|gateway| gateway.needs.service_type == ServiceType::LoadBalancer);
    let ports: Vec<u16> = new.node_ports().collect();
    let same = a.strategy.name() == b.strategy.name() && a.needs.load_balancer_class == b.needs.load_balancer_class;
    let one_balancer = same && (one_address || theirs.is_none() && a.needs.annotations == b.needs.annotations);
    let two_node_ports = !taken.is_empty() && !ports.is_empty() && taken != ports;
    if two_node_ports || load_balancers == [true, true] && !one_balancer {
        return None;
    }
    let mut one = b.clone();
    let (from, to) = (&a.needs, &b.needs);
    one.needs.service_type = match (load_balancers, from.service_type, to.service_type) {
        ([false, false], ServiceType::NodePort, _) | ([false, false], _, ServiceType::NodePort) => {
            ServiceType::NodePort
        }
        ([false, false], ..) => ServiceType::ClusterIp,
        _ => ServiceType::LoadBalancer,
    };
    one.needs.load_balancer_class = from.load_balancer_class.or(to.load_balancer_class);
    one.needs.no_node_ports = (from.no_node_ports || to.no_node_ports) && taken.is_empty() && ports.is_empty();
    one.needs.annotations.extend(from.annotations.clone());
    one.needs.annotations.extend(to.annotations.clone());
    one.needs.external_ips.extend(from.external_ips.iter().filter(|address| !to.external_ips.contains(address)));
    one.needs.status_ips.extend(from.status_ips.iter().filter(|address| !to.status_ips.contains(address)));
    if one.needs.source_ranges.is_empty() {
        one.needs.source_ranges.clone_from(&from.source_ranges);
    }
    if from.policy != to.policy {
        // Every node has to answer for both.
        one.needs.policy = Some(TrafficPolicy::Cluster);
    }
    if ports.is_empty() {
        for (name, port) in &mut one.ports {
            port.node_port = a.ports[name].node_port;
        }
    }
    Some(one)
}
