//! What the installed MetalLB is too old for.

use crate::finding::{Finding, Place, Route, Rule, Severity};
use crate::plan::{Announced, Plan, Strategy};

pub static RULE: Rule = Rule {
    name: "metallb-too-old",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("metallb_too_old.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    let version = plan.cluster.metal_lb;
    let place = Place::Value(Route::of(["cluster", "metalLB", "version"]));
    let mut say = |message: String, help: &str| findings.push(Finding::new(&RULE, place.clone(), message, help));
    let announced: Vec<&Announced> = plan
        .gateways
        .values()
        .filter_map(|gateway| match &gateway.strategy {
            Strategy::MetalLb { announced, .. } => Some(announced),
            _ => None,
        })
        .collect();
    if announced.is_empty() {
        return;
    }
    if !version.may_be(13, 0) {
        say(
            format!("MetalLB {version} reads a ConfigMap and none of the objects portgen writes"),
            "install MetalLB 0.13 or newer; `portgen convert` turns the ConfigMap into objects",
        );
        return;
    }
    let large = |announced: &&Announced| {
        let mut communities = announced.bgp.iter().flat_map(|bgp| &bgp.communities);
        communities.any(|community| community.as_str().starts_with("large:"))
    };
    if announced.iter().any(large) && !version.may_be(13, 10) {
        say(format!("MetalLB {version} knows no large communities"), "install 0.13.10 or newer, or take them out");
    }
}
