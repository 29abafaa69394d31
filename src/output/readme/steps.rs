//! What to run, and in which order: to apply a tree, to see that it works, to take it away.

use serde_json::{Value, json};

use super::super::places::{first_node, host as place};
use super::super::{cilium, kube_proxy, metallb, node};
use super::{NodeFiles, comma, places, step};
use crate::grammar::{DnsLabel, Family};
use crate::plan::node::{NodePlan, Way};
use crate::plan::{
    CiliumGatewayApi, CloudProvider, Distribution, Gateway, KubeProxyMode, OwnGateway, Owner, Plan, ServiceType, Slot,
    Strategy,
};

/// The commands that carry a pool's files to one node, take away what an earlier tree left there, and then run more.
fn on_node(plan: &Plan, pool: &DnsLabel, files: &NodeFiles<'_>, then: &[String]) -> Vec<String> {
    let (node, shell) = match plan.cluster.distribution {
        // Its nodes are containers of this machine.
        Some(Distribution::Kind {}) => (first_node(plan, pool), "docker exec -i \"$NODE\" sh -c '"),
        _ => ("node.example.net".to_owned(), "ssh root@\"$NODE\" '"),
    };
    let kept: Vec<&str> = files[pool].iter().filter_map(|(path, _)| path.strip_prefix("etc/")).collect();
    let mut lines = vec![
        format!("NODE={node}"),
        format!("(cd nodes/{pool} && find etc -type f | tar -cf - -T -) | {shell}"),
        "  set -e".to_owned(),
        "  tar -C / --no-same-owner -xf -".to_owned(),
        "  cd /etc".to_owned(),
        "  # What an earlier tree left here goes, with what it loaded.".to_owned(),
        "  for file in portgen/* systemd/system/portgen* sysctl.d/90-portgen.conf; do".to_owned(),
        format!("    case \" {} \" in *\" $file \"*) continue ;; esac", kept.join(" ")),
        "    test -e \"$file\" || continue".to_owned(),
        format!("    systemctl stop {} || true", node::UNIT),
        "    case $file in".to_owned(),
        "      systemd/*) systemctl disable --now \"${file##*/}\" || true ;;".to_owned(),
        "      sysctl.d/*) sysctl -q -w net.ipv4.ip_unprivileged_port_start=1024 ;;".to_owned(),
        "    esac".to_owned(),
        "    rm -f \"$file\"".to_owned(),
        "  done".to_owned(),
    ];
    lines.extend(then.iter().map(|line| format!("  {line}")));
    lines.push("'".to_owned());
    lines
}

/// The units an operator enables on a node.
fn units(node: &NodePlan) -> Vec<String> {
    let mut units = Vec::new();
    if node.needs_nft() || node.needs_iptables() {
        units.push(node::UNIT.to_owned());
    }
    for door in node.doors.iter().filter(|door| matches!(door.way, Way::Proxy { .. })) {
        let name = node::proxy_name(door);
        units.extend(node::sockets(node, door).into_iter().map(|(suffix, _)| format!("{name}{suffix}.socket")));
    }
    units
}

