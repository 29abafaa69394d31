//! From a spec to a plan.

use std::collections::{BTreeMap, BTreeSet};

use super::node::{Door, NodePlan, Way};
use super::{
    Accepted, Around, Bind, Cluster, Cni, Dangling, DataPlane, Gateway, KubeProxyMode, Named, Needs, OwnGateway, Owner,
    Plan, PodSecurity, Pool, PortPlan, Protocol, Replicas, Security, Service, ServiceType, Slot, Strategy, SyncPeriods,
};
use crate::chart::{Chart, Charts};
use crate::finding::Route;
use crate::grammar::{DnsLabel, Family, GoDuration, MetalLbVersion, Port, PortName, PortRange};
use crate::input::spec::{self, Spec};

/// Fills in every default and works out what each strategy needs. What a spec names but does not have is left out
/// and kept in [`Plan::dangling`].
#[must_use]
pub fn build(spec: &Spec, charts: &Charts) -> Plan {
    let mut cluster = cluster(&spec.cluster);
    let pools: BTreeMap<DnsLabel, Pool> =
        spec.node_pools.0.iter().map(|(name, written)| (name.clone(), pool(name, written))).collect();
    let mut dangling = Vec::new();
    if let Some(gateway) = &mut cluster.own_gateway
        && let Some(name) = gateway.pool.take_if(|pool| !pools.contains_key(pool))
    {
        let route = OwnGateway::route().key("nodePool");
        dangling.push(Dangling { route, what: Named::NodePool, name: name.to_string() });
        // Without its pool it would be on every node, and rules would speak of nodes that were never meant.
        cluster.own_gateway = None;
    }
    let mut node_ports = NodePorts::taken_by(spec, cluster.node_port_range);
    let mut gateways = BTreeMap::new();
    for (name, written) in &spec.gateways.0 {
        let route = Route::of(["gateways"]).key(name);
        let Some(chart) = chart(written, &route, charts, &mut dangling) else { continue };
        let pool = super::strategy::shared_pool(&spec.gateways.0, name);
        let context = Context { cluster: &cluster, pools: &pools, chart, pool };
        gateways.insert(name.clone(), context.gateway(name, written, route, &mut node_ports, &mut dangling));
    }
    let nodes = nodes(&cluster, &pools, &gateways);
    let charts = charts.names().map(str::to_owned).collect();
    let name = spec.metadata.name.clone();
    Plan { name, cluster, pools, gateways, beside: Vec::new(), nodes, dangling, charts }
}

fn cluster(written: &spec::Cluster) -> Cluster {
    let data_plane = match &written.service_proxy {
        spec::ServiceProxy::KubeProxy { mode, .. } => DataPlane::KubeProxy(*mode),
        spec::ServiceProxy::Cilium { version, kube_proxy_replacement: true, .. } => DataPlane::Cilium(*version),
        spec::ServiceProxy::Cilium { version, kube_proxy_replacement: false, mode, .. } => {
            DataPlane::CiliumBeside(*version, mode.unwrap_or(KubeProxyMode::Iptables))
        }
    };
    let (spec::ServiceProxy::KubeProxy { strict_arp, node_port_addresses, .. }
    | spec::ServiceProxy::Cilium { strict_arp, node_port_addresses, .. }) = &written.service_proxy;
    let sync = match &written.service_proxy {
        spec::ServiceProxy::KubeProxy { min_sync_period, sync_period, .. } => SyncPeriods {
            min: min_sync_period.clone().or_else(|| long_gathering(written, data_plane)),
            full: sync_period.clone(),
        },
        spec::ServiceProxy::Cilium { .. } => SyncPeriods::default(),
    };
    let (own_gateway, cilium_values) = match &written.service_proxy {
        spec::ServiceProxy::KubeProxy { .. } => (None, serde_json::Map::new()),
        spec::ServiceProxy::Cilium { gateway, values, .. } => {
            (gateway.as_ref().map(OwnGateway::resolve), values.clone())
        }
    };
    let idle_mode =
        matches!(written.service_proxy, spec::ServiceProxy::Cilium { kube_proxy_replacement: true, mode: Some(_), .. });
    Cluster {
        version: written.kubernetes_version,
        data_plane,
        cni: written.cni.unwrap_or(if data_plane.cilium().is_some() { Cni::Cilium } else { Cni::Other }),
        node_port_range: written.node_port_range.unwrap_or_else(PortRange::kubernetes_default),
        families: written.ip_families.as_slice().to_vec(),
        pod_security: written.pod_security.unwrap_or(PodSecurity::Restricted),
        strict_arp: strict_arp.unwrap_or(false),
        node_port_addresses: node_port_addresses.clone(),
        metal_lb: written.metal_lb.as_ref().map_or(MetalLbVersion::NEWEST, |metal_lb| metal_lb.version),
        endpoints: written.endpoints.map(spec::Endpoints::get),
        sync,
        own_gateway,
        cilium_values,
        distribution: written.distribution.clone(),
        idle_mode,
    }
}

