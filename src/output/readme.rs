//! The README of a tree: what is exposed and how, told to whoever has to apply and operate it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Fault, metallb, node, templates};
use crate::chart::When;
use crate::finding::{Finding, Place};
use crate::grammar::{DnsLabel, Family};
use crate::plan::node::{NodePlan, Way};
use crate::plan::{
    Bind, DataPlane, DirectNodePort, Gateway, KubeProxyMode, Mechanism, MetalLbMode, Owner, Plan, Replicas,
    ServiceType, Slot, Strategy, TrafficPolicy, protocol_word,
};
use crate::report::{cell, plain_cell};

/// The files of each pool's nodes.
type NodeFiles<'a> = BTreeMap<&'a DnsLabel, Vec<node::NodeFile>>;

const TEMPLATE: &str = include_str!("../../templates/README.md.j2");

/// The text of the README.
pub fn text(plan: &Plan, findings: &[Finding], files: &NodeFiles<'_>) -> Result<String, Fault> {
    let context = json!({
        "name": plan.name,
        "version": env!("CARGO_PKG_VERSION"),
        "kubernetes": plan.cluster.version,
        "dataPlane": plan.cluster.data_plane.to_string(),
        "families": plan.cluster.families.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and "),
        "gateways": plan.gateways.values().map(|gateway| gateway_context(plan, gateway)).collect::<Vec<_>>(),
        "ports": plan.gateways.values().flat_map(ports).collect::<Vec<_>>(),
        "findings": findings.iter().map(finding_line).collect::<Vec<_>>(),
        "apply": apply(plan, files),
        "verify": verify(plan),
        "remove": remove(plan),
    });
    templates::render("README.md.j2", TEMPLATE, context)
        .map_err(|error| Fault { path: "README.md".to_owned(), reason: error.to_string() })
}

fn step(title: impl Into<String>, commands: impl IntoIterator<Item = String>) -> Value {
    json!({"title": title.into(), "commands": commands.into_iter().collect::<Vec<_>>(), "notes": []})
}

fn finding_line(finding: &Finding) -> String {
    let place = match &finding.place {
        Place::Value(route) | Place::Key(route) => format!(" at `{route}`"),
        Place::Bytes(_) => String::new(),
    };
    let weight = if finding.accepted.is_some() { "accepted" } else { finding.severity().as_str() };
    let rest = match &finding.accepted {
        Some(reason) => format!("accepted because: {}", plain_cell(reason)),
        None => cell(&finding.help),
    };
    format!("{weight} `{}`{place}: {}; {rest}", finding.rule.name, cell(&finding.message))
}

fn comma<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}

/// The public ports of a gateway: `TCP 80, TCP 443, UDP 443`.
fn public_ports(gateway: &Gateway) -> String {
    let mut ports: Vec<_> = gateway.ports.values().map(|port| (port.protocol, port.port)).collect();
    ports.sort_unstable();
    comma(ports.into_iter().map(|(protocol, port)| format!("{} {port}", protocol_word(protocol))))
}

fn gateway_context(plan: &Plan, gateway: &Gateway) -> Value {
    let place = match &gateway.strategy {
        Strategy::MetalLb { load_balancer_ips, addresses, .. } => {
            if load_balancer_ips.is_empty() {
                format!("an address of {}", comma(addresses))
            } else {
                comma(load_balancer_ips)
            }
        }
        _ => pools_and_interfaces(plan, gateway),
    };
    let who = if gateway.allow_from().is_empty() { "everyone".to_owned() } else { comma(gateway.allow_from()) };
    let who = match gateway.limits() {
        Some(limits) => {
            let mut parts = vec![who];
            parts.extend(limits.connections.map(|most| format!("{most} connections per source and port")));
            parts.extend(
                limits
                    .rate
                    .map(|rate| format!("{rate} new per second, source and port after a burst of {}", limits.burst)),
            );
            parts.join("; ")
        }
        None => who,
    };
    json!({
        "name": gateway.name,
        "chart": chart_label(gateway),
        "strategy": gateway.strategy.name(),
        "where": format!("{}, {place}", public_ports(gateway)),
        "who": who,
        "source": source_address(gateway),
        "picture": picture(plan, gateway),
        "story": story(plan, gateway),
    })
}