pub fn apply(plan: &Plan, files: &NodeFiles<'_>) -> Vec<Value> {
    let mut steps = places::steps(plan);
    steps
        .push(step("The namespaces and what stands in them:", ["kubectl apply --server-side -k manifests".to_owned()]));
    if plan.cluster.data_plane.cilium().is_some() {
        steps.push(step(
            "What gateways need of Cilium, beside your own values; nothing to do if it has these values already. The installed version stays:",
            [
                "CILIUM=$(helm -n kube-system list --filter '^cilium$' -o json | sed -n 's/.*\"chart\":\"cilium-\\([^\"]*\\)\".*/\\1/p')".to_owned(),
                "helm upgrade cilium cilium --repo https://helm.cilium.io --version \"${CILIUM:?not found}\" -n kube-system --reuse-values -f cilium/values.yaml".to_owned(),
                "kubectl -n kube-system rollout restart deployment/cilium-operator daemonset/cilium".to_owned(),
                "kubectl -n kube-system rollout status daemonset/cilium --timeout=300s".to_owned(),
            ],
        ));
    }
    if let Some(gateway) = &plan.cluster.own_gateway {
        steps.push(own_gateway(gateway));
    }
    if kube_proxy::config(plan).is_some() {
        let mut step = step(
            "What gateways need of kube-proxy: merge the fields of `kube-proxy/config.yaml` into `config.conf` of its ConfigMap, then restart it:",
            [
                "kubectl -n kube-system edit configmap kube-proxy".to_owned(),
                "kubectl -n kube-system rollout restart daemonset kube-proxy".to_owned(),
            ],
        );
        step["notes"] = json!([
            "Distributions that run kube-proxy by themselves (k3s, RKE2) take these settings from their own configuration."
        ]);
        steps.push(step);
    }
    if !metallb::objects(plan).is_empty() {
        let mut step = step(
            format!("MetalLB's pools and announcements, written for MetalLB {}:", plan.cluster.metal_lb),
            ["kubectl apply --server-side -k metallb".to_owned()],
        );
        step["notes"] = json!(metallb_notes(plan));
        steps.push(step);
    }
    if !cilium::objects(plan).is_empty() {
        steps.push(step(
            "Cilium's pools and announcements; its operator has brought their definitions:",
            ["kubectl apply --server-side -k cilium/objects".to_owned()],
        ));
    }
    if kube_proxy::kubeadm(plan).is_some() {
        let range = plan.cluster.node_port_range;
        let mut step = step(
            "The API server's range of node ports, where it does not have it yet:",
            [format!(
                "kubectl -n kube-system get pods -l component=kube-apiserver -o yaml | grep -- '--service-node-port-range={range}'"
            )],
        );
        step["notes"] = json!([format!(
            "Printed nothing: start the API server with `--service-node-port-range={range}`. With kubeadm, merge `kube-apiserver/kubeadm.yaml` into its ClusterConfiguration and run `kubeadm init phase control-plane apiserver --config` on each control-plane node; with k3s it is `--kube-apiserver-arg`, and at a cloud provider often nothing at all."
        )]);
        steps.push(step);
    }
    // First, so that no port is open before its guard is there; until a pod answers, the public port is refused.
    steps.extend(plan.nodes.iter().map(|(pool, node)| node_step(plan, pool, node, files)));
    for gateway in plan.gateways.values().filter(|gateway| !gateway.needs.status_ips.is_empty()) {
        let mut step = step(
            format!(
                "The addresses of gateway {}, in its Service's status, which `kubectl apply` does not write:",
                gateway.name
            ),
            [format!(
                "kubectl -n {} patch service {} --subresource=status --type=merge --patch-file status/{}.yaml",
                gateway.namespace, gateway.service.name, gateway.service.name
            )],
        );
        step["notes"] = json!([
            "Once more after the Service was deleted and made anew; whoever runs it needs the right to patch `services/status`."
        ]);
        steps.push(step);
    }
    for gateway in plan.gateways.values() {
        let profile = &gateway.chart.profile;
        steps.push(step(
            format!("Gateway {}:", gateway.name),
            [format!(
                "helm upgrade --install {} {} --repo {} --version {} -n {} -f helm/{}.values.yaml",
                gateway.release,
                profile.chart.name,
                profile.chart.repository,
                gateway.chart_version,
                gateway.namespace,
                gateway.name
            )],
        ));
    }
    steps
}

