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
