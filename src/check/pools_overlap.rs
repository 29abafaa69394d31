//! Two address pools that hold the same address.

use crate::finding::{Finding, Place, Rule, Severity};
use crate::grammar::AddressRange;
use crate::plan::{Gateway, Plan};

pub static RULE: Rule = Rule {
    name: "pools-overlap",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("pools_overlap.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    let mut earlier: Vec<(&Gateway, usize, AddressRange)> = Vec::new();
    // One that takes its address from another's pool has none to overlap with.
    for gateway in plan.gateways.values().filter(|gateway| gateway.pool == gateway.name) {
        let Some((announced, who)) = gateway.strategy.announced() else { continue };
        for (position, range) in announced.addresses.iter().enumerate() {
            if let Some((other, index, _)) = earlier.iter().find(|(_, _, taken)| taken.overlaps(*range)) {
                findings.push(
                    Finding::new(
                        &RULE,
                        Place::Value(gateway.exposure("addresses").index(position)),
                        format!("`{range}` overlaps a range of `{}`; {who} refuses the second pool", other.name),
                        "give each gateway addresses of its own; with MetalLB, gateways that share an address name the same `allowSharedIP` and the same `addresses`",
                    )
                    .also(Place::Value(other.exposure("addresses").index(*index)), "the other range"),
                );
            }
            earlier.push((gateway, position, *range));
        }
    }
}