/// What MetalLB's BGP needs of its own installation.
fn metallb_notes(plan: &Plan) -> Vec<String> {
    let mut sessions = plan.gateways.values().filter_map(|gateway| match &gateway.strategy {
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
    let ports = comma(gateway.ports().map(|(_, port)| port));
    let (look, note) = match gateway.api {
        CiliumGatewayApi::GatewayApi => (
            "kubectl get gatewayclass cilium",
            format!(
                "The definitions of the Gateway API have to be there before Cilium's operator starts. Give your Gateways `gatewayClassName: cilium` and listeners at the ports {ports}: Envoy listens on the nodes at the ports of the listeners."
            ),
        ),
        CiliumGatewayApi::Ingress => (
            "kubectl get ingressclass cilium",
            format!(
                "Give your Ingresses `ingressClassName: cilium`: Envoy listens on the nodes at the ports {ports} of the shared ingress."
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

/// The gateways that a node's files are for: elsewhere they shut node ports.
fn whose(node: &NodePlan) -> &'static str {
    if node.has_gateways() { "its gateways" } else { "the gateways of other pools" }
}

fn node_step(plan: &Plan, pool: &DnsLabel, node: &NodePlan, files: &NodeFiles<'_>) -> Value {
    let mut commands = vec!["systemctl daemon-reload".to_owned()];
    if node.unprivileged_port_start.is_some() {
        commands.push("sysctl -q -p /etc/sysctl.d/90-portgen.conf".to_owned());
    }
    if node.needs_nft() || node.needs_iptables() {
        commands.push(format!("systemctl enable --now {}", node::UNIT));
        commands.push(format!("systemctl reload {}", node::UNIT));
    }
    for door in node.doors.iter().filter(|door| matches!(door.way, Way::Proxy { .. })) {
        let name = node::proxy_name(door);
        let sockets: Vec<String> =
            node::sockets(node, door).into_iter().map(|(suffix, _)| format!("{name}{suffix}.socket")).collect();
        let sockets = sockets.join(" ");
        commands.push(format!("systemctl enable -q {sockets}"));
        commands.push(format!("systemctl stop {name}.service"));
        commands.push(format!("systemctl restart {sockets}"));
    }
    let mut step =
        step(format!("Each node of pool {pool}, before {}:", whose(node)), on_node(plan, pool, files, &commands));
    step["notes"] = json!(node_notes(plan, pool, node));
    step
}

fn node_notes(plan: &Plan, pool: &DnsLabel, node: &NodePlan) -> Vec<String> {
    let os = plan.pools[pool].os;
    let mut packages = Vec::new();
    if node.needs_nft() {
        packages.push("nftables");
    }
    if node.needs_iptables() {
        packages.push(os.iptables_package());
    }
    let mut notes = Vec::new();
    if let Some(command) = os.install_command()
        && !packages.is_empty()
    {
        notes.push(format!("The node needs `{command} {}` if it does not have them.", packages.join(" ")));
    }
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

pub fn verify(plan: &Plan) -> Vec<Value> {
    let mut steps = Vec::new();
    for gateway in plan.gateways.values() {
        let mut commands = vec![format!(
            "kubectl -n {} rollout status deployment/{} --timeout=120s",
            gateway.namespace,
            gateway.chart.profile.workload(gateway.release.as_str())
        )];
        if gateway.needs.service_type != ServiceType::ClusterIp || !gateway.needs.external_ips.is_empty() {
            commands.push(format!("kubectl -n {} get service {} -o wide", gateway.namespace, gateway.service.name));
        }
        steps.push(step(format!("Gateway {} is up:", gateway.name), commands));
    }
    for gateway in plan.gateways.values() {
        let mut commands = Vec::new();
        let host = host(plan, gateway, &mut commands);
        let requests = gateway.ports.values().filter(|port| port.slot != Slot::Stream).map(|port| {
            let (how, scheme) = match port.slot {
                Slot::Https => ("-sk --max-time 5", "https"),
                Slot::Http3 => ("-sk --max-time 5 --http3-only", "https"),
                _ => ("-s --max-time 5", "http"),
            };
            let public = gateway.public_port(port);
            format!("curl {how} -o /dev/null -w '%{{http_code}}\\n' {scheme}://{host}:{public}/")
        });
        commands.extend(requests);
        if commands.iter().any(|command| command.starts_with("curl")) {
            steps.push(step(
                format!("Clients reach {}: a status code is an answer; `000` is none (refused at once: nothing listens; after five seconds: dropped on the way):", gateway.name),
                commands,
            ));
        }
    }
    for (pool, node) in &plan.nodes {
        let mut commands = Vec::new();
        if node.needs_nft() || node.needs_iptables() {
            commands.push(format!("systemctl is-active {}", node::UNIT));
        }
        if node.needs_nft() {
            commands.push(format!("nft list table {}", node::nft::TABLE));
        }
        if node.needs_iptables() {
            for family in &node.families {
                let program = match family {
                    Family::IPv4 => "iptables",
                    Family::IPv6 => "ip6tables",
                };
                commands.push(format!("{program} -w -t {} -vnL {}", node::iptables::TABLE, node::iptables::CHAIN));
            }
        }
        if node.unprivileged_port_start.is_some() {
            commands.push("sysctl net.ipv4.ip_unprivileged_port_start".to_owned());
        }
        steps.push(step(format!("On a node of pool {pool}; counters show which rule a packet met:"), commands));
    }
    steps
}

/// What a client writes for the host, after commands that find it out.
fn host(plan: &Plan, gateway: &Gateway, commands: &mut Vec<String>) -> String {
    let fixed = match &gateway.strategy {
        Strategy::ExternalIps { addresses, .. } => addresses.first(),
        strategy => strategy.announced().and_then(|(announced, _)| announced.load_balancer_ips.first()),
    };
    if let Some(address) = fixed {
        return url_host(&address.to_string());
    }
    if gateway.needs.service_type != ServiceType::LoadBalancer {
        return match plan.cluster.distribution {
            Some(Distribution::Kind {}) => url_host(place(plan)),
            _ => "node.example.net".to_owned(),
        };
    }
    let field = match gateway.strategy {
        // A load balancer there has a name, whose addresses change.
        Strategy::CloudLoadBalancer { provider: CloudProvider::Aws, .. } => "hostname",
        _ => "ip",
    };
    commands.push(format!(
        "HOST=$(kubectl -n {} get service {} -o jsonpath='{{.status.loadBalancer.ingress[0].{field}}}')",
        gateway.namespace, gateway.service.name
    ));
    match plan.cluster.families[0] {
        Family::IPv6 if field == "ip" => "[$HOST]".to_owned(),
        Family::IPv4 | Family::IPv6 => "$HOST".to_owned(),
    }
}

fn url_host(address: &str) -> String {
    if address.contains(':') { format!("[{address}]") } else { address.to_owned() }
}

pub fn remove(plan: &Plan) -> Vec<Value> {
    let mut steps = Vec::new();
    for gateway in plan.gateways.values() {
        let mut commands = vec![format!("helm uninstall {} -n {}", gateway.release, gateway.namespace)];
        if gateway.service.owner == Owner::Portgen {
            commands.push(format!("kubectl delete -f manifests/service-{}.yaml", gateway.service.name));
        }
        if metallb::writes_objects(gateway) {
            commands.push(format!("kubectl delete -f metallb/{}.yaml", gateway.name));
        }
        if cilium::has_objects(gateway) {
            commands.push(format!("kubectl delete -f cilium/objects/{}", cilium::gateway_file(gateway)));
        }
        steps.push(step(format!("Gateway {}:", gateway.name), commands));
    }
    let shared = cilium::shared_files(plan);
    if !shared.is_empty() {
        steps.push(step(
            "What gateways shared of Cilium's objects, after them:",
            shared.iter().map(|file| format!("kubectl delete -f cilium/objects/{file}")),
        ));
    }
    for (pool, node) in &plan.nodes {
        let units = units(node);
        let mut commands = Vec::new();
        if !units.is_empty() {
            commands.push(format!("systemctl disable --now {}", units.join(" ")));
        }
        commands.push(
            "rm -rf /etc/portgen /etc/sysctl.d/90-portgen.conf /etc/systemd/system/portgen.service /etc/systemd/system/portgen-*.socket /etc/systemd/system/portgen-*.service"
                .to_owned(),
        );
        commands.push("systemctl daemon-reload".to_owned());
        if node.unprivileged_port_start.is_some() {
            commands.push("sysctl -w net.ipv4.ip_unprivileged_port_start=1024".to_owned());
        }
        steps.push(step(
            format!("What lies on a node of pool {pool}, after {}; stopping a unit removes what it loaded and nothing else:", whose(node)),
            commands,
        ));
    }
    steps
}
