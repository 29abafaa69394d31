//! A Service that claims the nodes' addresses beside IPVS: half of its pods cannot answer.

use super::verdicts::refusal;
use crate::finding::{Finding, Place, Route, Rule, Severity};
use crate::plan::{Plan, Strategy};

pub static RULE: Rule = Rule {
    name: "external-ips-beside-ipvs",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("external_ips_beside_ipvs.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    for gateway in plan.gateways.values() {
        let Strategy::ExternalIps { .. } = gateway.strategy else { continue };
        if let Some((reason, help)) = refusal(plan, gateway) {
            findings.push(
                Finding::new(
                    &RULE,
                    Place::Value(gateway.exposure("strategy")),
                    format!("`externalIPs` cannot work here: {reason}"),
                    help,
                )
                .also(Place::Value(Route::of(["cluster", "serviceProxy", "mode"])), "IPVS"),
            );
        }
    }
}
