//! A pool whose number of nodes is missing or said twice in different ways.

use crate::finding::{Finding, Place, Rule, Severity};
use crate::plan::Plan;

pub static RULE: Rule = Rule {
    name: "node-count",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("node_count.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    for (name, pool) in &plan.pools {
        let addresses = pool.addressed();
        match pool.count {
            None if addresses == 0 => findings.push(Finding::new(
                &RULE,
                Place::Key(pool.route.clone()),
                format!("pool `{name}` does not say how many nodes it has"),
                "add `count: 3`, or the nodes' `addresses`",
            )),
            Some(count) if addresses > 0 && count > addresses => findings.push(
                Finding::new(
                    &RULE,
                    Place::Value(pool.route.key("count")),
                    format!("pool `{name}` counts {count} nodes and names {addresses} addresses"),
                    "take `count` out, or name every address",
                )
                .also(Place::Value(pool.route.key("addresses")), "the addresses"),
            ),
            _ => {}
        }
    }
}
