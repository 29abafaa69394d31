//! Strategies: how clients reach a gateway, and what each way needs from charts, nodes and namespaces.

mod announced;
mod cilium_load_balancer;
mod cloud_load_balancer;
mod external_ips;
mod host_network;
mod host_port;
mod metal_lb;
mod needs;
mod node_port;
mod node_port_redirect;

use std::collections::BTreeMap;

pub use announced::{Announced, Bgp, BgpPeer};
pub use cilium_load_balancer::node_labels;
pub use cloud_load_balancer::{Aws, Azure, Cloud, Gcp, tell};
pub use metal_lb::shared_pool;
pub use needs::{Needs, Rollout, ServiceType};

use super::node::Way;
use super::{Cluster, Pool, PortPlan};
use crate::grammar::{Address, Cidr, DnsLabel};
pub use crate::input::spec::Bfd;
use crate::input::spec::{
    self, Bind, ClaimForm, CloudProvider, DirectNodePort, Exposure, Mechanism, SessionAffinity, TrafficPolicy,
};

/// The page of every strategy, by its name in a spec.
pub const PAGES: &[(&str, &str)] = &[
    ("nodePortRedirect", include_str!("node_port_redirect.md")),
    ("nodePort", include_str!("node_port.md")),
    ("hostNetwork", include_str!("host_network.md")),
    ("hostPort", include_str!("host_port.md")),
    ("metalLB", include_str!("metal_lb.md")),
    ("ciliumLoadBalancer", include_str!("cilium_load_balancer.md")),
    ("cloudLoadBalancer", include_str!("cloud_load_balancer.md")),
    ("externalIPs", include_str!("external_ips.md")),
];

/// How clients reach a gateway, every default filled in.
#[derive(Debug, Clone)]
pub enum Strategy {
    /// A NodePort Service, with its ports brought to the nodes' own.
    NodePortRedirect {
        /// How the node does it.
        mechanism: Mechanism,
        /// The only sources that may connect; empty for everyone.
        allow_from: Vec<Cidr>,
        /// What one source may use.
        limits: Option<Limits>,
        /// Whether the node port itself stays reachable.
        direct_node_port: DirectNodePort,
        /// Which pods answer.
        traffic: Traffic,
    },
    /// A NodePort Service, under its node ports.
    NodePort {
        /// Which pods answer.
        traffic: Traffic,
    },
    /// The node's own network namespace.
    HostNetwork {
        /// How the ports reach the process.
        bind: Bind,
        /// The only sources that may connect; empty for everyone.
        allow_from: Vec<Cidr>,
        /// What one source may use.
        limits: Option<Limits>,
    },
    /// A port of the node, mapped to the pod that runs there.
    HostPort {
        /// The node's address that is mapped; all of them when absent.
        host_ip: Option<Address>,
    },
    /// An address that MetalLB announces.
    MetalLb {
        /// The address and who announces it, by layer 2 or BGP.
        announced: Announced,
        /// The only sources that may connect; empty for everyone.
        allow_from: Vec<Cidr>,
        /// Services that give the same key may share an address.
        allow_shared_ip: Option<DnsLabel>,
        /// Which pods answer.
        traffic: Traffic,
    },
    /// An address that Cilium announces, or the nodes' own.
    CiliumLoadBalancer {
        /// The address and who announces it.
        announced: Announced,
        /// The only sources that may connect; empty for everyone.
        allow_from: Vec<Cidr>,
        /// Services that give the same key may share an address.
        sharing_key: Option<DnsLabel>,
        /// Which pods answer.
        traffic: Traffic,
    },
    /// A load balancer of the cloud.
    CloudLoadBalancer {
        /// Which cloud.
        provider: CloudProvider,
        /// Whether only the private network reaches it.
        internal: bool,
        /// What that cloud is told.
        cloud: Cloud,
        /// The fields of other clouds that were written.
        strays: Vec<&'static str>,
        /// The only sources that may connect; empty for everyone.
        allow_from: Vec<Cidr>,
        /// Which pods answer.
        traffic: Traffic,
    },
    /// A Service that claims addresses which the cluster's network already brings to its nodes.
    ExternalIps {
        /// The addresses.
        addresses: Vec<Address>,
        /// Where the Service names them.
        form: ClaimForm,
        /// Which pods answer.
        traffic: Traffic,
    },
}

