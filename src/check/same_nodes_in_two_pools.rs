//! Two pools that select the same nodes: the files of one overwrite those of the other.

use super::pool_without_labels::lacks_labels;
use crate::finding::{Finding, Place, Rule, Severity};
use crate::plan::{Plan, Pool};

pub static RULE: Rule = Rule {
    name: "same-nodes-in-two-pools",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("same_nodes_in_two_pools.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    let pools: Vec<_> = plan.pools.iter().collect();
    for (position, (name, pool)) in pools.iter().enumerate() {
        for (other_name, other) in &pools[..position] {
            let same = pool.node_selector == other.node_selector && !pool.node_selector.is_empty();
            // Every node of the narrower pool is in the wider one, too.
            let files = plan.nodes.contains_key(*name) && plan.nodes.contains_key(*other_name);
            // A pool that must have labels and has none is another rule's.
            let unlabelled = |name| plan.gateways.values().any(|gateway| lacks_labels(plan, gateway, name));
            let within = files
                && !unlabelled(name)
                && !unlabelled(other_name)
                && (narrows(pool, other) || narrows(other, pool));
            let shares_address = pool.addresses.iter().any(|address| other.addresses.contains(address));
            if same || within || shares_address {
                findings.push(
                    Finding::new(
                        &RULE,
                        Place::Key(pool.route.clone()),
                        format!("pools `{other_name}` and `{name}` select the same nodes, and a node takes the files of one pool"),
                        "join them, or give each a label of its own",
                    )
                    .also(Place::Key(other.route.clone()), "the same nodes"),
                );
                break;
            }
        }
    }
}

/// Whether one pool's selector says all that another's says, and so selects among its nodes.
fn narrows(pool: &Pool, wider: &Pool) -> bool {
    wider.node_selector.iter().all(|(key, value)| pool.node_selector.get(key) == Some(value))
}
