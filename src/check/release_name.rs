//! Release names that Helm or Kubernetes refuses: taken twice, or too long for what the chart makes of them.

use std::collections::BTreeMap;

use crate::finding::{Finding, Place, Rule, Severity};
use crate::plan::{Gateway, Plan};

pub static RULE: Rule = Rule {
    name: "release-name",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("release_name.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    let mut taken: BTreeMap<(&str, &str), &Gateway> = BTreeMap::new();
    for gateway in plan.gateways.values() {
        let release = gateway.release.as_str();
        let place = || Place::Value(gateway.route.key("chart").key("release"));
        let longest = gateway.chart.profile.release_name_max;
        if release.len() > longest {
            findings.push(Finding::new(
                &RULE,
                place(),
                format!("release name `{release}` is longer than {longest} characters, and the {} chart makes names from it that Kubernetes refuses", gateway.chart.profile.display_name),
                "set a shorter one: `chart: {name: …, release: …}`",
            ));
        }
        if let Some(first) = taken.insert((gateway.namespace.as_str(), release), gateway) {
            findings.push(
                Finding::new(
                    &RULE,
                    place(),
                    format!("`{}` and `{}` are the same Helm release, `{release}` in `{}`", first.name, gateway.name, gateway.namespace),
                    "give one of them another `chart.release` or namespace",
                )
                .also(Place::Value(first.route.key("chart").key("release")), "the other"),
            );
        }
    }
}
