//! Names of charts and pools that name nothing.

use crate::finding::{Finding, Place, Rule, Severity, listed, nearest};
use crate::grammar::DnsLabel;
use crate::plan::{Named, Plan};

pub static RULE: Rule = Rule {
    name: "unknown-name",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("unknown_name.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    // The nearest name is looked for among all: a hundred times is enough.
    for dangling in plan.dangling.iter().take(100) {
        let (what, known): (&str, Vec<&str>) = match dangling.what {
            Named::Chart => ("chart", plan.charts.iter().map(String::as_str).collect()),
            Named::NodePool => ("node pool", plan.pools.keys().map(DnsLabel::as_str).collect()),
        };
        let help = match nearest(&dangling.name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there is {}", listed(&known)),
        };
        let message = format!("no {what} is called `{}`", dangling.name);
        findings.push(Finding::new(&RULE, Place::Value(dangling.route.clone()), message, help));
    }
}
