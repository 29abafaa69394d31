//! A pool of addresses no client can reach a Service at.

use super::external_ip_refused::kind;
use crate::finding::{Finding, Place, Rule, Severity};
use crate::plan::Plan;

pub static RULE: Rule = Rule {
    name: "pool-address-refused",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("pool_address_refused.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    for gateway in plan.gateways.values() {
        let Some((announced, who)) = gateway.strategy.announced() else { continue };
        for (position, range) in announced.addresses.iter().enumerate() {
            let (first, last) = range.ends();
            let Some((address, kind)) = [first, last].into_iter().find_map(|end| Some((end, kind(end)?))) else { continue };
            findings.push(Finding::new(
                &RULE,
                Place::Value(gateway.exposure("addresses").index(position)),
                format!("`{range}` holds {address}, {kind}, which {who} may give to `{}` and no client reaches", gateway.name),
                "name addresses of the network that clients come from or are routed to",
            ));
        }
    }
}
