//! An allow-list that names no source of a family the cluster serves: that family is shut out.

use crate::finding::{Finding, Place, Rule, Severity};
use crate::plan::Plan;

pub static RULE: Rule = Rule {
    name: "allow-list-misses-family",
    severity: Severity::Warning,
    acceptable: true,
    page: include_str!("allow_list_misses_family.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    for gateway in plan.gateways.values().filter(|gateway| !gateway.strategy.allow_from().is_empty()) {
        for family in &plan.cluster.families {
            if gateway.strategy.allow_from().iter().any(|cidr| cidr.family() == *family) {
                continue;
            }
            findings.push(Finding::new(
                &RULE,
                Place::Value(gateway.exposure("allowFrom")),
                format!("`allowFrom` of `{}` names no {family} source, so no {family} client may connect", gateway.name),
                format!("add an {family} network, or take {family} out of `cluster.ipFamilies`"),
            ));
        }
    }
}
