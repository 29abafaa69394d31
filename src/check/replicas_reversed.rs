//! An autoscaler whose fewest pods are more than its most.

use crate::finding::{Finding, Place, Rule, Severity};
use crate::plan::{Plan, Replicas};

pub static RULE: Rule = Rule {
    name: "replicas-reversed",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("replicas_reversed.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    for gateway in plan.gateways.values() {
        if let Replicas::Scaled { min, max, .. } = gateway.replicas
            && min > max
        {
            findings.push(
                Finding::new(
                    &RULE,
                    Place::Value(gateway.route.key("replicas").key("min")),
                    format!("`{}` wants at least {min} and at most {max} pods", gateway.name),
                    "swap `min` and `max`",
                )
                .also(Place::Value(gateway.route.key("replicas").key("max")), "less than `min`"),
            );
        }
    }
}
