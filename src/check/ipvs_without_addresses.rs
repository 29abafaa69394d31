//! Node rules beside IPVS without the nodes' addresses: every Service's address is local there.

use crate::finding::{Finding, Place, Route, Rule, Severity};
use crate::grammar::Family;
use crate::plan::{KubeProxyMode, Plan};

pub static RULE: Rule = Rule {
    name: "ipvs-without-addresses",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("ipvs_without_addresses.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    if plan.cluster.data_plane.kube_proxy() != Some(KubeProxyMode::Ipvs) {
        return;
    }
    for (name, node) in plan.nodes.iter().filter(|(_, node)| node.needs_nft() || node.needs_iptables()) {
        let pool = &plan.pools[name];
        let missing = plan.cluster.families.iter().find(|family| {
            !node.own_addresses.iter().any(|address| Family::of(address.0) == **family)
        });
        let Some(family) = missing else { continue };
        findings.push(
            Finding::new(
                &RULE,
                Place::Key(pool.route.key("addresses")),
                format!("pool `{name}` names no {family} address, and IPVS makes the address of every Service local to every node: rules for the nodes would catch other Services too"),
                "name the nodes' `addresses`, or move to `mode: nftables`",
            )
            .also(Place::Value(Route::of(["cluster", "serviceProxy", "mode"])), "IPVS"),
        );
    }
}
