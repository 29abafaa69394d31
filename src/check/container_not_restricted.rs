//! Values that bring a container which Pod Security `restricted` refuses, whatever else is set.

use serde_json::Value;

use crate::finding::{Finding, Place, Route, Rule, Severity, clause};
use crate::plan::{Gateway, Plan, PodSecurity};

pub static RULE: Rule = Rule {
    name: "container-not-restricted",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("container_not_restricted.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    for gateway in plan.gateways.values().filter(|gateway| gateway.needs.pod_security == PodSecurity::Restricted) {
        for container in &gateway.chart.profile.not_restricted {
            let mut routes = container.when.iter().map(|(path, value)| written(gateway, path, value));
            let Some(Some(route)) = routes.next() else { continue };
            if routes.any(|route| route.is_none()) {
                continue;
            }
            findings.push(Finding::new(
                &RULE,
                Place::Value(route),
                format!(
                    "container `{}` cannot pass Pod Security `restricted`, which its namespace enforces: {}",
                    container.container,
                    clause(&container.why),
                ),
                container.instead.trim_end_matches('.').to_owned(),
            ));
        }
    }
}

/// Where `values` sets this path to this value; portgen itself never does.
fn written(gateway: &Gateway, path: &str, wanted: &Value) -> Option<Route> {
    let mut route = gateway.route.key("values");
    let mut keys = path.split('.');
    let mut value = gateway.values.get(keys.next()?)?;
    route = route.key(path.split('.').next()?);
    for key in keys {
        value = value.get(key)?;
        route = route.key(key);
    }
    (value == wanted).then_some(route)
}
