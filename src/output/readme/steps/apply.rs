//! How a tree is applied.

use serde_json::{Value, json};

use super::super::{NodeFiles, places, step};
use super::{commands, on_node, passwords, whose};
use crate::grammar::DnsLabel;
use crate::output::{cilium, kube_proxy, manifests, metallb, node};
use crate::plan::node::NodePlan;
use crate::plan::{CiliumGatewayApi, Distribution, KubeProxyMode, OwnGateway, Plan, Strategy};

pub fn apply(plan: &Plan, files: &NodeFiles<'_>) -> Vec<Value> {
    let mut steps = places::steps(plan);
    steps
        .push(step("The namespaces and what stands in them:", ["kubectl apply --server-side -k manifests".to_owned()]));
    if plan.cluster.data_plane.cilium().is_some() {
        steps.push(step(
            "What gateways need of Cilium, beside your own values; nothing to do if it has these values already. The installed version stays:",
            commands::cilium_upgrade(),
        ));
    }
    if let Some(gateway) = &plan.cluster.own_gateway {
        steps.push(own_gateway(gateway));
    }
    if kube_proxy::config(plan).is_some() {
        let mut step = step(
            "What gateways need of kube-proxy: merge the fields of `kube-proxy/config.yaml` into `config.conf` of its ConfigMap, then restart it:",
            commands::kube_proxy_restart(),
        );
        step["notes"] = json!([
            "Distributions that run kube-proxy by themselves (k3s, RKE2) take these settings from their own configuration."
        ]);
        steps.push(step);
    }
    if !metallb::objects(plan).is_empty() {
        // kind has it from its first step.
        if !matches!(plan.cluster.distribution, Some(Distribution::Kind {})) {
            steps.push(step(
                "MetalLB, where none is installed yet; the types of its objects come with it:",
                [places::metallb_install(plan)],
            ));
        }
        steps.extend(bgp_passwords(plan, "MetalLB"));
        let mut step = step(
            format!("MetalLB's pools and announcements, written for MetalLB {}:", plan.cluster.metal_lb),
            ["kubectl apply --server-side -k metallb".to_owned()],
        );
        step["notes"] = json!(metallb_notes(plan));
        steps.push(step);
    }
    if !cilium::objects(plan).is_empty() {
        steps.extend(bgp_passwords(plan, "Cilium"));
        steps.push(step(
            "Cilium's pools and announcements; its operator has brought their definitions:",
            ["kubectl apply --server-side -k cilium/objects".to_owned()],
        ));
    }
    if kube_proxy::kubeadm(plan).is_some() {
        steps.extend(node_port_range(plan));
    }
    // First, so that no port is open before its guard is there; until a pod answers, the public port is refused.
    steps.extend(plan.nodes.iter().map(|(pool, node)| node_step(plan, pool, node, files)));
    for gateway in manifests::with_status(plan) {
        let mut step = step(
            format!(
                "The addresses of gateway {}, in its Service's status, which `kubectl apply` does not write:",
                gateway.name
            ),
            [commands::status_patch(gateway)],
        );
        step["notes"] = json!([
            "Once more after the Service was deleted and made anew; whoever runs it needs the right to patch `services/status`."
        ]);
        steps.push(step);
    }
    for gateway in plan.gateways.values() {
        steps.push(step(format!("Gateway {}:", gateway.name), [commands::helm_upgrade(gateway)]));
    }
    steps
}

/// The Secrets with the passwords of BGP sessions: a spec names them, and nobody but the operator has what is in them.
fn bgp_passwords(plan: &Plan, announcer: &str) -> Vec<Value> {
    let password = |secret: &DnsLabel| {
        let mut step = step(
            format!(
                "The password of the BGP sessions that name `{secret}`, where that Secret is not there yet; type it and press Enter, nothing shows it:"
            ),
            [passwords::created(plan, announcer, secret)],
        );
        let elsewhere = announcer == "Cilium" && passwords::namespace(plan, announcer) == passwords::CILIUM;
        step["notes"] = json!(elsewhere.then_some(
            "Cilium looks in another namespace where its value `bgpControlPlane.secretsNamespace.name` names one."
        ).into_iter().collect::<Vec<_>>());
        step
    };
    passwords::secrets(plan, announcer).into_iter().map(password).collect()
}

