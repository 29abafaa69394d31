//! Helm values of a gateway: the chart's template over neutral facts, the user's own values laid on top.

use serde_json::{Map, Value, json};

use super::Fault;
use super::templates;
use crate::grammar::Family;
use crate::plan::{Gateway, Owner, Plan, PortPlan, Replicas, ServiceType, Slot, TrafficPolicy, protocol_word};

/// The values as they are written: what the template says, then `values` of the spec, as Helm merges.
pub fn values(plan: &Plan, gateway: &Gateway) -> Result<Value, Fault> {
    let name = format!("{}/values.yaml.j2", gateway.chart.profile.name);
    let fault = |reason: String| Fault { path: name.clone(), reason };
    let text = templates::render(&name, &gateway.chart.template, facts(plan, gateway))
        .map_err(|error| fault(error.to_string()))?;
    let mut values = super::yaml::read(&text).map_err(fault)?;
    merge(&mut values, &Value::Object(gateway.values.clone()));
    Ok(values)
}

/// Helm's merge of value files: maps merge, everything else replaces; `null` is kept, for it deletes a chart's default.
pub fn merge(below: &mut Value, above: &Value) {
    match (below, above) {
        (Value::Object(below), Value::Object(above)) => {
            for (key, value) in above {
                merge(below.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (below, above) => *below = above.clone(),
    }
}

/// What a chart's template reads; its names are the contract with chart folders that users write.
fn facts(plan: &Plan, gateway: &Gateway) -> Value {
    let needs = &gateway.needs;
    let chart_service = chart_service_type(gateway);
    let replicas = match gateway.replicas {
        Replicas::Fixed(count) => json!({"fixed": count, "min": null, "max": null, "cpuUtilization": null}),
        Replicas::Scaled { min, max, cpu_utilization } => {
            json!({"fixed": null, "min": min, "max": max, "cpuUtilization": cpu_utilization})
        }
    };
    let listener = |slot: Slot| {
        let found = gateway.ports.iter().find(|(_, port)| port.slot == slot);
        found.map_or(Value::Null, |(name, port)| listener(name.as_str(), port, gateway))
    };
    let streams: Vec<Value> = gateway
        .ports
        .iter()
        .filter(|(_, port)| port.slot == Slot::Stream)
        .map(|(name, port)| self::listener(name.as_str(), port, gateway))
        .collect();
    let policy = match needs.policy {
        Some(policy) if chart_service != ServiceType::ClusterIp => json!(policy_word(policy)),
        _ => Value::Null,
    };
    let says_families = gateway.service.says_families && gateway.service.owner == Owner::Chart;
    json!({
        "release": gateway.release,
        "namespace": gateway.namespace,
        "replicas": replicas,
        "hostNetwork": needs.host_network,
        "dnsPolicy": if needs.host_network { json!("ClusterFirstWithHostNet") } else { Value::Null },
        "updateStrategy": {
            "type": "RollingUpdate",
            "rollingUpdate": {
                "maxSurge": needs.rollout.max_surge,
                "maxUnavailable": needs.rollout.max_unavailable,
            },
        },
        "nodeSelector": node_selector(plan, gateway),
        "tolerations": tolerations(plan, gateway),
        "affinity": affinity(plan, gateway),
        "topologySpreadConstraints": spread(plan, gateway),
        "podDisruptionBudget": if gateway.replicas.min() > 1 { json!({"maxUnavailable": 1}) } else { Value::Null },
        "listeners": {
            "http": listener(Slot::Http),
            "https": listener(Slot::Https),
            "http3": listener(Slot::Http3),
            "streams": streams,
        },
        "service": {
            "type": chart_service.as_str(),
            "externalTrafficPolicy": policy,
            "annotations": if gateway.service.owner == Owner::Chart { json!(needs.annotations) } else { json!({}) },
            "ipFamilyPolicy": if says_families { json!(family_policy(&plan.cluster.families)) } else { Value::Null },
            "ipFamilies": if says_families { json!(families(&plan.cluster.families)) } else { json!([]) },
        },
        "security": {
            "runAsUser": gateway.security.run_as_user,
            "runAsGroup": gateway.security.run_as_group,
            "readOnlyRootFilesystem": gateway.security.read_only_root_filesystem,
        },
        "ipFamilies": families(&plan.cluster.families),
    })
}

/// The type of the chart's own Service: inside the cluster only where portgen writes the one clients use.
fn chart_service_type(gateway: &Gateway) -> ServiceType {
    match gateway.service.owner {
        Owner::Chart => gateway.needs.service_type,
        Owner::Portgen => ServiceType::ClusterIp,
    }
}

fn listener(name: &str, port: &PortPlan, gateway: &Gateway) -> Value {
    let node_port = port.node_port.filter(|_| chart_service_type(gateway) == ServiceType::NodePort);
    json!({
        "name": name,
        "port": port.port,
        "targetPort": port.target_port,
        "nodePort": node_port,
        "hostPort": gateway.needs.host_port.then_some(port.port),
        "hostIP": gateway.needs.host_ip,
        "protocol": protocol_word(port.protocol),
    })
}

/// Kubernetes' word.
pub fn policy_word(policy: TrafficPolicy) -> &'static str {
    match policy {
        TrafficPolicy::Cluster => "Cluster",
        TrafficPolicy::Local => "Local",
    }
}

/// Kubernetes' word for a Service with these families and no other.
pub fn family_policy(families: &[Family]) -> &'static str {
    if families.len() == 2 { "RequireDualStack" } else { "SingleStack" }
}

/// Kubernetes' words, the primary family first.
pub fn families(families: &[Family]) -> Vec<String> {
    families.iter().map(ToString::to_string).collect()
}

/// One pool is a node selector; several are an affinity, which alone can say "or".
fn node_selector(plan: &Plan, gateway: &Gateway) -> Value {
    match gateway.pools.as_slice() {
        [only] => json!(plan.pools[only].node_selector),
        _ => json!({}),
    }
}

fn affinity(plan: &Plan, gateway: &Gateway) -> Value {
    if gateway.pools.len() < 2 {
        return Value::Null;
    }
    let term = |name| {
        let selector = &plan.pools[name].node_selector;
        let expressions: Vec<Value> =
            selector.iter().map(|(key, value)| json!({"key": key, "operator": "In", "values": [value]})).collect();
        json!({"matchExpressions": expressions})
    };
    // An empty term matches no node, so a pool without labels would vanish: a rule asks for them.
    let terms: Vec<Value> =
        gateway.pools.iter().filter(|name| !plan.pools[*name].node_selector.is_empty()).map(term).collect();
    if terms.is_empty() {
        return Value::Null;
    }
    json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}})
}

