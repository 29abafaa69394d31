//! Manifests that no chart writes: namespaces with their Pod Security labels, and Services a chart cannot say.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::helm::{families, family_policy, pod_labels, policy_word};
use crate::plan::{Gateway, Owner, Plan, PodSecurity, ServiceType, SessionAffinity, protocol_word};

/// The manifests by file name, and the kustomization that lists them.
pub fn manifests(plan: &Plan) -> Vec<(String, Value)> {
    let mut manifests = Vec::new();
    let mut levels: BTreeMap<&str, PodSecurity> = BTreeMap::new();
    for gateway in plan.gateways.values() {
        let level = levels.entry(gateway.namespace.as_str()).or_insert(PodSecurity::Restricted);
        // The weakest of its gateways decides what a namespace can enforce.
        *level = (*level).min(gateway.needs.pod_security);
    }
    for (name, level) in levels {
        manifests.push((format!("namespace-{name}.yaml"), namespace(plan, name, level)));
    }
    for gateway in services(plan) {
        manifests.push((format!("service-{}.yaml", gateway.service.name), service(plan, gateway)));
    }
    let resources: Vec<&str> = manifests.iter().map(|(name, _)| name.as_str()).collect();
    let kustomization = json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": resources,
    });
    manifests.push(("kustomization.yaml".to_owned(), kustomization));
    manifests
}

/// The Services that portgen writes, each told by the first that has it: two ways in may be one Service, which their
/// gateway tells.
pub fn services(plan: &Plan) -> Vec<&Gateway> {
    let mut services: Vec<&Gateway> = Vec::new();
    for gateway in plan.gateways.values().chain(&plan.beside) {
        let known = services.iter().any(|known| known.service.name == gateway.service.name);
        if gateway.service.owner == Owner::Portgen && !known {
            services.push(gateway);
        }
    }
    services
}

/// Those whose status has addresses that somebody has to write: no `kubectl apply` writes a status.
pub fn with_status(plan: &Plan) -> impl Iterator<Item = &Gateway> {
    services(plan).into_iter().filter(|gateway| !gateway.needs.status_ips.is_empty())
}

/// The patch of a Service's status subresource that names its addresses.
pub fn status(gateway: &Gateway) -> Value {
    let ingress: Vec<Value> = gateway.needs.status_ips.iter().map(|address| json!({"ip": address})).collect();
    json!({"status": {"loadBalancer": {"ingress": ingress}}})
}

/// Enforces what the strategy allows; audits and warns at `restricted` either way, so that nothing else slips in unseen.
fn namespace(plan: &Plan, name: &str, enforce: PodSecurity) -> Value {
    let version = format!("v{}", plan.cluster.version);
    let mut labels = serde_json::Map::new();
    for (mode, level) in [("enforce", enforce), ("audit", PodSecurity::Restricted), ("warn", PodSecurity::Restricted)] {
        labels.insert(format!("pod-security.kubernetes.io/{mode}"), json!(level.as_str()));
        labels.insert(format!("pod-security.kubernetes.io/{mode}-version"), json!(version));
    }
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
}

/// The Service clients use, where the chart's own cannot carry both families or UDP.
fn service(plan: &Plan, gateway: &Gateway) -> Value {
    let needs = &gateway.needs;
    let ports: Vec<Value> = gateway
        .ports
        .iter()
        .map(|(name, port)| {
            let mut value = json!({
                "name": name,
                "port": port.port,
                "targetPort": port.target_port,
                "protocol": protocol_word(port.protocol),
            });
            if let (Some(node_port), ServiceType::NodePort) = (port.node_port, needs.service_type) {
                value["nodePort"] = json!(node_port);
            }
            value
        })
        .collect();
    let mut spec = json!({"type": needs.service_type.as_str()});
    if let Some(class) = needs.load_balancer_class {
        spec["loadBalancerClass"] = json!(class);
    }
    if needs.no_node_ports {
        spec["allocateLoadBalancerNodePorts"] = json!(false);
    }
    if !needs.source_ranges.is_empty() {
        spec["loadBalancerSourceRanges"] = json!(needs.source_ranges);
    }
    if needs.affinity == SessionAffinity::ClientIP {
        spec["sessionAffinity"] = json!("ClientIP");
    }
    if !needs.external_ips.is_empty() {
        spec["externalIPs"] = json!(needs.external_ips);
    }
    // The API server takes a policy only where clients come from outside.
    let outside = needs.service_type != ServiceType::ClusterIp || !needs.external_ips.is_empty();
    if let (Some(policy), true) = (needs.policy, outside) {
        spec["externalTrafficPolicy"] = json!(policy_word(policy));
    }
    // The cluster's first family need not be the one that clients use.
    if gateway.service.says_families {
        spec["ipFamilyPolicy"] = json!(family_policy(&plan.cluster.families));
        spec["ipFamilies"] = json!(families(&plan.cluster.families));
    }
    spec["selector"] = Value::Object(pod_labels(gateway));
    spec["ports"] = Value::Array(ports);
    let mut metadata = json!({
        "name": gateway.service.name,
        "namespace": gateway.namespace,
        "labels": {"app.kubernetes.io/managed-by": "portgen", "app.kubernetes.io/instance": gateway.release},
    });
    if !needs.annotations.is_empty() {
        metadata["annotations"] = json!(needs.annotations);
    }
    json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})
}
