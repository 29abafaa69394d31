//! What the nodes of a pool must do: typed, before any rule language.

use super::Limits;
use crate::finding::Route;
use crate::grammar::{Address, Cidr, DnsLabel, Family, InterfaceName, Port, PortName};
use crate::plan::Protocol;

/// What the nodes of a pool must do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodePlan {
    /// Whether IPVS serves the node ports: it undoes its NAT by itself, and makes every Service's address local.
    pub ipvs: bool,
    /// The nodes' own addresses, where "local" says too much; empty where it says enough.
    pub own_addresses: Vec<Address>,
    /// The families clients use, in Kubernetes' order.
    pub families: Vec<Family>,
    /// The interfaces clients come in by; all when empty.
    pub interfaces: Vec<InterfaceName>,
    /// What happens to each port, in the order of gateways and port names.
    pub doors: Vec<Door>,
    /// The lowest port a process without privileges may bind, where one must.
    pub unprivileged_port_start: Option<Port>,
}

/// One port of a node and what becomes of a packet to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Door {
    /// The gateway behind it.
    pub gateway: DnsLabel,
    /// The port's name in the spec.
    pub name: PortName,
    /// Where it was written.
    pub route: Route,
    /// TCP or UDP.
    pub protocol: Protocol,
    /// The port clients use.
    pub port: Port,
    /// What the node does with it.
    pub way: Way,
    /// The only sources that may connect; empty for everyone.
    pub allow_from: Vec<Cidr>,
    /// What one source may use.
    pub limits: Option<Limits>,
}

/// What a node does with a packet to a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Changes the port in the packet itself, not by NAT, to a node port that kube-proxy serves.
    Rewrite {
        /// The node port.
        node_port: Port,
        /// Whether the node port itself stays reachable.
        direct: bool,
    },
    /// Accepts the connection in user space and opens one to the node port on 127.0.0.1.
    Proxy {
        /// The node port.
        node_port: Port,
        /// Whether the node port itself stays reachable.
        direct: bool,
    },
    /// Redirects, with connection tracking, to a process that listens on the node.
    Redirect {
        /// The port it listens on.
        to: Port,
    },
    /// Nothing: a process on the node has the port itself.
    Open,
    /// The gateway runs on other nodes, and kube-proxy opens its node port on this one too: drops what comes for it.
    Shut {
        /// The node port.
        node_port: Port,
    },
    /// The same, where the node port is to stay reachable: drops what comes for it from a source that is not allowed.
    Guard {
        /// The node port.
        node_port: Port,
    },
}

impl Door {
    /// Whether its gateway runs here, so that clients connect to the public port.
    #[must_use]
    pub fn is_public(&self) -> bool {
        !matches!(self.way, Way::Shut { .. } | Way::Guard { .. })
    }

    /// The ports that packets carry where limits count: after the rewrite, before a redirect, and the port a process
    /// listens on, which must be no way around them.
    #[must_use]
    pub fn counted_ports(&self) -> Vec<Port> {
        match self.way {
            Way::Rewrite { node_port, .. } | Way::Shut { node_port } | Way::Guard { node_port } => vec![node_port],
            Way::Redirect { to } => vec![self.port, to],
            Way::Proxy { node_port, direct: true } => vec![self.port, node_port],
            Way::Proxy { .. } | Way::Open => vec![self.port],
        }
    }

    /// The sources of one family that may connect; `None` for everyone.
    #[must_use]
    pub fn allowed(&self, family: Family) -> Option<Vec<Cidr>> {
        if self.allow_from.is_empty() {
            return None;
        }
        let mut cidrs: Vec<Cidr> = self.allow_from.iter().copied().filter(|cidr| cidr.family() == family).collect();
        cidrs.sort_unstable();
        cidrs.dedup();
        // Older nft refuses a set whose networks overlap.
        let all = cidrs.clone();
        cidrs.retain(|cidr| !all.iter().any(|other| other != cidr && other.covers(*cidr)));
        if cidrs.iter().any(|cidr| cidr.is_everything()) { None } else { Some(cidrs) }
    }
}

impl NodePlan {
    /// Whether its nodes have nothing to do.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        !(self.needs_nft() || self.needs_iptables() || self.needs_proxy() || self.unprivileged_port_start.is_some())
    }

    /// Whether any door needs rules from netfilter's nf_tables.
    #[must_use]
    pub fn needs_nft(&self) -> bool {
        self.doors.iter().any(|door| match door.way {
            Way::Rewrite { .. } | Way::Redirect { .. } | Way::Shut { .. } => true,
            Way::Proxy { direct, .. } => !direct || !door.allow_from.is_empty(),
            Way::Open | Way::Guard { .. } => !door.allow_from.is_empty(),
        })
    }

    /// Whether any door counts per source, which only iptables does safely beside an older nft.
    #[must_use]
    pub fn needs_iptables(&self) -> bool {
        self.doors.iter().any(|door| door.limits.is_some())
    }

    /// Whether gateways run here, and not only elsewhere.
    #[must_use]
    pub fn has_gateways(&self) -> bool {
        self.doors.iter().any(Door::is_public)
    }

    /// Whether any door is a proxy in user space.
    #[must_use]
    pub fn needs_proxy(&self) -> bool {
        self.doors.iter().any(|door| matches!(door.way, Way::Proxy { .. }))
    }
}
