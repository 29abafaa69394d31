//! A gateway that could run under a stronger Pod Security level than its namespace can enforce.

use crate::finding::{Finding, Place, Rule, Severity};
use crate::plan::Plan;

pub static RULE: Rule = Rule {
    name: "namespace-weakened",
    severity: Severity::Warning,
    acceptable: true,
    page: include_str!("namespace_weakened.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    for gateway in plan.gateways.values() {
        let weaker = plan
            .gateways
            .values()
            .find(|other| other.namespace == gateway.namespace && other.needs.pod_security < gateway.needs.pod_security);
        if let Some(other) = weaker {
            findings.push(
                Finding::new(
                    &RULE,
                    Place::Value(gateway.route.key("namespace")),
                    format!("`{}` could run under Pod Security `restricted`, but shares `{}` with `{}`", gateway.name, gateway.namespace, other.name),
                    "give each a namespace of its own",
                )
                .also(Place::Value(other.exposure("strategy")), "needs `privileged`"),
            );
        }
    }
}
