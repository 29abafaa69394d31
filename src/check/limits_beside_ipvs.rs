//! Limits on a public port beside IPVS: they would count connections to other Services as well.

use crate::finding::{Finding, Place, Route, Rule, Severity};
use crate::plan::node::Way;
use crate::plan::{KubeProxyMode, Plan};

pub static RULE: Rule = Rule {
    name: "limits-beside-ipvs",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("limits_beside_ipvs.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    if plan.cluster.data_plane.kube_proxy() != Some(KubeProxyMode::Ipvs) {
        return;
    }
    for gateway in plan.gateways.values().filter(|gateway| gateway.strategy.limits().is_some()) {
        // The rewrite is counted at the node port, which no Service address answers on.
        let public = plan.nodes.values().flat_map(|node| &node.doors).any(|door| {
            door.gateway == gateway.name && door.is_public() && !matches!(door.way, Way::Rewrite { .. })
        });
        if public {
            findings.push(
                Finding::new(
                    &RULE,
                    Place::Key(gateway.exposure("limits")),
                    format!("limits of `{}` would count connections to other Services too: IPVS makes their addresses local to every node", gateway.name),
                    "limit in the gateway itself, use `nodePortRedirect` with `portRewrite`, or move to `mode: nftables`",
                )
                .also(Place::Value(Route::of(["cluster", "serviceProxy", "mode"])), "IPVS"),
            );
        }
    }
}
