//! A gateway on several pools of which one selects no nodes of its own.

use crate::finding::{Finding, Place, Rule, Severity};
use crate::plan::Plan;

pub static RULE: Rule = Rule {
    name: "pool-without-labels",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("pool_without_labels.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    for gateway in plan.gateways.values() {
        let node_files = gateway.pools.iter().any(|pool| plan.nodes.contains_key(pool));
        for name in &gateway.pools {
            let pool = &plan.pools[name];
            if !pool.node_selector.is_empty() || (gateway.pools.len() < 2 && !(node_files && plan.pools.len() > 1)) {
                continue;
            }
            findings.push(
                Finding::new(
                    &RULE,
                    Place::Key(pool.route.clone()),
                    format!("pool `{name}` has no `nodeSelector`, so the pods of `{}` cannot be told to run there", gateway.name),
                    "label its nodes and name the label in `nodeSelector`",
                )
                .also(Place::Value(gateway.route.key("nodePools")), "more than this pool is in play"),
            );
        }
    }
}
