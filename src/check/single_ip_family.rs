//! A cluster that serves one family: a choice worth seeing in every report.

use crate::finding::{Finding, Place, Route, Rule, Severity};
use crate::grammar::Family;
use crate::plan::Plan;

pub static RULE: Rule = Rule {
    name: "single-ip-family",
    severity: Severity::Note,
    acceptable: true,
    page: include_str!("single_ip_family.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    if let [only] = plan.cluster.families[..] {
        let other = if only == Family::IPv4 { Family::IPv6 } else { Family::IPv4 };
        findings.push(Finding::new(
            &RULE,
            Place::Value(Route::of(["cluster", "ipFamilies"])),
            format!("clients that have {other} only cannot connect"),
            "write `[IPv4, IPv6]` once the cluster is dual-stack; every output then covers both",
        ));
    }
}
