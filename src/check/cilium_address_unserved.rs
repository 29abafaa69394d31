//! An address of Cilium's where Cilium does not hand it out, or does not serve it.

use super::verdicts::refusal;
use crate::finding::{Finding, Place, Route, Rule, Severity};
use crate::plan::{Plan, Strategy};

pub static RULE: Rule = Rule {
    name: "cilium-address-unserved",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("cilium_address_unserved.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    for gateway in plan.gateways.values() {
        let Strategy::CiliumLoadBalancer { .. } = gateway.strategy else { continue };
        if let Some((reason, help)) = refusal(plan, gateway) {
            findings.push(
                Finding::new(
                    &RULE,
                    Place::Value(gateway.exposure("strategy")),
                    format!("nobody answers for the address of `{}`: {reason}", gateway.name),
                    help,
                )
                .also(Place::Value(Route::of(["cluster", "serviceProxy"])), "what turns Services into packets"),
            );
        }
    }
}
