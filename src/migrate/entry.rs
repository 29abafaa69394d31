//! Where clients connect: whether two ways in are one for them.

use std::fmt;

use super::mix::Side;
use super::service::cover;
use crate::grammar::{Address, AddressRange};
use crate::plan::{Announce, CloudProvider, Plan, Strategy, protocol_word};

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
    Announced(&'static str, Vec<AddressRange>),
    /// What this cloud gives, and whether only the private network reaches it.
    Cloud(CloudProvider, bool),
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
            Strategy::CloudLoadBalancer { provider, internal, .. } => Host::Cloud(*provider, *internal),
            strategy => match strategy.announced() {
                Some((announced, _)) if announced.how == Announce::Node => Host::Nodes,
                Some((announced, who)) if announced.load_balancer_ips.is_empty() => {
                    Host::Announced(who, announced.addresses.clone())
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

    /// Whether clients find the other where they find this one: what was given of some addresses stays, if the other
    /// may give those, too.
    pub fn leads_on_to(&self, other: &Self) -> bool {
        let host = match (&self.host, &other.host) {
            (Host::Announced(who, from), Host::Announced(whom, to)) => who == whom && cover(to, from),
            (from, to) => from == to,
        };
        host && self.ports == other.ports
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
            Host::Announced(who, ranges) => write!(f, "the address of {} that {who} gave it", joined(ranges))?,
            Host::Cloud(_, false) => write!(f, "the load balancer that the cloud made for it")?,
            Host::Cloud(_, true) => write!(f, "the internal load balancer that the cloud made for it")?,
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