/// The API server's range of node ports, and how a cluster of kubeadm gets another one for good.
fn node_port_range(plan: &Plan) -> [Value; 2] {
    let range = plan.cluster.node_port_range;
    let mut seen = step(
        "The API server's range of node ports, where it does not have it yet:",
        [commands::api_server_range(plan)],
    );
    seen["notes"] = json!([format!(
        "Printed nothing: start the API server with `--service-node-port-range={range}`. With kubeadm the next step does it; elsewhere it is a setting of whoever starts the API server, and at a cloud provider often none at all."
    )]);
    let mut kubeadm = step(
        "With kubeadm, where nothing was printed: merge the fields of `kube-apiserver/kubeadm.yaml` into its own configuration, and have each control-plane node, one after the other, start its API server with it. The last command once:",
        [
            "kubectl -n kube-system get configmap kubeadm-config -o jsonpath='{.data.ClusterConfiguration}' > ~/kubeadm-config.yaml".to_owned(),
            "\"${EDITOR:-vi}\" ~/kubeadm-config.yaml".to_owned(),
            "NODE=control-plane.example.net".to_owned(),
            "ssh root@\"$NODE\" 'cat > /etc/kubernetes/kubeadm-config.yaml' < ~/kubeadm-config.yaml".to_owned(),
            "ssh root@\"$NODE\" kubeadm init phase control-plane apiserver --config /etc/kubernetes/kubeadm-config.yaml".to_owned(),
            "ssh root@\"$NODE\" kubeadm init phase upload-config kubeadm --config /etc/kubernetes/kubeadm-config.yaml".to_owned(),
        ],
    );
    kubeadm["notes"] = json!([
        "Without the last command the next `kubeadm upgrade` reads the old range back. A control plane that advertises another address than that of its default route needs an `InitConfiguration` with its `localAPIEndpoint` in the same file."
    ]);
    [seen, kubeadm]
}

/// What MetalLB's BGP needs of its own installation.
fn metallb_notes(plan: &Plan) -> Vec<String> {
    let mut sessions = plan.ways().filter_map(|gateway| match &gateway.strategy {
        Strategy::MetalLb { announced, .. } => announced.bgp.as_ref(),
        _ => None,
    });
    let version = plan.cluster.metal_lb;
    if sessions.clone().next().is_none() {
        return Vec::new();
    }
    let mut notes = Vec::new();
    if !version.at_least(16, 0) {
        notes.push(format!(
            "MetalLB {version} speaks BGP natively or through FRR, as it was installed; BFD, IPv6 and large communities need FRR."
        ));
    }
    if sessions.any(|bgp| bgp.bfd.is_some()) {
        notes.push(
            "BFD uses UDP 3784 and 3785, over several hops 4784: let them through between the nodes and their routers."
                .to_owned(),
        );
    }
    notes
}

/// Cilium's own gateway listens once somebody gives it routes.
fn own_gateway(gateway: &OwnGateway) -> Value {
    let ports: Vec<String> = gateway.ports().map(|(_, port)| port.to_string()).collect();
    let ports = format!("{} {}", if ports.len() == 1 { "port" } else { "ports" }, ports.join(" and "));
    let (look, note) = match gateway.api {
        CiliumGatewayApi::GatewayApi => (
            "kubectl get gatewayclass cilium",
            format!(
                "The definitions of the Gateway API have to be there before Cilium's operator starts. Give your Gateways `gatewayClassName: cilium` and listeners at {ports}: Envoy listens on the nodes at the ports of the listeners."
            ),
        ),
        CiliumGatewayApi::Ingress => (
            "kubectl get ingressclass cilium",
            format!(
                "Give your Ingresses `ingressClassName: cilium`: Envoy listens on the nodes at {ports}, which the shared ingress serves."
            ),
        ),
    };
    let mut step = step(
        "Cilium's own gateway; its class is there once the operator runs with the values above:",
        [look.to_owned()],
    );
    step["notes"] = json!([note]);
    step
}

fn node_step(plan: &Plan, pool: &DnsLabel, node: &NodePlan, files: &NodeFiles<'_>) -> Value {
    let mut step = step(
        format!("Each node of pool {pool}, before {}:", whose(node)),
        on_node::on_each_node(plan, pool, node, files),
    );
    step["notes"] = json!(node_notes(plan, pool, node));
    step
}

fn node_notes(plan: &Plan, pool: &DnsLabel, node: &NodePlan) -> Vec<String> {
    let mut notes: Vec<String> = on_node::packages(plan, pool, node).into_iter().collect();
    if node.needs_nft() || node.needs_iptables() {
        notes.push(format!("A reload is without a gap: only connections of a port that changed or went break. Taking away what an earlier tree left stops the rules for a moment. Whatever runs `nft flush ruleset` removes these rules too; `systemctl reload {}` brings them back.", node::UNIT));
    }
    if node.needs_iptables() {
        notes.push(
            "A reload starts the count of open connections anew; connections that are open stay open.".to_owned(),
        );
    }
    if node.needs_proxy() {
        notes.push("Connections through the proxy break when its sockets are restarted.".to_owned());
    }
    if plan.cluster.data_plane.kube_proxy() == Some(KubeProxyMode::Nftables) && node.needs_nft() {
        notes.push("kube-proxy has a table of its own; neither touches the other's.".to_owned());
    }
    notes
}
