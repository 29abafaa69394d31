//! Names of charts and pools that name nothing.

use crate::finding::{Finding, Place, Rule, Severity, listed, nearest};
use crate::plan::Plan;

pub static RULE: Rule = Rule {
    name: "unknown-name",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("unknown_name.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    for dangling in &plan.dangling {
        let help = match nearest(&dangling.name, dangling.known.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None if dangling.known.is_empty() => format!("there is no {} yet", dangling.what),
            None => format!("there is {}", listed(&dangling.known)),
        };
        findings.push(Finding::new(
            &RULE,
            Place::Value(dangling.route.clone()),
            format!("no {} is called `{}`", dangling.what, dangling.name),
            help,
        ));
    }
}
