//! A user the image does not run under.

use crate::finding::{Finding, Place, Rule, Severity};
use crate::plan::Plan;

pub static RULE: Rule = Rule {
    name: "image-user",
    severity: Severity::Error,
    acceptable: true,
    page: include_str!("image_user.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    for gateway in plan.gateways.values() {
        let profile = &gateway.chart.profile;
        if profile.security.uid_fixed && gateway.security.run_as_user != profile.security.run_as_user {
            let reason = profile.uid_reason.as_deref().unwrap_or("the image is built for it").trim_end_matches('.');
            findings.push(Finding::new(
                &RULE,
                Place::Value(gateway.route.key("security").key("runAsUser")),
                format!("{} starts only as user {}: {reason}", profile.display_name, profile.security.run_as_user),
                format!("take `runAsUser` out, or set {}", profile.security.run_as_user),
            ));
        }
    }
}
