//! Addresses at which kube-proxy is told not to serve node ports, though clients of a gateway come in there.

use crate::finding::{Finding, Place, Route, Rule, Severity, listed};
use crate::grammar::{Address, Cidr, Family};
use crate::plan::{AwsTarget, Cloud, Gateway, Mechanism, NodePortAddresses, Plan, ServiceType, Strategy};

pub static RULE: Rule = Rule {
    name: "node-port-addresses",
    severity: Severity::Error,
    acceptable: true,
    page: include_str!("node_port_addresses.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    let Some(addresses) = plan.cluster.node_port_addresses.as_ref().filter(|_| plan.cluster.data_plane.kube_proxy().is_some())
    else {
        return;
    };
    let here = Route::of(["cluster", "serviceProxy", "nodePortAddresses"]);
    let mut say = |message: String, help: &str| findings.push(Finding::new(&RULE, Place::Value(here.clone()), message, help));
    let networks: &[Cidr] = match addresses {
        NodePortAddresses::Word(_) => &[],
        NodePortAddresses::Networks(networks) => networks,
    };
    if let NodePortAddresses::Word(_) = addresses
        && !plan.cluster.version.at_least(30)
    {
        say(
            format!("kube-proxy of Kubernetes {} does not know the word `primary`: it came with 1.30", plan.cluster.version),
            "name the nodes' networks instead",
        );
    }
    let missing: Vec<Family> =
        plan.cluster.families.iter().copied().filter(|family| networks.iter().all(|network| network.family() != *family)).collect();
    if !networks.is_empty() && !missing.is_empty() {
        say(
            format!("no {} network is named, and kube-proxy then serves node ports at every address of that family", listed(missing)),
            "name a network of each family",
        );
    }
    for gateway in plan.gateways.values().filter(|gateway| comes_by_node_port(gateway)) {
        if let Some(message) = unserved(plan, gateway, networks) {
            say(message, "add the network, or take `nodePortAddresses` out");
        }
    }
}

/// Whether clients of a gateway, or the load balancer before it, connect to node ports.
pub fn comes_by_node_port(gateway: &Gateway) -> bool {
    let by_aws = match &gateway.strategy {
        Strategy::CloudLoadBalancer { cloud: Cloud::Aws(aws), .. } => aws.target_type == AwsTarget::Instance,
        _ => false,
    };
    gateway.needs.service_type == ServiceType::NodePort || by_aws
}

/// An address through which clients of the gateway come and which is not served.
fn unserved(plan: &Plan, gateway: &Gateway, networks: &[Cidr]) -> Option<String> {
    if let Strategy::NodePortRedirect { mechanism: Mechanism::SocketProxy, .. } = gateway.strategy
        && !networks.iter().any(|network| network.contains(std::net::Ipv4Addr::LOCALHOST.into()))
    {
        return Some(format!("the proxy of `{}` connects to node ports on 127.0.0.1, where kube-proxy is not to serve them", gateway.name));
    }
    // Which address is primary, the spec does not say.
    if networks.is_empty() {
        return None;
    }
    outside(plan, gateway, networks).map(|address| {
        format!("{address}, the address of a node of `{}`, lies in none of these networks: its node ports are refused there", gateway.name)
    })
}

/// The first address of a gateway's nodes that lies in none of the networks of its family, where there are such.
pub fn outside(plan: &Plan, gateway: &Gateway, networks: &[Cidr]) -> Option<Address> {
    let addresses = gateway.pools.iter().flat_map(|pool| &plan.pools[pool].addresses);
    addresses.copied().find(|address| {
        let family = Family::of(address.0);
        let of_family = || networks.iter().filter(|network| network.family() == family);
        of_family().count() > 0 && !of_family().any(|network| network.contains(address.0))
    })
}
