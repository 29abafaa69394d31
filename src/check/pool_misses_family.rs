//! An address pool without addresses of a family the cluster serves.

use crate::finding::{Finding, Place, Rule, Severity};
use crate::plan::{Announce, Plan};

pub static RULE: Rule = Rule {
    name: "pool-misses-family",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("pool_misses_family.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    for gateway in plan.gateways.values() {
        let Some((announced, _)) = gateway.strategy.announced() else { continue };
        // The nodes' own addresses come from no pool.
        if announced.how == Announce::Node {
            continue;
        }
        for family in &plan.cluster.families {
            if announced.addresses.iter().any(|range| range.family() == *family) {
                continue;
            }
            findings.push(Finding::new(
                &RULE,
                Place::Value(gateway.exposure("addresses")),
                format!("the pool of `{}` has no {family} address, so its Service gets none and stays pending", gateway.name),
                format!("add an {family} range to `addresses`, or take {family} out of `cluster.ipFamilies`"),
            ));
        }
    }
}