/// kube-proxy's iptables mode wrote every rule anew at each change before Kubernetes 1.27: in a cluster that it calls large
/// itself, from 1,000 endpoints on, changes are gathered for longer.
fn long_gathering(written: &spec::Cluster, data_plane: DataPlane) -> Option<GoDuration> {
    let large = written.endpoints.is_some_and(|endpoints| endpoints.get() > 1_000);
    let anew = data_plane == DataPlane::KubeProxy(KubeProxyMode::Iptables) && !written.kubernetes_version.at_least(27);
    if large && anew { "10s".parse().ok() } else { None }
}

fn pool(name: &DnsLabel, written: &spec::NodePool) -> Pool {
    Pool {
        route: Route::of(["nodePools"]).key(name),
        node_selector: written.node_selector.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect(),
        tolerations: written.tolerations.clone(),
        os: written.os,
        interfaces: written.interfaces.clone(),
        count: written.count.map(spec::Count::get),
        addresses: written.addresses.clone(),
    }
}

fn chart<'a>(
    written: &spec::Gateway,
    route: &Route,
    charts: &'a Charts,
    dangling: &mut Vec<Dangling>,
) -> Option<&'a Chart> {
    let (name, route) = match &written.chart {
        spec::Chart::Name(name) => (name, route.key("chart")),
        spec::Chart::Detailed(details) => (&details.name, route.key("chart").key("name")),
    };
    let chart = charts.get(name.as_str());
    if chart.is_none() {
        dangling.push(Dangling { route, what: Named::Chart, name: name.to_string() });
    }
    chart
}

/// The node ports that are spoken for.
struct NodePorts {
    range: PortRange,
    taken: BTreeSet<Port>,
}

impl NodePorts {
    /// Those a spec names; a default must not take one of them.
    fn taken_by(spec: &Spec, range: PortRange) -> Self {
        let ports = spec.gateways.0.values().flat_map(|gateway| gateway.ports.as_map().values());
        Self { range, taken: ports.filter_map(|port| port.node_port).collect() }
    }

    /// The port itself, where that is wanted and in range; else 30000 + port, when that is in range and free.
    fn default_for(&mut self, port: Port, itself: bool) -> Option<Port> {
        if itself && self.range.contains(port) && self.taken.insert(port) {
            return Some(port);
        }
        let candidate = port.get().checked_add(30000).and_then(Port::new)?;
        (self.range.contains(candidate) && self.taken.insert(candidate)).then_some(candidate)
    }
}

struct Context<'a> {
    cluster: &'a Cluster,
    pools: &'a BTreeMap<DnsLabel, Pool>,
    chart: &'a Chart,
    pool: &'a DnsLabel,
}

