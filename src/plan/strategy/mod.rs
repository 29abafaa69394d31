//! Strategies: what each one needs from charts, nodes and namespaces.

mod host_network;
mod metal_lb;
mod node_port_redirect;

use super::node::Way;
use super::{Limits, Needs, PortPlan, Strategy};
use crate::input::spec::{self, Exposure};

/// The page of every strategy, by its name in a spec.
pub const PAGES: &[(&str, &str)] = &[
    ("nodePortRedirect", include_str!("node_port_redirect.md")),
    ("hostNetwork", include_str!("host_network.md")),
    ("metalLB", include_str!("metal_lb.md")),
];

/// The strategy a spec chose, every default filled in.
pub fn resolve(exposure: &Exposure, own_pools: &[crate::grammar::DnsLabel]) -> Strategy {
    match exposure {
        Exposure::NodePortRedirect { mechanism, allow_from, limits, direct_node_port, external_traffic_policy } => {
            Strategy::NodePortRedirect {
                mechanism: mechanism.unwrap_or(spec::Mechanism::PortRewrite),
                allow_from: allow_from.clone(),
                limits: limits.as_ref().and_then(resolve_limits),
                direct_node_port: direct_node_port.unwrap_or(spec::DirectNodePort::Deny),
                policy: external_traffic_policy.unwrap_or(spec::TrafficPolicy::Cluster),
            }
        }
        Exposure::HostNetwork { bind, allow_from, limits } => Strategy::HostNetwork {
            bind: bind.unwrap_or(spec::Bind::Redirect),
            allow_from: allow_from.clone(),
            limits: limits.as_ref().and_then(resolve_limits),
        },
        Exposure::MetalLb { .. } => metal_lb::resolve(exposure, own_pools),
    }
}

/// A burst alone limits nothing; a rule says so.
fn resolve_limits(limits: &spec::Limits) -> Option<Limits> {
    let connections = limits.connections_per_source.map(spec::Count::get);
    let rate = limits.new_connections_per_second.map(spec::Count::get);
    // hashlimit's own default, kept so that a rule reads the same with and without it.
    let burst = limits.burst.map_or(5, spec::Count::get);
    (connections.is_some() || rate.is_some()).then_some(Limits { connections, rate, burst })
}

/// What a strategy needs.
pub fn needs(strategy: &Strategy, gateway: &crate::grammar::DnsLabel) -> Needs {
    match strategy {
        Strategy::NodePortRedirect { policy, .. } => node_port_redirect::needs(*policy),
        Strategy::HostNetwork { .. } => host_network::needs(),
        Strategy::MetalLb { load_balancer_ips, policy, .. } => metal_lb::needs(load_balancer_ips, *policy, gateway),
    }
}

/// What a node does with a port under a strategy; `None` for nothing.
pub fn way(strategy: &Strategy, port: &PortPlan) -> Option<Way> {
    match strategy {
        Strategy::NodePortRedirect { mechanism, direct_node_port, .. } => {
            node_port_redirect::way(*mechanism, *direct_node_port, port)
        }
        Strategy::HostNetwork { bind, .. } => Some(host_network::way(*bind, port)),
        Strategy::MetalLb { .. } => None,
    }
}
