//! MetalLB's layer 2 beside an IPVS that answers ARP for every Service address on every node.

use crate::finding::{Finding, Place, Route, Rule, Severity};
use crate::plan::{Announce, KubeProxyMode, Plan};

pub static RULE: Rule = Rule {
    name: "ipvs-without-strict-arp",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("ipvs_without_strict_arp.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    if plan.cluster.data_plane.kube_proxy() != Some(KubeProxyMode::Ipvs) || plan.cluster.strict_arp {
        return;
    }
    // Where portgen writes the distribution's configuration, it is in there.
    if plan.cluster.distribution.is_some() {
        return;
    }
    for gateway in plan.gateways.values() {
        if gateway.strategy.announced().is_some_and(|(announced, who)| who == "MetalLB" && announced.how == Announce::L2) {
            findings.push(
                Finding::new(
                    &RULE,
                    Place::Value(Route::of(["cluster", "serviceProxy", "mode"])),
                    "IPVS binds every Service address on every node, so every node answers ARP for MetalLB's address",
                    "set `ipvs.strictARP: true` in kube-proxy's configuration and say so here with `strictARP: true`; portgen then writes it to `kube-proxy/config.yaml`",
                )
                .also(Place::Value(gateway.exposure("strategy")), "announced by layer 2"),
            );
            return;
        }
    }
}
