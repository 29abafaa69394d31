//! Periods of kube-proxy that it refuses, or that cost without a gain.

use std::time::Duration;

use crate::finding::{Finding, Place, Route, Rule, Severity};
use crate::plan::{KubeProxyMode, Plan};

pub static RULE: Rule = Rule {
    name: "sync-periods",
    severity: Severity::Warning,
    acceptable: true,
    page: include_str!("sync_periods.md"),
};

/// kube-proxy's own `minSyncPeriod`.
const USUAL: Duration = Duration::from_secs(1);

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    let Some(min) = plan.cluster.sync.min.as_ref().filter(|min| min.get() > USUAL) else { return };
    let mode = plan.cluster.data_plane.kube_proxy();
    // Until then a change made kube-proxy write every rule anew, so fewer changes were a gain.
    if mode == Some(KubeProxyMode::Iptables) && !plan.cluster.version.at_least(27) {
        return;
    }
    let writes = match mode {
        Some(KubeProxyMode::Iptables) => "since 1.27 kube-proxy writes only what changed",
        _ => "kube-proxy writes only what changed in this mode",
    };
    findings.push(Finding::new(
        &RULE,
        Place::Value(Route::of(["cluster", "serviceProxy", "minSyncPeriod"])),
        format!("for up to {min} clients are still led to pods that are gone, and not yet to new ones; {writes}"),
        "take it out: one second is the default",
    ));
}
