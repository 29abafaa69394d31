//! A rolling update that waits for itself: every node's ports are held by a pod that may not go first.

use serde_json::Value;

use crate::finding::{Finding, Place, Rule, Severity};
use crate::plan::{Gateway, Plan};

pub static RULE: Rule = Rule {
    name: "rolling-update-deadlock",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("rolling_update_deadlock.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    for gateway in plan.gateways.values().filter(|gateway| deadlocks(plan, gateway)) {
        let route = gateway.route.key("values").key("updateStrategy").key("rollingUpdate").key("maxUnavailable");
        findings.push(Finding::new(
            &RULE,
            Place::Value(route),
            format!("a new pod of `{}` needs a free node and no old pod may go first: the update never ends", gateway.name),
            "take `updateStrategy` out of `values`: portgen lets the old pod go first",
        ));
    }
}

/// Whether `values` asks for an update that cannot move on the nodes there are.
pub fn deadlocks(plan: &Plan, gateway: &Gateway) -> bool {
    let Some(strategy) = gateway.values.get("updateStrategy") else { return false };
    if !gateway.needs.holds_node_ports() || strategy.get("type").and_then(Value::as_str) == Some("Recreate") {
        return false;
    }
    let none_may_go = match strategy.pointer("/rollingUpdate/maxUnavailable") {
        Some(Value::Number(number)) => number.as_u64() == Some(0),
        // Kubernetes rounds this share down.
        Some(Value::String(share)) => share
            .trim_end_matches('%')
            .parse::<u64>()
            .is_ok_and(|percent| percent * u64::from(gateway.replicas.max()) < 100),
        _ => false,
    };
    let full = gateway.nodes(plan).is_some_and(|nodes| gateway.replicas.max() >= nodes);
    none_may_go && full
}
