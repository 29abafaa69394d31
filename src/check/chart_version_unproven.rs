//! A chart version that its profile was not written for.

use crate::finding::{Finding, Place, Rule, Severity};
use crate::plan::Plan;

pub static RULE: Rule = Rule {
    name: "chart-version-unproven",
    severity: Severity::Warning,
    acceptable: true,
    page: include_str!("chart_version_unproven.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    for gateway in plan.gateways.values() {
        let profile = &gateway.chart.profile;
        if gateway.chart_version == profile.chart.version {
            continue;
        }
        findings.push(Finding::new(
            &RULE,
            Place::Value(gateway.route.key("chart").key("version")),
            format!(
                "the values of the {} chart are written for {}, and {} may read others",
                profile.display_name, profile.chart.version, gateway.chart_version
            ),
            "take `version` out, or accept it once `helm template` shows what the spec says",
        ));
    }
}
