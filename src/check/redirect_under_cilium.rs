//! Node redirects to a node port that Cilium serves before netfilter.

use super::verdicts::refusal;
use crate::finding::{Finding, Place, Route, Rule, Severity};
use crate::plan::{DataPlane, Plan, Strategy};

pub static RULE: Rule = Rule {
    name: "redirect-under-cilium",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("redirect_under_cilium.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    let DataPlane::Cilium(_) = plan.cluster.data_plane else { return };
    for gateway in plan.gateways.values() {
        let Strategy::NodePortRedirect { .. } = gateway.strategy else { continue };
        if let Some((reason, help)) = refusal(plan, gateway) {
            findings.push(
                Finding::new(&RULE, Place::Value(gateway.exposure("strategy")), reason, help)
                    .also(Place::Key(Route::of(["cluster", "serviceProxy", "kubeProxyReplacement"])), "node ports are Cilium's"),
            );
        }
    }
}
