//! BGP announcements without a router to tell them to.

use crate::finding::{Finding, Place, Rule, Severity};
use crate::plan::{Announce, Plan};

pub static RULE: Rule = Rule {
    name: "bgp-without-sessions",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("bgp_without_sessions.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    for gateway in plan.gateways.values() {
        let Some((announced, who)) = gateway.strategy.announced() else { continue };
        if announced.how == Announce::Bgp && announced.bgp.is_none() {
            let field = if who == "MetalLB" { "mode" } else { "announce" };
            findings.push(Finding::new(
                &RULE,
                Place::Value(gateway.exposure(field)),
                format!("`{}` announces by BGP but names no router", gateway.name),
                format!("add `bgp: {{localASN: …, peers: {{name: {{address: …, asn: …}}}}}}`, or use `{field}: l2`"),
            ));
        }
    }
}