/// `Kong 3.9, chart 3.4.1`; which Kong another chart version brings, the profile does not know.
fn chart_label(gateway: &Gateway) -> String {
    let profile = &gateway.chart.profile;
    let version = &gateway.chart_version;
    if *version == profile.chart.version {
        format!("{} {}, chart {version}", profile.display_name, profile.chart.app_version)
    } else {
        format!("{}, chart {version}", profile.display_name)
    }
}

fn pools_and_interfaces(plan: &Plan, gateway: &Gateway) -> String {
    let pool = |name: &DnsLabel| {
        let interfaces = &plan.pools[name].interfaces;
        if interfaces.is_empty() {
            format!("nodes of {name}")
        } else {
            format!("nodes of {name} ({})", comma(interfaces))
        }
    };
    comma(gateway.pools.iter().map(pool))
}

fn source_address(gateway: &Gateway) -> &'static str {
    match &gateway.strategy {
        Strategy::NodePortRedirect { mechanism: Mechanism::SocketProxy, .. } => "a node's, always",
        Strategy::HostNetwork { .. } => "the client's",
        Strategy::NodePortRedirect { policy, .. } | Strategy::MetalLb { policy, .. } => match policy {
            TrafficPolicy::Cluster => "a node's",
            TrafficPolicy::Local => "the client's",
        },
    }
}

/// A Mermaid flow chart's lines: every word in it is from a closed grammar or from here.
fn picture(plan: &Plan, gateway: &Gateway) -> Vec<String> {
    let ports = public_ports(gateway);
    let proxy = plan.cluster.data_plane.to_string();
    let targets = comma(gateway.ports.values().map(|port| port.target_port).collect::<std::collections::BTreeSet<_>>());
    let node_ports =
        comma(gateway.ports.values().filter_map(|port| port.node_port).collect::<std::collections::BTreeSet<_>>());
    let pod = format!("pod[\"{} pod<br>listens on {targets}\"]", gateway.name);
    let guard = match (!gateway.allow_from().is_empty(), gateway.limits().is_some()) {
        (true, true) => "<br>sources and limits checked",
        (true, false) => "<br>sources checked",
        (false, true) => "<br>limits checked",
        (false, false) => "",
    };
    let node = format!("{}{guard}", pools_and_interfaces(plan, gateway));
    match &gateway.strategy {
        Strategy::NodePortRedirect { mechanism, .. } => {
            let way = match mechanism {
                Mechanism::PortRewrite => format!("node[\"{node}<br>port rewritten to {node_ports}\"]"),
                _ => format!("node[\"{node}<br>systemd-socket-proxyd to {node_ports}\"]"),
            };
            vec![
                format!("client([client]) -->|\"{ports}\"| {way}"),
                format!("node -->|\"node port {node_ports}\"| proxy[\"{proxy}\"]"),
                format!("proxy --> {pod}"),
            ]
        }
        Strategy::HostNetwork { bind: Bind::Redirect, .. } => vec![
            format!("client([client]) -->|\"{ports}\"| node[\"{node}<br>redirected to {targets}\"]"),
            format!("node -->|\"same node\"| {pod}"),
        ],
        Strategy::HostNetwork { bind: Bind::Direct, .. } => {
            vec![
                format!("client([client]) -->|\"{ports}\"| node[\"{node}\"]"),
                format!("node -->|\"same node\"| {pod}"),
            ]
        }
        Strategy::MetalLb { mode, announce_from, .. } => {
            let how = match mode {
                MetalLbMode::L2 => "answers ARP and neighbour discovery",
                MetalLbMode::Bgp => "announces the address by BGP",
            };
            vec![
                format!("client([client]) -->|\"{ports}\"| node[\"a node of {}<br>{how}\"]", comma(announce_from)),
                format!("node --> proxy[\"{proxy}\"]"),
                format!("proxy --> {pod}"),
            ]
        }
    }
}

