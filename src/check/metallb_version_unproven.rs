//! A MetalLB that is newer than what is known here.

use crate::finding::{Finding, Place, Route, Rule, Severity};
use crate::grammar::MetalLbVersion;
use crate::plan::{Plan, Strategy};

pub static RULE: Rule = Rule {
    name: "metallb-version-unproven",
    severity: Severity::Warning,
    acceptable: true,
    page: include_str!("metallb_version_unproven.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    let version = plan.cluster.metal_lb;
    let used = plan.gateways.values().any(|gateway| matches!(gateway.strategy, Strategy::MetalLb { .. }));
    if used && version.is_unknown() {
        findings.push(Finding::new(
            &RULE,
            Place::Value(Route::of(["cluster", "metalLB", "version"])),
            format!("objects are written for MetalLB 0.13 to {}, and {version} may read others", MetalLbVersion::NEWEST),
            "compare `metallb/` with the release notes, then accept it with a reason; or use a portgen that knows it",
        ));
    }
}
