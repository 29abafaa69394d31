//! A read-only root file system under a process that writes to it.

use crate::finding::{Finding, Place, Rule, Severity, clause};
use crate::plan::Plan;

pub static RULE: Rule = Rule {
    name: "root-filesystem-written",
    severity: Severity::Error,
    acceptable: true,
    page: include_str!("root_filesystem_written.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    for gateway in plan.gateways.values() {
        let Some(reason) = &gateway.chart.profile.read_only_root_filesystem_reason else { continue };
        if gateway.security.read_only_root_filesystem {
            findings.push(Finding::new(
                &RULE,
                Place::Value(gateway.route.key("security").key("readOnlyRootFilesystem")),
                format!("{} does not start with a read-only root file system: {}", gateway.chart.profile.display_name, clause(reason)),
                "take it out; Pod Security `restricted` does not ask for it",
            ));
        }
    }
}
