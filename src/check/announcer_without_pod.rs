//! Nodes that announce an address under `externalTrafficPolicy: Local` but run no pod that could answer.

use crate::finding::{Finding, Place, Rule, Severity, listed};
use crate::plan::{Plan, TrafficPolicy};

pub static RULE: Rule = Rule {
    name: "announcer-without-pod",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("announcer_without_pod.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    for gateway in plan.gateways.values() {
        let Some((announced, _)) = gateway.strategy.announced() else { continue };
        let announce_from = &announced.announce_from;
        if gateway.needs.policy != Some(TrafficPolicy::Local)
            || announce_from.is_empty()
            || announce_from.iter().any(|pool| gateway.pools.contains(pool))
        {
            continue;
        }
        findings.push(
            Finding::new(
                &RULE,
                Place::Value(gateway.exposure("announceFrom")),
                format!(
                    "`{}` is announced from {}, where none of its pods run, and `Local` lets only a pod on the announcing node answer",
                    gateway.name,
                    listed(announce_from),
                ),
                format!("announce from {}, or set `externalTrafficPolicy: Cluster`", listed(&gateway.pools)),
            )
            .also(Place::Value(gateway.route.key("nodePools")), "its pods run here"),
        );
    }
}