impl Context<'_> {
    fn gateway(
        &self,
        name: &DnsLabel,
        written: &spec::Gateway,
        route: Route,
        node_ports: &mut NodePorts,
        dangling: &mut Vec<Dangling>,
    ) -> Gateway {
        let pools = self.known_pools(written.node_pools.as_slice(), &route.key("nodePools"), dangling);
        let mut strategy = Strategy::resolve(&written.exposure, &pools);
        if let Some(announced) = strategy.announced_mut() {
            let names = std::mem::take(&mut announced.announce_from);
            announced.announce_from = self.known_pools(&names, &route.key("exposure").key("announceFrom"), dangling);
        }
        if let Strategy::ExternalIps { addresses, .. } = &mut strategy
            && addresses.is_empty()
        {
            let families = &self.cluster.families;
            let of_pools = pools.iter().flat_map(|pool| &self.pools[pool].addresses).copied();
            addresses.extend(of_pools.filter(|address| families.contains(&Family::of(address.0))));
        }
        let around = Around { cluster: self.cluster, pools: self.pools };
        let mut needs = strategy.needs(self.pool, around);
        let mut ports = self.ports(written, &route, &strategy);
        if let Strategy::CloudLoadBalancer { cloud, internal, .. } = &strategy {
            super::strategy::tell(&mut needs, cloud, *internal, self.cluster, &ports);
        }
        let owner = self.service_owner(&ports, &needs);
        if needs.service_type == ServiceType::NodePort {
            // Clients of a bare node port may find the public one there, where the range holds it.
            let bare = matches!(strategy, Strategy::NodePort { .. });
            assign_node_ports(&mut ports, owner, node_ports, bare);
        }
        let release = match &written.chart {
            spec::Chart::Detailed(spec::ChartDetails { release: Some(release), .. }) => release.clone(),
            _ => name.clone(),
        };
        let chart_version = match &written.chart {
            spec::Chart::Detailed(spec::ChartDetails { version: Some(version), .. }) => version.to_string(),
            _ => self.chart.profile.chart.version.clone(),
        };
        let profile = &self.chart.profile;
        let security = written.security.clone().unwrap_or_default();
        Gateway {
            name: name.clone(),
            idle_limits: idle_limits(&written.exposure, &route),
            route,
            chart: self.chart.clone(),
            chart_version,
            namespace: written.namespace.clone(),
            pools,
            ports,
            replicas: replicas(written.replicas.as_ref()),
            needs,
            pool: self.pool.clone(),
            service: Service {
                owner,
                name: match owner {
                    Owner::Chart => profile.service(release.as_str()),
                    Owner::Portgen => format!("{name}-edge"),
                },
                says_families: owner == Owner::Portgen || profile.express.ip_families,
            },
            security: Security {
                run_as_user: security.run_as_user.map_or(profile.security.run_as_user, spec::Id::get),
                run_as_group: security.run_as_group.map_or(profile.security.run_as_group, spec::Id::get),
                read_only_root_filesystem: security
                    .read_only_root_filesystem
                    .unwrap_or(profile.security.read_only_root_filesystem),
            },
            release,
            strategy,
            values: written.values.clone(),
            accept: written
                .accept
                .iter()
                .map(|accept| Accepted { rule: accept.rule.to_string(), reason: accept.reason.to_string() })
                .collect(),
        }
    }

    fn known_pools(&self, names: &[DnsLabel], route: &Route, dangling: &mut Vec<Dangling>) -> Vec<DnsLabel> {
        let mut known = Vec::new();
        for (position, name) in names.iter().enumerate() {
            if self.pools.contains_key(name) {
                known.push(name.clone());
            } else {
                dangling.push(Dangling { route: route.index(position), what: Named::NodePool, name: name.to_string() });
            }
        }
        known
    }

    fn ports(&self, written: &spec::Gateway, route: &Route, strategy: &Strategy) -> BTreeMap<PortName, PortPlan> {
        let binds_itself = matches!(strategy, Strategy::HostNetwork { bind: Bind::Direct, .. });
        let plan = |name: &PortName, written: &spec::PortSpec| {
            let protocol = written.protocol.unwrap_or(Protocol::TCP);
            let slot = match (protocol, written.tls.unwrap_or(false)) {
                (Protocol::TCP, false) => Slot::Http,
                (Protocol::TCP, true) => Slot::Https,
                (Protocol::UDP, true) => Slot::Http3,
                (Protocol::UDP, false) => Slot::Stream,
            };
            let default = if binds_itself { written.port } else { self.default_target(slot, written.port) };
            PortPlan {
                route: route.key("ports").key(name),
                port: written.port,
                target_port: written.target_port.unwrap_or(default),
                node_port: written.node_port,
                protocol,
                slot,
            }
        };
        written.ports.as_map().iter().map(|(name, written)| (name.clone(), plan(name, written))).collect()
    }

    fn default_target(&self, slot: Slot, port: Port) -> Port {
        let profile = &self.chart.profile.target_ports;
        let number = match slot {
            Slot::Http => Some(profile.http),
            Slot::Https => Some(profile.https),
            Slot::Http3 => Some(profile.http3.unwrap_or(profile.https)),
            Slot::Stream => None,
        };
        number.and_then(Port::new).unwrap_or(port)
    }

    fn service_owner(&self, ports: &BTreeMap<PortName, PortPlan>, needs: &Needs) -> Owner {
        if needs.beyond_charts() {
            return Owner::Portgen;
        }
        // Clients of a process on the node never use its Service.
        if needs.service_type == ServiceType::ClusterIp {
            return Owner::Chart;
        }
        let express = &self.chart.profile.express;
        let udp = ports.values().any(|port| port.protocol == Protocol::UDP);
        let says_families = self.cluster.families.len() < 2 || express.ip_families;
        if says_families && (!udp || express.udp_on_service) { Owner::Chart } else { Owner::Portgen }
    }
}

