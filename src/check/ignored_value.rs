//! Helm values that the chart does not read.

use super::value_fights_strategy::leaves;
use crate::chart::Keys;
use crate::finding::{Finding, Place, Rule, Severity, nearest, shown};
use crate::plan::Plan;

pub static RULE: Rule = Rule {
    name: "ignored-value",
    severity: Severity::Error,
    acceptable: true,
    page: include_str!("ignored_value.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    for gateway in plan.gateways.values().filter(|gateway| !gateway.values.is_empty()) {
        let Ok(keys) = gateway.chart.keys() else { continue };
        for (path, route) in leaves(gateway) {
            let Some(help) = instead(&keys, &path) else { continue };
            findings.push(Finding::new(
                &RULE,
                Place::Key(route),
                format!("the {} chart ignores `{}`", gateway.chart.profile.display_name, shown(&path)),
                help,
            ));
        }
    }
}

/// What to write instead of a path the chart ignores; `None` for one it reads.
fn instead(keys: &Keys, path: &str) -> Option<String> {
    if let Some((_, instead)) = keys.ignored.iter().find(|(ignored, _)| covers(ignored, path)) {
        // A path, or a sentence where one path is not the whole answer.
        let is_path = !instead.contains(' ');
        return Some(if is_path { format!("the chart's key is `{instead}`") } else { format!("write {instead}") });
    }
    if keys.owned.keys().any(|owned| covers(owned, path)) || keys.honoured.iter().any(|honoured| honours(honoured, path)) {
        return None;
    }
    let known = keys.honoured.iter().map(|honoured| honoured.trim_end_matches(".**"));
    Some(match nearest(path, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "take it out; `helm show values` lists what the chart reads".to_owned(),
    })
}

/// Whether `path` is `prefix` or lies below it.
pub fn covers(prefix: &str, path: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn honours(honoured: &str, path: &str) -> bool {
    match honoured.strip_suffix(".**") {
        Some(prefix) => covers(prefix, path) || covers(path, prefix),
        // A path above an honoured one is an empty map, or a `null` that deletes the chart's defaults.
        None => path == honoured || covers(path, honoured),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_honoured_whole_or_below_stars() {
        assert!(honours("env.**", "env.database") && honours("env.**", "env"));
        assert!(honours("proxy.type", "proxy.type") && honours("proxy.type", "proxy"));
        assert!(!honours("proxy.type", "proxy.type.x") && !honours("proxy.type", "proxy.typo"));
    }
}
