//! A kube-proxy mode that the cluster's version does not have switched on.

use crate::finding::{Finding, Place, Route, Rule, Severity};
use crate::plan::{KubeProxyMode, Plan};

pub static RULE: Rule = Rule {
    name: "mode-not-available",
    severity: Severity::Error,
    acceptable: true,
    page: include_str!("mode_not_available.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    let version = plan.cluster.version;
    if plan.cluster.data_plane.kube_proxy() != Some(KubeProxyMode::Nftables) || version.at_least(31) {
        return;
    }
    let state = if version.at_least(29) { "is alpha and off by default" } else { "does not exist" };
    findings.push(Finding::new(
        &RULE,
        Place::Value(Route::of(["cluster", "serviceProxy", "mode"])),
        format!("kube-proxy's nftables mode {state} in Kubernetes {version}"),
        "it is on by default from 1.31 and stable from 1.33; use `mode: iptables` until then",
    ));
}
