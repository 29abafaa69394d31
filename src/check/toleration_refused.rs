//! Tolerations that the API server refuses.

use crate::finding::{Finding, Place, Rule, Severity};
use crate::input::spec::TolerationOperator;
use crate::plan::Plan;

pub static RULE: Rule = Rule {
    name: "toleration-refused",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("toleration_refused.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    for pool in plan.pools.values() {
        for (position, toleration) in pool.tolerations.iter().enumerate() {
            let route = pool.route.key("tolerations").index(position);
            let exists = toleration.operator == Some(TolerationOperator::Exists);
            if exists && toleration.value.as_ref().is_some_and(|value| !value.as_str().is_empty()) {
                findings.push(Finding::new(
                    &RULE,
                    Place::Value(route.key("value")),
                    "`operator: Exists` takes any value, so Kubernetes allows none beside it",
                    "take `value` out, or use `operator: Equal`",
                ));
            } else if !exists && toleration.key.is_none() {
                findings.push(Finding::new(
                    &RULE,
                    Place::Value(route),
                    "a toleration without `key` tolerates every taint, which Kubernetes allows with `operator: Exists` only",
                    "add `key`, or `operator: Exists`",
                ));
            }
        }
    }
}
