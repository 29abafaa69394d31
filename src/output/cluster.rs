//! Settings of what turns Services into packets: Cilium's Helm values, kube-proxy's configuration.

use serde_json::{Value, json};

use crate::grammar::PortRange;
use crate::plan::{Announce, DataPlane, KubeProxyMode, Plan};

/// Cilium's values, where it runs: only what gateways depend on.
pub fn cilium(plan: &Plan) -> Option<Value> {
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
    Some(values)
}

/// kube-proxy's configuration, where a gateway depends on a setting of it: the fields to merge into one's own.
pub fn kube_proxy(plan: &Plan) -> Option<Value> {
    let mode = plan.cluster.data_plane.kube_proxy()?;
    let answers_arp = plan
        .gateways
        .values()
        .any(|gateway| gateway.strategy.announced().is_some_and(|(announced, _)| announced.how == Announce::L2));
    let proxies = plan.nodes.values().any(crate::plan::node::NodePlan::needs_proxy);
    let mut config = json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": mode.to_string(),
    });
    let plain = config.clone();
    if mode == KubeProxyMode::Ipvs && answers_arp {
        // Without it every node answers ARP for every Service address.
        config["ipvs"] = json!({"strictARP": true});
    }
    if mode == KubeProxyMode::Iptables && proxies {
        // The proxy connects to the node port on 127.0.0.1.
        config["iptables"] = json!({"localhostNodePorts": true});
    }
    (config != plain).then_some(config)
}
