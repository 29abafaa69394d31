//! Cilium's Helm values: only what gateways depend on, the spec's own values laid on top.

use serde_json::Value;

use super::super::helm::merge;
use crate::plan::{Plan, cilium};

/// The values, where Cilium runs.
pub fn values(plan: &Plan) -> Option<Value> {
    let mut values = cilium::needed(plan)?;
    merge(&mut values, &Value::Object(plan.cluster.cilium_values.clone()));
    Some(values)
}

/// The values of one plan that the other does without. `helm upgrade` with values that it has already keeps them, and
/// somebody else may need what they switched on.
pub fn lost_values(from: &Plan, to: &Plan) -> Vec<String> {
    let [from, to] = [from, to].map(|plan| values(plan).unwrap_or_default());
    let keys = from.as_object().into_iter().flat_map(|values| values.keys());
    keys.filter(|key| to.get(key).is_none()).cloned().collect()
}

/// Whether the other plan has nothing of Cilium's values that the one does not have.
#[must_use]
pub fn only_loses_values(from: &Plan, to: &Plan) -> bool {
    let [was, is] = [from, to].map(|plan| values(plan).unwrap_or_default());
    let mut kept = is.as_object().into_iter().flatten();
    was != is && kept.all(|(key, value)| was.get(key) == Some(value))
}
