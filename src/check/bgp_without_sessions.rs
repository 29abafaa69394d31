//! BGP announcements without a router to tell them to.

use crate::finding::{Finding, Place, Rule, Severity};
use crate::plan::{MetalLbMode, Plan, Strategy};

pub static RULE: Rule = Rule {
    name: "bgp-without-sessions",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("bgp_without_sessions.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    for gateway in plan.gateways.values() {
        if let Strategy::MetalLb { mode: MetalLbMode::Bgp, bgp: None, .. } = gateway.strategy {
            findings.push(Finding::new(
                &RULE,
                Place::Value(gateway.exposure("mode")),
                format!("`{}` announces by BGP but names no router", gateway.name),
                "add `bgp: {localASN: …, peers: {name: {address: …, asn: …}}}`, or use `mode: l2`",
            ));
        }
    }
}