/// What an operator should know of this gateway, a sentence each.
fn story(plan: &Plan, gateway: &Gateway) -> Vec<String> {
    let mut story = Vec::new();
    match &gateway.strategy {
        Strategy::NodePortRedirect { mechanism, direct_node_port, policy, .. } => {
            story.push(match mechanism {
                Mechanism::SocketProxy => "A proxy on the node ends the TCP connection and opens one to the node port on 127.0.0.1; the gateway sees a node's address.".to_owned(),
                _ => "The node changes the port before kube-proxy's NAT looks at it, so kube-proxy sees an ordinary node port connection; answers get the public port back.".to_owned(),
            });
            story.push(match direct_node_port {
                DirectNodePort::Deny => "The node ports themselves are shut on every interface.".to_owned(),
                DirectNodePort::Allow => {
                    "The node ports themselves stay reachable, under the same allow-list.".to_owned()
                }
            });
            if *mechanism == Mechanism::PortRewrite {
                story.push(
                    "From the node itself the ports answer on the node's own addresses, not on 127.0.0.1 or ::1."
                        .to_owned(),
                );
            }
            if *policy == TrafficPolicy::Local {
                story.push(
                    "externalTrafficPolicy is Local: a node without a ready pod of this gateway answers nobody."
                        .to_owned(),
                );
            }
        }
        Strategy::HostNetwork { bind, .. } => {
            story.push(
                "The process shares the node's network namespace: one pod a node, and the client's address is kept."
                    .to_owned(),
            );
            story.push(match bind {
                Bind::Redirect => {
                    "A host firewall sees the port the process listens on; firewalld lets a redirected connection in by itself, another has to be told.".to_owned()
                }
                Bind::Direct => "The node's sysctl lets a process without privileges bind the port.".to_owned(),
            });
            if *bind == Bind::Redirect {
                story.push(
                    "The port the process listens on answers on every interface; allow-list and limits cover it as well."
                        .to_owned(),
                );
                if let DataPlane::Cilium(_) = plan.cluster.data_plane {
                    story.push("Not proven for pods: Cilium may look up a pod's connection before the redirect, so let pods use the Service.".to_owned());
                }
            }
            story.push(
                "A new version starts after the old pod of that node has gone: expect a pause on that node.".to_owned(),
            );
            story.extend(gateway.chart.profile.host_network_caveat.clone());
        }
        Strategy::MetalLb { mode, policy, .. } => {
            story.push(match mode {
                MetalLbMode::L2 => {
                    "One node at a time answers for the address; when it fails, another takes over within seconds."
                        .to_owned()
                }
                MetalLbMode::Bgp => {
                    "Every announcing node tells its routers; they spread connections over the nodes.".to_owned()
                }
            });
            if *policy == TrafficPolicy::Local {
                story.push("externalTrafficPolicy is Local: only nodes with a ready pod announce, and the client's address is kept.".to_owned());
            }
            story.push(
                "Kubernetes gives a LoadBalancer Service node ports too; they stay reachable on every node.".to_owned(),
            );
        }
    }
    if gateway.service.owner == Owner::Portgen {
        story.push(format!(
            "Clients use the Service {} in manifests: the chart's own cannot carry what this gateway needs and stays inside the cluster.",
            gateway.service.name
        ));
    }
    if let Replicas::Scaled { .. } = gateway.replicas {
        story.push("The autoscaler reads CPU utilization from the cluster's metrics API: install metrics-server if nothing serves it.".to_owned());
    }
    story.extend(notes(gateway));
    story.iter().map(|line| cell(line)).collect()
}

/// The chart's own notes, as far as they concern this gateway.
fn notes(gateway: &Gateway) -> impl Iterator<Item = String> + '_ {
    let concerns = move |when: &When| match when {
        When::HostNetwork => gateway.needs.host_network,
        When::Http3 => gateway.ports.values().any(|port| port.slot == Slot::Http3),
        When::Udp => gateway.ports.values().any(|port| port.slot == Slot::Stream),
        When::Scaled => matches!(gateway.replicas, Replicas::Scaled { .. }),
        When::ValueUnset(path) => gateway.value(path).is_none(),
    };
    let profile = &gateway.chart.profile;
    let notes = profile.notes.iter().filter(move |note| note.when.as_ref().is_none_or(concerns));
    notes.map(|note| note.text.replace("<release>", gateway.release.as_str()))
}

fn ports(gateway: &Gateway) -> impl Iterator<Item = Value> + '_ {
    gateway.ports.iter().map(|(name, port)| {
        json!({
            "gateway": gateway.name,
            "name": name,
            "protocol": protocol_word(port.protocol),
            "port": port.port,
            "nodePort": port.node_port.map_or("–".to_owned(), |port| port.to_string()),
            "target": port.target_port,
        })
    })
}

