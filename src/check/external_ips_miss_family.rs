//! A Service that claims addresses, and has none of a family its clients use.

use crate::finding::{Finding, Place, Rule, Severity};
use crate::grammar::Family;
use crate::plan::{Plan, Strategy};

pub static RULE: Rule = Rule {
    name: "external-ips-miss-family",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("external_ips_miss_family.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    for gateway in plan.gateways.values() {
        let Strategy::ExternalIps { addresses, .. } = &gateway.strategy else { continue };
        for family in &plan.cluster.families {
            if addresses.iter().any(|address| Family::of(address.0) == *family) {
                continue;
            }
            findings.push(Finding::new(
                &RULE,
                Place::Value(gateway.exposure("strategy")),
                format!("`{}` claims no {family} address, so {family} clients have none to connect to", gateway.name),
                "name the `addresses` of its node pools, or `addresses` here",
            ));
        }
    }
}
