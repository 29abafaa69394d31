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
        let shared = gateway.chart.profile.one_per_namespace.as_ref().filter(|shared| gateway.value(&shared.unless_value).is_none());
        if let Some(shared) = shared {
            let other = plan.gateways.values().take_while(|other| other.name != gateway.name).find(|other| {
                other.namespace == gateway.namespace
                    && other.chart.profile.name == gateway.chart.profile.name
                    && other.value(&shared.unless_value).is_none()
            });
            if let Some(other) = other {
                findings.push(
                    Finding::new(
                        &RULE,
                        Place::Value(gateway.route.key("namespace")),
                        format!("`{}` and `{}` both bring the {}, whatever their release is called", other.name, gateway.name, shared.object),
                        format!("give one of them another namespace, or set `{}` in its `values`", shared.unless_value),
                    )
                    .also(Place::Value(other.route.key("namespace")), "the other"),
                );
            }
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