fn tolerations(plan: &Plan, gateway: &Gateway) -> Value {
    let mut all = Vec::new();
    for toleration in gateway.pools.iter().flat_map(|pool| &plan.pools[pool].tolerations) {
        let value = serde_json::to_value(toleration).unwrap_or_default();
        if !all.contains(&value) {
            all.push(value);
        }
    }
    Value::Array(all)
}

/// One pod more on one node than on another at most. Pods that hold ports of their node are kept apart by them.
fn spread(plan: &Plan, gateway: &Gateway) -> Value {
    if gateway.needs.holds_node_ports() || gateway.replicas.max() < 2 {
        return json!([]);
    }
    let mut constraint = json!({
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": pod_labels(gateway)},
    });
    if plan.cluster.version.at_least(26) {
        // A cordoned or tainted node must not keep pods waiting for it.
        constraint["nodeTaintsPolicy"] = json!("Honor");
    }
    if plan.cluster.version.at_least(27) {
        // Only pods of the same version count, or a rollout packs the new ones onto few nodes.
        constraint["matchLabelKeys"] = json!(["pod-template-hash"]);
    }
    json!([constraint])
}

/// The labels that find a gateway's pods.
pub fn pod_labels(gateway: &Gateway) -> Map<String, Value> {
    let mut labels = Map::new();
    for (key, value) in &gateway.chart.profile.selector_labels {
        labels.insert(key.clone(), json!(value));
    }
    labels.insert("app.kubernetes.io/instance".to_owned(), json!(gateway.release));
    labels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_merge_as_helm_does() {
        let mut below = json!({"a": {"b": 1, "c": [1, 2]}, "d": 1});
        merge(&mut below, &json!({"a": {"c": [3]}, "d": null, "e": {"f": 1}}));
        assert_eq!(below, json!({"a": {"b": 1, "c": [3]}, "d": null, "e": {"f": 1}}));
    }
}