/// The commands that carry a pool's files to one node, take away what an earlier tree left there, and then run more.
fn on_node(pool: &DnsLabel, files: &NodeFiles<'_>, then: &[String]) -> Vec<String> {
    let kept: Vec<&str> = files[pool].iter().filter_map(|(path, _)| path.strip_prefix("etc/")).collect();
    let mut lines = vec![
        "NODE=node.example.net".to_owned(),
        format!("(cd nodes/{pool} && find etc -type f | tar -cf - -T -) | ssh root@\"$NODE\" '"),
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

fn apply(plan: &Plan, files: &NodeFiles<'_>) -> Vec<Value> {
    let mut steps =
        vec![step("The namespaces and what stands in them:", ["kubectl apply --server-side -k manifests".to_owned()])];
    if plan.cluster.data_plane.cilium().is_some() {
        steps.push(step(
            "What gateways need of Cilium, beside your own values; nothing to do if it has these values already. The installed version stays:",
            [
                "CILIUM=$(helm -n kube-system list --filter '^cilium$' -o json | sed -n 's/.*\"chart\":\"cilium-\\([^\"]*\\)\".*/\\1/p')".to_owned(),
                "helm upgrade cilium cilium --repo https://helm.cilium.io --version \"${CILIUM:?not found}\" -n kube-system --reuse-values -f cilium/values.yaml".to_owned(),
            ],
        ));
    }
    if super::cluster::kube_proxy(plan).is_some() {
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
        steps.push(step(
            "MetalLB's pools and announcements, with MetalLB 0.13 or newer installed:",
            ["kubectl apply --server-side -k metallb".to_owned()],
        ));
    }
    // First, so that no port is open before its guard is there; until a pod answers, the public port is refused.
    steps.extend(plan.nodes.iter().map(|(pool, node)| node_step(plan, pool, node, files)));
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
    let mut step = step(format!("Each node of pool {pool}, before its gateways:"), on_node(pool, files, &commands));
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

fn verify(plan: &Plan) -> Vec<Value> {
    let mut steps = Vec::new();
    for gateway in plan.gateways.values() {
        let mut commands = vec![format!(
            "kubectl -n {} rollout status deployment/{} --timeout=120s",
            gateway.namespace,
            gateway.chart.profile.workload(gateway.release.as_str())
        )];
        if gateway.needs.service_type != ServiceType::ClusterIp {
            commands.push(format!("kubectl -n {} get service {} -o wide", gateway.namespace, gateway.service.name));
        }
        steps.push(step(format!("Gateway {} is up:", gateway.name), commands));
    }
    for gateway in plan.gateways.values() {
        let mut commands = Vec::new();
        let host = match &gateway.strategy {
            Strategy::MetalLb { load_balancer_ips, .. } if !load_balancer_ips.is_empty() => {
                url_host(&load_balancer_ips[0].to_string())
            }
            Strategy::MetalLb { .. } => {
                let path = "{.status.loadBalancer.ingress[0].ip}";
                commands.push(format!(
                    "IP=$(kubectl -n {} get service {} -o jsonpath='{path}')",
                    gateway.namespace, gateway.service.name
                ));
                match plan.cluster.families[0] {
                    Family::IPv4 => "$IP".to_owned(),
                    Family::IPv6 => "[$IP]".to_owned(),
                }
            }
            _ => "node.example.net".to_owned(),
        };
        let requests = gateway.ports.values().filter(|port| port.slot != Slot::Stream).map(|port| match port.slot {
            Slot::Https => {
                format!("curl -sk --max-time 5 -o /dev/null -w '%{{http_code}}\\n' https://{host}:{}/", port.port)
            }
            Slot::Http3 => format!(
                "curl -sk --max-time 5 --http3-only -o /dev/null -w '%{{http_code}}\\n' https://{host}:{}/",
                port.port
            ),
            _ => format!("curl -s --max-time 5 -o /dev/null -w '%{{http_code}}\\n' http://{host}:{}/", port.port),
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

fn url_host(address: &str) -> String {
    if address.contains(':') { format!("[{address}]") } else { address.to_owned() }
}

fn remove(plan: &Plan) -> Vec<Value> {
    let mut steps = Vec::new();
    for gateway in plan.gateways.values() {
        let mut commands = vec![format!("helm uninstall {} -n {}", gateway.release, gateway.namespace)];
        if gateway.service.owner == Owner::Portgen {
            commands.push(format!("kubectl delete -f manifests/service-{}.yaml", gateway.service.name));
        }
        if let Strategy::MetalLb { .. } = gateway.strategy {
            commands.push(format!("kubectl delete -f metallb/{}.yaml", gateway.name));
        }
        steps.push(step(format!("Gateway {}:", gateway.name), commands));
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
            format!("What lies on a node of pool {pool}, after its gateways; stopping a unit removes what it loaded and nothing else:"),
            commands,
        ));
    }
    steps
}
