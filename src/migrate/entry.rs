//! Where clients connect: whether two ways in are one for them.

use std::fmt;

use super::mix::Side;
use crate::grammar::Address;
use crate::plan::{Announce, Plan, Strategy, protocol_word};

/// Where clients connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    host: Host,
    /// The ports, in words.
    ports: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    /// The nodes' own addresses.
    Nodes,
    /// These.
    Addresses(Vec<Address>),
    /// One of these ranges, which somebody announces.
    Announced(&'static str, String),
    /// What a cloud gives.
    Cloud,
}

impl Entry {
    /// Where clients of a way in connect.
    pub fn of(side: Side<'_>) -> Self {
        let gateway = side.gateway;
        let list = |addresses: &[Address]| {
            if addresses.iter().all(|address| of_nodes(side.plan, address)) {
                Host::Nodes
            } else {
                Host::Addresses(addresses.to_vec())
            }
        };
        let host = match &gateway.strategy {
            Strategy::NodePortRedirect { .. } | Strategy::NodePort { .. } | Strategy::HostNetwork { .. } => Host::Nodes,
            Strategy::HostPort { host_ip } => host_ip.map_or(Host::Nodes, |address| Host::Addresses(vec![address])),
            Strategy::ExternalIps { addresses, .. } => list(addresses),
            Strategy::CloudLoadBalancer { .. } => Host::Cloud,
            strategy => match strategy.announced() {
                Some((announced, _)) if announced.how == Announce::Node => Host::Nodes,
                Some((announced, who)) if announced.load_balancer_ips.is_empty() => {
                    Host::Announced(who, joined(&announced.addresses))
                }
                Some((announced, _)) => Host::Addresses(announced.load_balancer_ips.clone()),
                None => Host::Nodes,
            },
        };
        let mut ports: Vec<_> = gateway.ports.values().map(|port| (port.protocol, gateway.public_port(port))).collect();
        ports.sort_unstable();
        let ports = joined(ports.into_iter().map(|(protocol, port)| format!("{} {port}", protocol_word(protocol))));
        Self { host, ports }
    }

    /// Whether clients find it by the nodes' addresses, which they may have had before.
    pub fn is_of_nodes(&self) -> bool {
        self.host == Host::Nodes
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Nodes => write!(f, "the nodes' own addresses")?,
            Host::Addresses(addresses) => write!(f, "{}", joined(addresses))?,
            Host::Announced(who, ranges) => write!(f, "the address of {ranges} that {who} gave it")?,
            Host::Cloud => write!(f, "the load balancer that the cloud made for it")?,
        }
        write!(f, ", {}", self.ports)
    }
}

fn of_nodes(plan: &Plan, address: &Address) -> bool {
    plan.pools.values().any(|pool| pool.addresses.contains(address))
}

fn joined<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}
