//! Two address pools that hold the same address.

use super::shared_address_apart::shares_with;
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
            let clash = earlier.iter().find(|(other, _, taken)| {
                taken.overlaps(*range) && !(taken == range && shares_with(gateway, other))
            });
            if let Some((other, index, _)) = clash {
                let same = other.strategy.announced().is_some_and(|(_, other)| other == who);
                let consequence = match who {
                    "Cilium" if same => "Cilium gives nothing out of the second pool",
                    _ if same => "MetalLB refuses the second pool",
                    _ => "MetalLB and Cilium may give the same address to two Services",
                };
                findings.push(
                    Finding::new(
                        &RULE,
                        Place::Value(gateway.exposure("addresses").index(position)),
                        format!("`{range}` overlaps a range of `{}`; {consequence}", other.name),
                        "give each gateway addresses of its own; gateways that share an address name the same key and the same `addresses`",
                    )
                    .also(Place::Value(other.exposure("addresses").index(*index)), "the other range"),
                );
            }
            earlier.push((gateway, position, *range));
        }
    }
}