/// TCP and UDP of one Service port may share a node port; the API server gives both the same number.
fn assign_node_ports(ports: &mut BTreeMap<PortName, PortPlan>, owner: Owner, node_ports: &mut NodePorts, itself: bool) {
    let mut of_port: BTreeMap<Port, Port> = BTreeMap::new();
    for port in ports.values() {
        if let Some(node_port) = port.node_port {
            of_port.entry(port.port).or_insert(node_port);
        }
    }
    for port in ports.values_mut().filter(|port| port.node_port.is_none()) {
        let shared = (owner == Owner::Portgen).then(|| of_port.get(&port.port).copied()).flatten();
        port.node_port = shared.or_else(|| node_ports.default_for(port.port, itself));
        if let Some(node_port) = port.node_port {
            of_port.insert(port.port, node_port);
        }
    }
}

fn idle_limits(exposure: &spec::Exposure, route: &Route) -> Option<Route> {
    let (spec::Exposure::NodePortRedirect { limits: Some(limits), .. }
    | spec::Exposure::HostNetwork { limits: Some(limits), .. }) = exposure
    else {
        return None;
    };
    let here = route.key("exposure").key("limits");
    (limits.new_connections_per_second.is_none() && limits.burst.is_some()).then(|| here.key("burst"))
}

fn replicas(written: Option<&spec::Replicas>) -> Replicas {
    match written {
        // Two: the fewest that survive the loss of one.
        None => Replicas::Fixed(2),
        Some(spec::Replicas::Fixed(count)) => Replicas::Fixed(count.get()),
        Some(spec::Replicas::Scaled(scaling)) => Replicas::Scaled {
            min: scaling.min.get(),
            max: scaling.max.get(),
            cpu_utilization: scaling.cpu_utilization.map_or(80, spec::Percent::get),
        },
    }
}

fn nodes(
    cluster: &Cluster,
    pools: &BTreeMap<DnsLabel, Pool>,
    gateways: &BTreeMap<DnsLabel, Gateway>,
) -> BTreeMap<DnsLabel, NodePlan> {
    let mut nodes = BTreeMap::new();
    for (name, pool) in pools {
        let mut doors = Vec::new();
        let mut unprivileged_port_start = None;
        for gateway in gateways.values() {
            let here = gateway.pools.contains(name);
            // What a system cannot be told, a rule says.
            if !here && !pool.os.takes_files() {
                continue;
            }
            for (port_name, port) in &gateway.ports {
                let way = if here { gateway.strategy.way(port) } else { gateway.strategy.way_elsewhere(port) };
                let Some(way) = way else { continue };
                if way == Way::Open && port.target_port.get() < 1024 {
                    let lowest = unprivileged_port_start.get_or_insert(port.target_port);
                    *lowest = (*lowest).min(port.target_port);
                }
                doors.push(Door {
                    gateway: gateway.name.clone(),
                    name: port_name.clone(),
                    route: port.route.clone(),
                    protocol: port.protocol,
                    port: port.port,
                    way,
                    allow_from: gateway.strategy.allow_from().to_vec(),
                    // Counted where the gateway runs.
                    limits: gateway.strategy.limits().filter(|_| here),
                });
            }
        }
        // IPVS puts the address of every Service on a dummy interface of every node: only named ones are a node's own.
        let ipvs = cluster.data_plane.kube_proxy() == Some(KubeProxyMode::Ipvs);
        let plan = NodePlan {
            ipvs,
            own_addresses: if ipvs { pool.addresses.clone() } else { Vec::new() },
            families: cluster.families.clone(),
            interfaces: pool.interfaces.clone(),
            doors,
            unprivileged_port_start,
        };
        if !plan.is_idle() {
            nodes.insert(name.clone(), plan);
        }
    }
    nodes
}
