//! Periods that kube-proxy refuses to start with.

use std::time::Duration;

use crate::finding::{Finding, Place, Route, Rule, Severity};
use crate::plan::Plan;

pub static RULE: Rule = Rule {
    name: "sync-periods-reversed",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("sync_periods_reversed.md"),
};

/// kube-proxy's own `syncPeriod`.
const USUAL: Duration = Duration::from_secs(30);

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    let sync = &plan.cluster.sync;
    let mut say = |field: &str, message: String, help: &str| {
        let place = Place::Value(Route::of(["cluster", "serviceProxy", field]));
        findings.push(Finding::new(&RULE, place, message, help));
    };
    if sync.full.as_ref().is_some_and(|full| full.get().is_zero()) {
        say("syncPeriod", "kube-proxy does not start with a `syncPeriod` of nothing".to_owned(), "write `30s`, or take it out");
        return;
    }
    let full = sync.full.as_ref().map_or(USUAL, crate::grammar::GoDuration::get);
    if let Some(min) = sync.min.as_ref().filter(|min| min.get() > full) {
        let known = sync.full.as_ref().map_or("its default, 30s".to_owned(), |full| format!("`syncPeriod`, {full}"));
        say(
            "minSyncPeriod",
            format!("{min} is longer than {known}, and kube-proxy does not start with that"),
            "write a shorter one, or a longer `syncPeriod`",
        );
    }
}