/// What stands around a gateway and shapes what its strategy needs.
#[derive(Debug, Clone, Copy)]
pub struct Around<'a> {
    /// Facts about the cluster.
    pub cluster: &'a Cluster,
    /// Its node pools.
    pub pools: &'a BTreeMap<DnsLabel, Pool>,
}

/// Which pods of a Service answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traffic {
    /// Any pod, or those of the node that received the packet.
    pub policy: TrafficPolicy,
    /// Whether a client meets the same pod again.
    pub affinity: SessionAffinity,
}

impl Traffic {
    fn of(policy: Option<TrafficPolicy>, affinity: Option<SessionAffinity>) -> Self {
        Self { policy: policy.unwrap_or(TrafficPolicy::Cluster), affinity: affinity.unwrap_or(SessionAffinity::None) }
    }
}

/// What one source may use. At least one of the first two is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections open at once.
    pub connections: Option<u32>,
    /// New connections a second.
    pub rate: Option<u32>,
    /// New connections at once before the rate counts.
    pub burst: u32,
}

impl Strategy {
    /// The strategy a spec chose, every default filled in.
    #[must_use]
    pub fn resolve(exposure: &Exposure, own_pools: &[DnsLabel]) -> Self {
        match exposure {
            Exposure::NodePortRedirect {
                mechanism,
                allow_from,
                limits,
                direct_node_port,
                external_traffic_policy,
                session_affinity,
            } => Self::NodePortRedirect {
                mechanism: mechanism.unwrap_or(Mechanism::PortRewrite),
                allow_from: allow_from.clone(),
                limits: limits.as_ref().and_then(resolve_limits),
                direct_node_port: direct_node_port.unwrap_or(DirectNodePort::Deny),
                traffic: Traffic::of(*external_traffic_policy, *session_affinity),
            },
            Exposure::NodePort { external_traffic_policy, session_affinity } => {
                Self::NodePort { traffic: Traffic::of(*external_traffic_policy, *session_affinity) }
            }
            Exposure::HostNetwork { bind, allow_from, limits } => Self::HostNetwork {
                bind: bind.unwrap_or(Bind::Redirect),
                allow_from: allow_from.clone(),
                limits: limits.as_ref().and_then(resolve_limits),
            },
            Exposure::HostPort { host_ip } => Self::HostPort { host_ip: *host_ip },
            Exposure::MetalLb { .. } => metal_lb::resolve(exposure, own_pools),
            Exposure::CiliumLoadBalancer { .. } => cilium_load_balancer::resolve(exposure, own_pools),
            Exposure::CloudLoadBalancer { .. } => cloud_load_balancer::resolve(exposure),
            // The pools' addresses are filled in where the pools are known.
            Exposure::ExternalIps { addresses, form, external_traffic_policy, session_affinity } => Self::ExternalIps {
                addresses: addresses.clone(),
                form: form.unwrap_or(ClaimForm::Spec),
                traffic: Traffic::of(*external_traffic_policy, *session_affinity),
            },
        }
    }

