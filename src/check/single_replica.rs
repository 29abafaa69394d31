//! A gateway of one pod: its restart is an outage.

use crate::finding::{Finding, Place, Rule, Severity};
use crate::plan::{Plan, Replicas};

pub static RULE: Rule = Rule {
    name: "single-replica",
    severity: Severity::Warning,
    acceptable: true,
    page: include_str!("single_replica.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    for gateway in plan.gateways.values().filter(|gateway| gateway.replicas.min() == 1) {
        let replicas = gateway.route.key("replicas");
        let place = match gateway.replicas {
            Replicas::Fixed(_) => replicas,
            Replicas::Scaled { .. } => replicas.key("min"),
        };
        findings.push(Finding::new(
            &RULE,
            Place::Value(place),
            format!("`{}` may run as a single pod: while it restarts, nobody is answered", gateway.name),
            "use 2 or more, or accept it with a reason",
        ));
    }
}
