//! hostNetwork or hostPort in a cluster whose gateway namespaces must enforce more than Pod Security lets pass.

use crate::finding::{Finding, Place, Route, Rule, Severity};
use crate::plan::Plan;

pub static RULE: Rule = Rule {
    name: "host-network-in-restricted-namespace",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("host_network_in_restricted_namespace.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    let demanded = plan.cluster.pod_security;
    for gateway in plan.gateways.values().filter(|gateway| gateway.needs.pod_security < demanded) {
        let level = demanded.as_str();
        let what = if gateway.needs.host_port { "maps ports of the node to pods" } else { "puts pods in the node's network namespace" };
        findings.push(
            Finding::new(
                &RULE,
                Place::Value(gateway.exposure("strategy")),
                format!(
                    "`{}` {what}, which Pod Security `{level}` refuses, and `{}` must enforce `{level}`",
                    gateway.strategy.name(),
                    gateway.namespace,
                ),
                "use `nodePortRedirect` or `metalLB`, which pass `restricted`, or set `cluster.podSecurity: privileged`; no `securityContext` changes this",
            )
            .also(Place::Value(Route::of(["cluster", "podSecurity"])), "what gateway namespaces must enforce"),
        );
    }
}
