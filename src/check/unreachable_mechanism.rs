//! A way from the public port to the node port that nobody gets through on this data plane.

use super::verdicts::refusal;
use crate::finding::{Finding, Place, Route, Rule, Severity};
use crate::plan::knowledge::{Form, verdict};
use crate::plan::{DataPlane, Plan, Strategy};

pub static RULE: Rule = Rule {
    name: "unreachable-mechanism",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("unreachable_mechanism.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    // Cilium refuses every mechanism alike and has a rule of its own.
    if let DataPlane::Cilium(_) = plan.cluster.data_plane {
        return;
    }
    let Plan { cluster, gateways, .. } = plan;
    for gateway in gateways.values() {
        let Strategy::NodePortRedirect { .. } = gateway.strategy else { continue };
        let Some((reason, help)) = refusal(plan, gateway) else { continue };
        let form = Form::of(gateway);
        // In a cluster of both families another cell may hold.
        let by_family = verdict(form, cluster.data_plane, &[]) != verdict(form, cluster.data_plane, &cluster.families);
        let (cause, label) = if by_family {
            (Route::of(["cluster", "ipFamilies"]), format!("{} only", cluster.families[0]))
        } else {
            (Route::of(["cluster", "serviceProxy", "mode"]), "the data plane".to_owned())
        };
        findings.push(
            Finding::new(&RULE, Place::Value(gateway.exposure("mechanism")), format!("this mechanism reaches nobody on {}: {reason}", cluster.data_plane), help)
                .also(Place::Value(cause), label),
        );
    }
}
