//! Ports of nodes that no network plugin maps.

use crate::finding::{Finding, Place, Route, Rule, Severity};
use crate::plan::{Cni, Plan};

pub static RULE: Rule = Rule {
    name: "host-port-unmapped",
    severity: Severity::Error,
    acceptable: true,
    page: include_str!("host_port_unmapped.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    // Where the spec tells of Cilium as the data plane, its values bring the mapping.
    if plan.cluster.cni != Cni::Cilium || plan.cluster.data_plane.cilium().is_some() {
        return;
    }
    for gateway in plan.gateways.values().filter(|gateway| gateway.needs.host_port) {
        findings.push(
            Finding::new(
                &RULE,
                Place::Value(gateway.exposure("strategy")),
                format!("nothing maps the ports of `{}`: Cilium does where it replaces kube-proxy, or with the plugin portmap chained behind it", gateway.name),
                "write `serviceProxy: {type: cilium, version: …, kubeProxyReplacement: false}`, for which portgen writes `cni.chainingMode: portmap`, or accept it once Cilium has that value",
            )
            .also(Place::Value(Route::of(["cluster", "cni"])), "the network plugin"),
        );
    }
}
