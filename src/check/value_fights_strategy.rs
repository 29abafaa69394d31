//! Helm values that undo what the spec decides.

use serde_json::Value;

use super::ignored_value::covers;
use super::rolling_update_deadlock::deadlocks;
use crate::finding::{Finding, Place, Route, Rule, Severity, shown};
use crate::plan::{Gateway, Plan};

pub static RULE: Rule = Rule {
    name: "value-fights-strategy",
    severity: Severity::Error,
    acceptable: true,
    page: include_str!("value_fights_strategy.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    for gateway in plan.gateways.values().filter(|gateway| !gateway.values.is_empty()) {
        let Ok(keys) = gateway.chart.keys() else { continue };
        let mut said = Vec::new();
        for (path, route) in leaves(gateway) {
            if keys.ignored.keys().any(|ignored| covers(ignored, &path)) || (covers("updateStrategy", &path) && deadlocks(plan, gateway)) {
                continue;
            }
            // A path above one that the spec decides is a `null` or an empty map that would wipe it.
            let Some((owned, field)) = keys.owned.iter().find(|(owned, _)| covers(owned, &path) || covers(&path, owned)) else { continue };
            if said.contains(&owned) {
                continue;
            }
            said.push(owned);
            findings.push(Finding::new(
                &RULE,
                Place::Key(route),
                format!("`{}` in `values` undoes what the spec decides", shown(&path)),
                field.replace("<name>", gateway.name.as_str()),
            ));
        }
    }
}

/// Every value of `values` that is no map, with its dotted path and its route; an empty map counts as one.
pub fn leaves(gateway: &Gateway) -> Vec<(String, Route)> {
    leaves_below(&gateway.route.key("values"), &gateway.values)
}

/// The same of values that were written at this route.
pub fn leaves_below(route: &Route, values: &serde_json::Map<String, Value>) -> Vec<(String, Route)> {
    fn walk(prefix: &str, route: &Route, map: &serde_json::Map<String, Value>, leaves: &mut Vec<(String, Route)>) {
        for (key, value) in map {
            let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
            let route = route.key(key);
            match value {
                Value::Object(below) if !below.is_empty() => walk(&path, &route, below, leaves),
                _ => leaves.push((path, route)),
            }
        }
    }
    let mut all = Vec::new();
    walk("", route, values, &mut all);
    all
}
