//! Cilium's own gateway where Cilium does not replace kube-proxy, or where its pool cannot be named.

use crate::finding::{Finding, Place, Route, Rule, Severity};
use crate::plan::{DataPlane, OwnGateway, Plan};

pub static RULE: Rule = Rule {
    name: "cilium-gateway-unserved",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("cilium_gateway_unserved.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    let Some(gateway) = &plan.cluster.own_gateway else { return };
    if let DataPlane::CiliumBeside(..) = plan.cluster.data_plane {
        findings.push(Finding::new(
            &RULE,
            Place::Value(Route::of(["cluster", "serviceProxy", "kubeProxyReplacement"])),
            "Cilium's own gateway works only where Cilium replaces kube-proxy",
            "set `kubeProxyReplacement: true`, or use a gateway with `strategy: hostNetwork`",
        ));
    }
    if let Some(pool) = gateway.pool.as_ref().filter(|pool| plan.pools.len() > 1 && plan.pools[*pool].node_selector.is_empty()) {
        findings.push(
            Finding::new(
                &RULE,
                Place::Value(OwnGateway::route().key("nodePool")),
                format!("pool `{pool}` has no labels, so Cilium's gateway would listen on the nodes of every pool"),
                "label the nodes of this pool and name the label in its `nodeSelector`",
            )
            .also(Place::Key(plan.pools[pool].route.clone()), "the pool"),
        );
    }
}
