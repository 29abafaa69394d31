//! Acceptances: marking what they take, and naming those that take nothing.

use crate::finding::{Finding, Place, Route, Rule, Severity, nearest};
use crate::input::rules;
use crate::plan::{Gateway, Plan};

/// An acceptance that takes nothing.
pub static RULE: Rule = Rule {
    name: "unused-accept",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("unused_accept.md"),
};

/// Nothing to find before the other rules have run: [`apply`] does it.
pub fn inspect(_: &Plan, _: &mut Vec<Finding>) {}

/// Marks every finding that a gateway accepts; an entry without one becomes a finding itself.
pub fn apply(plan: &Plan, findings: &mut Vec<Finding>) {
    let mut unused = Vec::new();
    for gateway in plan.gateways.values() {
        for (position, accepted) in gateway.accept.iter().enumerate() {
            let place = Place::Value(gateway.route.key("accept").index(position).key("rule"));
            let mut say = |message: String, help: String| unused.push(Finding::new(&RULE, place.clone(), message, help));
            if rules::ALL.iter().any(|rule| rule.name == accepted.rule) {
                say(format!("`{}` cannot be accepted: a spec that does not read is no spec", accepted.rule), "take this entry out".to_owned());
                continue;
            }
            let Some(rule) = super::rules().find(|rule| rule.name == accepted.rule) else {
                let help = match nearest(&accepted.rule, super::rules().map(|rule| rule.name)) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "`portgen explain --list` names every rule".to_owned(),
                };
                say(format!("no rule is called `{}`", accepted.rule), help);
                continue;
            };
            if !rule.acceptable {
                say(format!("`{}` cannot be accepted: what it finds does not work", rule.name), "mend it and take this entry out".to_owned());
                continue;
            }
            let mut used = false;
            for finding in findings.iter_mut().filter(|finding| finding.rule.name == rule.name && concerns(finding, gateway)) {
                finding.accepted = Some(accepted.reason.clone());
                used = true;
            }
            if !used {
                say(format!("`{}` finds nothing at `{}`", rule.name, gateway.name), "take this entry out".to_owned());
            }
        }
    }
    findings.append(&mut unused);
}

/// Whether a finding is this gateway's: it lies in it, in one of its pools, or in what all gateways share.
fn concerns(finding: &Finding, gateway: &Gateway) -> bool {
    let (Place::Value(route) | Place::Key(route)) = &finding.place else { return false };
    let below = |above: &Route| route.steps().starts_with(above.steps());
    below(&gateway.route)
        || below(&Route::of(["cluster"]))
        || gateway.pools.iter().any(|pool| below(&Route::of(["nodePools"]).key(pool)))
}
