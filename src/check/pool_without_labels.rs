//! A gateway on several pools of which one selects no nodes of its own.

use crate::finding::{Finding, Place, Rule, Severity};
use crate::grammar::DnsLabel;
use crate::plan::node::NodePlan;
use crate::plan::{Gateway, Plan};

pub static RULE: Rule = Rule {
    name: "pool-without-labels",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("pool_without_labels.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    for gateway in plan.gateways.values() {
        for name in gateway.pools.iter().filter(|name| lacks_labels(plan, gateway, name)) {
            findings.push(
                Finding::new(
                    &RULE,
                    Place::Key(plan.pools[name].route.clone()),
                    format!("pool `{name}` has no `nodeSelector`, so the pods of `{}` cannot be told to run there", gateway.name),
                    "label its nodes and name the label in `nodeSelector`",
                )
                .also(Place::Value(gateway.route.key("nodePools")), "more than this pool is in play"),
            );
        }
    }
}

/// Whether a gateway runs on a pool that must have labels, and has none.
pub fn lacks_labels(plan: &Plan, gateway: &Gateway, name: &DnsLabel) -> bool {
    let node_files = gateway.pools.iter().filter_map(|pool| plan.nodes.get(pool)).any(NodePlan::has_gateways);
    let told_apart = gateway.pools.len() >= 2 || (node_files && plan.pools.len() > 1);
    told_apart && gateway.pools.contains(name) && plan.pools[name].node_selector.is_empty()
}
