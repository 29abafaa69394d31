//! Plans between two: the pods of one way in, the Service of one or of both, and the doors of one.

use std::collections::BTreeMap;

use super::service::both;
use crate::grammar::{DnsLabel, Port};
use crate::plan::node::{Door, NodePlan, Way};
use crate::plan::{DataPlane, Gateway, Needs, Plan, Protocol, ServiceType, Strategy, TrafficPolicy};

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

    /// Whether both are the same.
    pub fn is(self, other: Self) -> bool {
        std::ptr::eq(self.gateway, other.gateway)
    }

    /// Whether clients come in through its Service, whatever pods stand behind it.
    pub fn serves(self) -> bool {
        !self.gateway.needs.host_network && !self.gateway.needs.host_port
    }

    /// What nodes do with its ports.
    fn doors(self) -> impl Iterator<Item = &'a Door> {
        let doors = self.plan.nodes.values().flat_map(|node| &node.doors);
        doors.filter(move |door| door.gateway == self.gateway.name)
    }

    /// Whether nodes do something with its ports.
    pub fn has_doors(self) -> bool {
        self.doors().next().is_some()
    }

    /// Whether nodes lead its ports to other ports of its processes.
    pub fn redirects(self) -> bool {
        self.doors().any(|door| matches!(door.way, Way::Redirect { .. }))
    }

    /// Whether its packets reach the pod of the node before any rule of ours sees them.
    pub fn is_served_before_netfilter(self) -> bool {
        self.gateway.needs.host_port && matches!(self.plan.cluster.data_plane, DataPlane::Cilium(_))
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

    pub fn node_ports(self) -> impl Iterator<Item = u16> + 'a {
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
            let guards = self.guards(state, pool, &doors);
            doors.extend(guards);
            doors.sort_by(|a, b| (&a.gateway, &a.name).cmp(&(&b.gateway, &b.name)));
            let unprivileged_port_start = known.iter().filter_map(|node| node.unprivileged_port_start).min();
            let node = NodePlan { doors, unprivileged_port_start, ..any.clone() };
            if !node.is_idle() {
                nodes.insert(pool.clone(), node);
            }
        }
        nodes
    }

    /// As long as a Service with node ports stands, they are no way around what keeps sources out or counts them,
    /// whatever way the doors of the nodes lead.
    fn guards(&self, state: &State<'_>, pool: &DnsLabel, doors: &[Door]) -> Vec<Door> {
        let sides = [self.old, self.new];
        let restricts = |side: &Side<'_>| {
            !side.gateway.strategy.allow_from().is_empty() || side.gateway.strategy.limits().is_some()
        };
        // Clients of a bare node port are to reach it.
        let bare = |side: &Side<'_>| matches!(side.gateway.strategy, Strategy::NodePort { .. });
        if !sides.iter().any(restricts) || sides.iter().any(bare) {
            return Vec::new();
        }
        let known = |protocol: Protocol, node_port: Port| {
            let same = |door: &Door| door.protocol == protocol && guard(door.way).is_some_and(|it| it.0 == node_port);
            doors.iter().any(same)
        };
        let mut guards: Vec<Door> = Vec::new();
        for side in [Some(state.service), state.beside].into_iter().flatten() {
            if side.gateway.needs.service_type != ServiceType::NodePort {
                continue;
            }
            let written = side.plan.nodes.get(pool).into_iter().flat_map(|node| &node.doors);
            for door in written.filter(|door| door.gateway == side.gateway.name) {
                let Some((node_port, way)) = guard(door.way).filter(|it| !known(door.protocol, it.0)) else { continue };
                let taken = |other: &Door| guard(other.way).is_some_and(|it| it.0 == node_port);
                if !guards.iter().any(|other| other.protocol == door.protocol && taken(other)) {
                    guards.push(Door { way, limits: None, ..door.clone() });
                }
            }
        }
        guards
    }
}

/// What a node does with the node port of a door, beside leading clients there.
fn guard(way: Way) -> Option<(Port, Way)> {
    match way {
        Way::Rewrite { node_port, direct: false }
        | Way::Proxy { node_port, direct: false }
        | Way::Shut { node_port } => Some((node_port, Way::Shut { node_port })),
        Way::Rewrite { node_port, direct: true }
        | Way::Proxy { node_port, direct: true }
        | Way::Guard { node_port } => Some((node_port, Way::Guard { node_port })),
        Way::Redirect { .. } | Way::Open => None,
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
