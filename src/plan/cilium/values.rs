//! The Helm values of Cilium that gateways depend on.

use serde_json::{Value, json};

use super::OwnGateway;
use crate::grammar::PortRange;
use crate::plan::{Announce, CiliumGatewayApi, DataPlane, Plan, Strategy};

/// What a plan needs of Cilium, as the chart's values; `None` where Cilium does not run.
#[must_use]
pub fn needed(plan: &Plan) -> Option<Value> {
    let replaces = match plan.cluster.data_plane {
        DataPlane::KubeProxy(_) => return None,
        DataPlane::Cilium(_) => true,
        DataPlane::CiliumBeside(..) => false,
    };
    let mut values = json!({"kubeProxyReplacement": replaces});
    // Cilium writes with a comma what the API server writes with a dash.
    let range = plan.cluster.node_port_range;
    if replaces && range != PortRange::kubernetes_default() {
        values["nodePort"] = json!({"range": format!("{},{}", range.first, range.last)});
    }
    if !replaces && plan.gateways.values().any(|gateway| gateway.needs.host_port) {
        // Cilium itself maps ports of nodes only where it replaces kube-proxy.
        values["cni"] = json!({"chainingMode": "portmap"});
    }
    let announcing = |how: Announce| {
        let by_cilium = plan.ways().filter(move |gateway| match &gateway.strategy {
            Strategy::CiliumLoadBalancer { announced, .. } => announced.how == how,
            _ => false,
        });
        by_cilium.count()
    };
    let by_layer_2 = announcing(Announce::L2);
    if by_layer_2 > 0 {
        values["l2announcements"] = json!({"enabled": true});
        // Each announced Service renews a lease every five seconds, beside what the agent asks anyway.
        let rate = 10 + by_layer_2.div_ceil(5);
        values["k8sClientRateLimit"] = json!({"qps": rate, "burst": 2 * rate});
    }
    if announcing(Announce::Bgp) > 0 {
        values["bgpControlPlane"] = json!({"enabled": true});
    }
    if announcing(Announce::Node) > 0 {
        values["nodeIPAM"] = json!({"enabled": true});
    }
    if let Some(gateway) = &plan.cluster.own_gateway {
        own_gateway(plan, gateway, &mut values);
    }
    Some(values)
}

/// Cilium's own gateway in the nodes' network namespace.
fn own_gateway(plan: &Plan, gateway: &OwnGateway, values: &mut Value) {
    let mut host_network = json!({"enabled": true});
    if let Some(pool) = &gateway.pool {
        host_network["nodes"] = json!({"matchLabels": plan.pools[pool].node_selector});
    }
    match gateway.api {
        // The listeners of a Gateway have the ports.
        CiliumGatewayApi::GatewayApi => values["gatewayAPI"] = json!({"enabled": true, "hostNetwork": host_network}),
        CiliumGatewayApi::Ingress => {
            let two = plan.cluster.data_plane.cilium().is_some_and(|version| version.at_least(20));
            for (field, port) in gateway.ports() {
                // A rule has refused a second port before 1.20.
                let key = if two { format!("{field}Port") } else { "sharedListenerPort".to_owned() };
                host_network[key] = json!(port);
            }
            values["ingressController"] = json!({"enabled": true, "hostNetwork": host_network});
        }
    }
    if gateway.ports().any(|(_, port)| port.get() < 1024) {
        // A chart's list is replaced whole, so its own two capabilities stand here as well.
        values["envoy"] = json!({"enabled": true, "securityContext": {"capabilities": {
            "keepCapNetBindService": true,
            "envoy": ["NET_ADMIN", "SYS_ADMIN", "NET_BIND_SERVICE"],
        }}});
    }
}
