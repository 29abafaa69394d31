//! A user the image does not run under.

use crate::finding::{Finding, Place, Rule, Severity, clause};
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
        // Root is another rule's.
        let user = gateway.security.run_as_user;
        if profile.security.uid_fixed && user != 0 && user != profile.security.run_as_user {
            let reason = clause(profile.uid_reason.as_deref().unwrap_or("the image is built for it"));
            findings.push(Finding::new(
                &RULE,
                Place::Value(gateway.route.key("security").key("runAsUser")),
                format!("{} starts only as user {}: {reason}", profile.display_name, profile.security.run_as_user),
                format!("take `runAsUser` out, or set {}", profile.security.run_as_user),
            ));
        }
    }
}
