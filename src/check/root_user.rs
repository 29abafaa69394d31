//! Containers that run as root.

use crate::finding::{Finding, Place, Rule, Severity};
use crate::plan::Plan;

pub static RULE: Rule = Rule {
    name: "root-user",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("root_user.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    for gateway in plan.gateways.values().filter(|gateway| gateway.security.run_as_user == 0) {
        findings.push(Finding::new(
            &RULE,
            Place::Value(gateway.route.key("security").key("runAsUser")),
            format!("`{}` runs as root, and its containers say `runAsNonRoot: true`: the kubelet does not start them", gateway.name),
            format!("take `runAsUser` out: no strategy here needs root; the chart's own user is {}", gateway.chart.profile.security.run_as_user),
        ));
    }
}
