//! Helm values for Cilium that its version does not read, or that undo what the spec decides.

use super::ignored_value::covers;
use super::value_fights_strategy::leaves_below;
use crate::finding::{Finding, Place, Route, Rule, Severity, shown};
use crate::plan::Plan;
use crate::plan::cilium::{Fault, fault};

pub static RULE: Rule = Rule {
    name: "cilium-value",
    severity: Severity::Error,
    acceptable: true,
    page: include_str!("cilium_value.md"),
};

/// What the spec decides, and the field that does.
const OWNED: &[(&str, &str)] = &[
    ("bgpControlPlane.enabled", "use `announce` of a gateway"),
    ("gatewayAPI.hostNetwork", "use `cluster.serviceProxy.gateway`"),
    ("ingressController.hostNetwork", "use `cluster.serviceProxy.gateway`"),
    ("kubeProxyReplacement", "use `cluster.serviceProxy.kubeProxyReplacement`"),
    ("l2announcements.enabled", "use `announce` of a gateway"),
    ("nodeIPAM.enabled", "use `announce` of a gateway"),
    ("nodePort.range", "use `cluster.nodePortRange`"),
];

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    let Some(version) = plan.cluster.data_plane.cilium() else { return };
    let values = Route::of(["cluster", "serviceProxy", "values"]);
    for (path, route) in leaves_below(&values, &plan.cluster.cilium_values) {
        let name = shown(&path);
        let (message, help) = if let Some((fault, instead)) = fault(&path, version) {
            let message = match fault {
                Fault::NotYet(since) => format!("Cilium {version} does not read `{name}`: it came with 1.{since}"),
                Fault::Ignored(until) => format!("Cilium {version} ignores `{name}`: it went with 1.{until}"),
                Fault::Rejected => format!("the chart of Cilium {version} refuses to render with `{name}`"),
            };
            (message, instead)
        } else if let Some((_, field)) = OWNED.iter().find(|(owned, _)| covers(owned, &path) || covers(&path, owned)) {
            (format!("`{name}` in `values` undoes what the spec decides"), *field)
        } else {
            continue;
        };
        findings.push(Finding::new(&RULE, Place::Key(route), message, help));
    }
}
