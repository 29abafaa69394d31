//! Gateways that are to share an address of Cilium's and cannot.

use crate::finding::{Finding, Place, Rule, Severity};
use crate::grammar::DnsLabel;
use crate::plan::{Announce, Gateway, Plan, PortPlan, Strategy, TrafficPolicy, protocol_word};

pub static RULE: Rule = Rule {
    name: "shared-address-apart",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("shared_address_apart.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    let gateways: Vec<&Gateway> = plan.gateways.values().collect();
    for (position, gateway) in gateways.iter().enumerate() {
        let Some(other) = gateways[..position].iter().find(|other| shares_with(gateway, other)) else { continue };
        let Some((message, help)) = obstacle(gateway, other) else { continue };
        findings.push(
            Finding::new(&RULE, Place::Value(gateway.exposure("sharingKey")), message, help)
                .also(Place::Value(other.exposure("sharingKey")), "the other one"),
        );
    }
}

fn key(gateway: &Gateway) -> Option<&DnsLabel> {
    match &gateway.strategy {
        // The nodes' own addresses are everybody's anyway.
        Strategy::CiliumLoadBalancer { announced, .. } if announced.how == Announce::Node => None,
        Strategy::CiliumLoadBalancer { sharing_key, .. } => sharing_key.as_ref(),
        _ => None,
    }
}

/// Whether two gateways ask Cilium for one address.
pub fn shares_with(gateway: &Gateway, other: &Gateway) -> bool {
    key(gateway).is_some() && key(gateway) == key(other)
}

fn obstacle(gateway: &Gateway, other: &Gateway) -> Option<(String, &'static str)> {
    if gateway.namespace != other.namespace {
        let message = format!("`{}` and `{}` stand in two namespaces, and Cilium shares an address within one", gateway.name, other.name);
        return Some((message, "put both into one namespace, or take `sharingKey` out"));
    }
    let how = |gateway: &Gateway| gateway.strategy.announced().map(|(announced, _)| announced.how);
    if how(gateway) != how(other) {
        let message = format!("`{}` and `{}` announce their address in two ways", gateway.name, other.name);
        return Some((message, "write the same `announce` in both"));
    }
    if how(gateway) == Some(Announce::L2) {
        let message = format!(
            "for each Service Cilium elects the node that answers for its address, so two nodes may answer for the one of `{}` and `{}`",
            other.name, gateway.name
        );
        return Some((message, "use `announce: bgp` in both, one gateway with the ports of both, or `strategy: metalLB` with `allowSharedIP`"));
    }
    if [gateway, other].iter().any(|gateway| gateway.needs.policy == Some(TrafficPolicy::Local)) {
        let message = format!("under `Local` the nodes of `{}` need not have a pod of `{}`, and one address leads to both", other.name, gateway.name);
        return Some((message, "use `externalTrafficPolicy: Cluster` in both, or take `sharingKey` out"));
    }
    let same = |port: &&PortPlan| other.ports.values().any(|taken| (taken.protocol, taken.port) == (port.protocol, port.port));
    gateway.ports.values().find(same).map(|port| {
        let message = format!(
            "`{}` and `{}` both take {} port {}, so Cilium gives them two addresses",
            other.name,
            gateway.name,
            protocol_word(port.protocol),
            port.port
        );
        (message, "let clients use another port of one of them, or take `sharingKey` out")
    })
}
