//! Announcements wider than the pool they are for.

use crate::finding::{Finding, Place, Rule, Severity};
use crate::grammar::Family;
use crate::plan::{Announce, Announced, Plan, Strategy};

pub static RULE: Rule = Rule {
    name: "aggregation-beyond-pool",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("aggregation_beyond_pool.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    for gateway in plan.gateways.values() {
        let Strategy::MetalLb { announced: Announced { how: Announce::Bgp, bgp: Some(bgp), addresses, .. }, .. } =
            &gateway.strategy
        else {
            continue;
        };
        let fields = [(Family::IPv4, "aggregationLength"), (Family::IPv6, "aggregationLengthV6")];
        for ((family, field), length) in fields.into_iter().zip(bgp.aggregation) {
            let Some(length) = length else { continue };
            let ranges = addresses.iter().enumerate().filter(|(_, range)| range.family() == family);
            for (position, range) in ranges.filter(|(_, range)| range.widest_prefix() > length) {
                let widest = range.widest_prefix();
                findings.push(
                    Finding::new(
                        &RULE,
                        Place::Value(gateway.exposure("bgp").key(field)),
                        format!("a /{length} is wider than anything in `{range}`, and MetalLB refuses it"),
                        format!("write {widest} or more, or a pool that holds a /{length}"),
                    )
                    .also(Place::Value(gateway.exposure("addresses").index(position)), "the range"),
                );
            }
        }
    }
}
