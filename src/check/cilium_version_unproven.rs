//! A Cilium that is newer than what is known here.

use crate::finding::{Finding, Place, Route, Rule, Severity};
use crate::plan::Plan;
use crate::plan::cilium::NEWEST;

pub static RULE: Rule = Rule {
    name: "cilium-version-unproven",
    severity: Severity::Warning,
    acceptable: true,
    page: include_str!("cilium_version_unproven.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    if let Some(version) = plan.cluster.data_plane.cilium().filter(|version| version.at_least(NEWEST + 1)) {
        findings.push(Finding::new(
            &RULE,
            Place::Value(Route::of(["cluster", "serviceProxy", "version"])),
            format!("values and objects are written for Cilium 1.14 to 1.{NEWEST}, and {version} may read others"),
            "compare `cilium/` with the release's upgrade notes, then accept it with a reason; or use a portgen that knows it",
        ));
    }
}
