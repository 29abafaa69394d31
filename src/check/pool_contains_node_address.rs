//! An address pool that would give away the address of a node.

use crate::finding::{Finding, Place, Rule, Severity};
use crate::plan::Plan;

pub static RULE: Rule = Rule {
    name: "pool-contains-node-address",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("pool_contains_node_address.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    for gateway in plan.gateways.values() {
        let Some((announced, _)) = gateway.strategy.announced() else { continue };
        for (position, range) in announced.addresses.iter().enumerate() {
            for (name, pool) in &plan.pools {
                for (index, address) in pool.addresses.iter().enumerate().filter(|(_, address)| range.contains(address.0)) {
                    findings.push(
                        Finding::new(
                            &RULE,
                            Place::Value(gateway.exposure("addresses").index(position)),
                            format!("`{range}` holds {address}, the address of a node of `{name}`: two machines would answer for it"),
                            "take the nodes' addresses out of the range",
                        )
                        .also(Place::Value(pool.route.key("addresses").index(index)), "the node"),
                    );
                }
            }
        }
    }
}
