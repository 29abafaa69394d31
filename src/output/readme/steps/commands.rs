//! The commands themselves: those of a README, and of whoever leads from one tree to another.

use crate::plan::{Gateway, Plan};

/// The commands that give Cilium the values of the tree.
pub fn cilium_upgrade() -> [String; 4] {
    [
        "CILIUM=$(helm -n kube-system list --filter '^cilium$' -o json | sed -n 's/.*\"chart\":\"cilium-\\([^\"]*\\)\".*/\\1/p')".to_owned(),
        "helm upgrade cilium cilium --repo https://helm.cilium.io --version \"${CILIUM:?not found}\" -n kube-system --reuse-values -f cilium/values.yaml".to_owned(),
        "kubectl -n kube-system rollout restart deployment/cilium-operator daemonset/cilium".to_owned(),
        "kubectl -n kube-system rollout status daemonset/cilium --timeout=300s".to_owned(),
    ]
}

/// The commands that give kube-proxy a setting of the tree.
pub fn kube_proxy_restart() -> [String; 2] {
    [
        "kubectl -n kube-system edit configmap kube-proxy".to_owned(),
        "kubectl -n kube-system rollout restart daemonset kube-proxy".to_owned(),
    ]
}

/// The command that shows whether the API server has the range of node ports.
pub fn api_server_range(plan: &Plan) -> String {
    let range = plan.cluster.node_port_range;
    format!(
        "kubectl -n kube-system get pods -l component=kube-apiserver -o yaml | grep -- '--service-node-port-range={range}'"
    )
}

/// The command that writes a Service's addresses into its status.
pub fn status_patch(gateway: &Gateway) -> String {
    format!(
        "kubectl -n {} patch service {} --subresource=status --type=merge --patch-file status/{}.yaml",
        gateway.namespace, gateway.service.name, gateway.service.name
    )
}

/// The command that takes them out.
pub fn status_cleared(gateway: &Gateway) -> String {
    format!(
        "kubectl -n {} patch service {} --subresource=status --type=merge -p '{{\"status\":{{\"loadBalancer\":{{\"ingress\":null}}}}}}'",
        gateway.namespace, gateway.service.name
    )
}

/// The command that installs a gateway, or changes what runs.
pub fn helm_upgrade(gateway: &Gateway) -> String {
    let chart = &gateway.chart.profile.chart;
    format!(
        "helm upgrade --install {} {} --repo {} --version {} -n {} -f helm/{}.values.yaml",
        gateway.release, chart.name, chart.repository, gateway.chart_version, gateway.namespace, gateway.name
    )
}

/// The command that waits until the pods of a gateway are what its values say.
pub fn rollout(gateway: &Gateway) -> String {
    format!(
        "kubectl -n {} rollout status deployment/{} --timeout=120s",
        gateway.namespace,
        gateway.chart.profile.workload(gateway.release.as_str())
    )
}