    /// Its name in a spec.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::NodePortRedirect { .. } => "nodePortRedirect",
            Self::NodePort { .. } => "nodePort",
            Self::HostNetwork { .. } => "hostNetwork",
            Self::HostPort { .. } => "hostPort",
            Self::MetalLb { .. } => "metalLB",
            Self::CiliumLoadBalancer { .. } => "ciliumLoadBalancer",
            Self::CloudLoadBalancer { .. } => "cloudLoadBalancer",
            Self::ExternalIps { .. } => "externalIPs",
        }
    }

    /// What it needs for a gateway that takes its address from this pool.
    #[must_use]
    pub fn needs(&self, pool: &DnsLabel, around: Around<'_>) -> Needs {
        match self {
            Self::NodePortRedirect { traffic, .. } => node_port_redirect::needs(*traffic),
            Self::NodePort { traffic } => node_port::needs(*traffic),
            Self::HostNetwork { .. } => host_network::needs(),
            Self::HostPort { host_ip } => host_port::needs(*host_ip),
            Self::MetalLb { announced, allow_from, allow_shared_ip, traffic } => metal_lb::needs(
                announced,
                allow_from,
                allow_shared_ip.as_ref(),
                *traffic,
                pool,
                around.cluster.metal_lb,
            ),
            Self::CiliumLoadBalancer { announced, allow_from, sharing_key, traffic } => {
                cilium_load_balancer::needs(announced, allow_from, sharing_key.as_ref(), *traffic, around)
            }
            Self::CloudLoadBalancer { allow_from, traffic, .. } => cloud_load_balancer::needs(allow_from, *traffic),
            Self::ExternalIps { addresses, form, traffic } => external_ips::needs(addresses, *form, *traffic),
        }
    }

    /// What a node does with a port; `None` for nothing.
    #[must_use]
    pub fn way(&self, port: &PortPlan) -> Option<Way> {
        match self {
            Self::NodePortRedirect { mechanism, direct_node_port, .. } => {
                node_port_redirect::way(*mechanism, *direct_node_port, port)
            }
            Self::HostNetwork { bind, .. } => Some(host_network::way(*bind, port)),
            Self::NodePort { .. }
            | Self::HostPort { .. }
            | Self::MetalLb { .. }
            | Self::CiliumLoadBalancer { .. }
            | Self::CloudLoadBalancer { .. }
            | Self::ExternalIps { .. } => None,
        }
    }

    /// What nodes do with a port that its gateway does not run on; `None` for nothing.
    #[must_use]
    pub fn way_elsewhere(&self, port: &PortPlan) -> Option<Way> {
        match self {
            Self::NodePortRedirect { mechanism, direct_node_port, allow_from, .. } => {
                node_port_redirect::way_elsewhere(*mechanism, *direct_node_port, allow_from, port)
            }
            _ => None,
        }
    }

    /// The only sources that may connect; empty for everyone.
    #[must_use]
    pub fn allow_from(&self) -> &[Cidr] {
        match self {
            Self::NodePortRedirect { allow_from, .. }
            | Self::HostNetwork { allow_from, .. }
            | Self::MetalLb { allow_from, .. }
            | Self::CiliumLoadBalancer { allow_from, .. }
            | Self::CloudLoadBalancer { allow_from, .. } => allow_from,
            Self::NodePort { .. } | Self::HostPort { .. } | Self::ExternalIps { .. } => &[],
        }
    }

    /// Whether it can keep sources out.
    #[must_use]
    pub fn takes_sources(&self) -> bool {
        !matches!(self, Self::NodePort { .. } | Self::HostPort { .. } | Self::ExternalIps { .. })
    }

    /// What one source may use.
    #[must_use]
    pub fn limits(&self) -> Option<Limits> {
        match self {
            Self::NodePortRedirect { limits, .. } | Self::HostNetwork { limits, .. } => *limits,
            _ => None,
        }
    }

    /// Which pods answer, where clients come in through a Service.
    #[must_use]
    pub fn traffic(&self) -> Option<Traffic> {
        match self {
            Self::NodePortRedirect { traffic, .. }
            | Self::NodePort { traffic }
            | Self::MetalLb { traffic, .. }
            | Self::CiliumLoadBalancer { traffic, .. }
            | Self::CloudLoadBalancer { traffic, .. }
            | Self::ExternalIps { traffic, .. } => Some(*traffic),
            Self::HostNetwork { .. } | Self::HostPort { .. } => None,
        }
    }

    /// The address it announces, and the name of who does.
    #[must_use]
    pub fn announced(&self) -> Option<(&Announced, &'static str)> {
        match self {
            Self::MetalLb { announced, .. } => Some((announced, "MetalLB")),
            Self::CiliumLoadBalancer { announced, .. } => Some((announced, "Cilium")),
            _ => None,
        }
    }

    /// Whether the interfaces of a pool bound where clients come in: node files look at them, a process that listens and a
    /// network plugin do not.
    #[must_use]
    pub fn keeps_to_interfaces(&self) -> bool {
        matches!(self, Self::NodePortRedirect { .. } | Self::HostNetwork { bind: Bind::Redirect, .. })
    }

    /// The same, to be filled in.
    pub fn announced_mut(&mut self) -> Option<&mut Announced> {
        match self {
            Self::MetalLb { announced, .. } | Self::CiliumLoadBalancer { announced, .. } => Some(announced),
            _ => None,
        }
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
