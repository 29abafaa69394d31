//! The commands themselves: those of a README, and of whoever leads from one tree to another.

use super::super::NodeFiles;
use crate::grammar::{DnsLabel, Family};
use crate::output::node;
use crate::output::places::{first_node, host as place};
use crate::plan::node::{NodePlan, Way};
use crate::plan::{CloudProvider, Distribution, Gateway, Plan, ServiceType, Slot, Strategy};

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

/// The commands that bring a pool's files to a node and make them count there.
pub fn on_each_node(plan: &Plan, pool: &DnsLabel, node: &NodePlan, files: &NodeFiles<'_>) -> Vec<String> {
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
    on_node(plan, pool, files, &commands)
}

/// The commands that take everything of portgen's off a node.
pub fn off_each_node(node: &NodePlan) -> Vec<String> {
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
    commands
}

/// The command that waits until the pods of a gateway are what its values say.
pub fn rollout(gateway: &Gateway) -> String {
    format!(
        "kubectl -n {} rollout status deployment/{} --timeout=120s",
        gateway.namespace,
        gateway.chart.profile.workload(gateway.release.as_str())
    )
}

/// A request to every port of a gateway that speaks HTTP, in every family of its clients, as a client makes it.
pub fn requests(plan: &Plan, gateway: &Gateway) -> Vec<String> {
    let mut commands = Vec::new();
    for (family, host) in hosts(plan, gateway, &mut commands) {
        let web = gateway.ports.values().filter(|port| port.slot != Slot::Stream);
        commands.extend(web.map(|port| {
            let (how, scheme) = match port.slot {
                Slot::Https => ("-sk --max-time 5", "https"),
                Slot::Http3 => ("-sk --max-time 5 --http3-only", "https"),
                _ => ("-s --max-time 5", "http"),
            };
            let public = gateway.public_port(port);
            format!("curl {family}{how} -o /dev/null -w '%{{http_code}}\\n' {scheme}://{host}:{public}/")
        }));
    }
    commands
}

/// What a client writes for the host, after commands that find it out: one for each family, and the option that makes
/// curl choose it where a name has both.
fn hosts(plan: &Plan, gateway: &Gateway, commands: &mut Vec<String>) -> Vec<(&'static str, String)> {
    let families = &plan.cluster.families;
    let fixed = match &gateway.strategy {
        Strategy::ExternalIps { addresses, .. } => addresses.as_slice(),
        strategy => strategy.announced().map_or(&[][..], |(announced, _)| &announced.load_balancer_ips),
    };
    if !fixed.is_empty() {
        let first = |family: &Family| fixed.iter().find(|address| Family::of(address.0) == *family);
        return families.iter().filter_map(first).map(|address| ("", url_host(&address.to_string()))).collect();
    }
    let by_name = |name: &str| -> Vec<(&'static str, String)> {
        match families[..] {
            [_] => vec![("", name.to_owned())],
            _ => families.iter().map(|family| (of_family(*family), name.to_owned())).collect(),
        }
    };
    if gateway.needs.service_type != ServiceType::LoadBalancer {
        return match plan.cluster.distribution {
            Some(Distribution::Kind {}) => vec![("", url_host(place(plan)))],
            _ => by_name("node.example.net"),
        };
    }
    let status = |path: &str| {
        format!(
            "kubectl -n {} get service {} -o jsonpath='{{.status.loadBalancer.{path}}}'",
            gateway.namespace, gateway.service.name
        )
    };
    if let Strategy::CloudLoadBalancer { provider: CloudProvider::Aws, .. } = &gateway.strategy {
        // A load balancer there has a name, whose addresses change.
        commands.push(format!("HOST=$({})", status("ingress[0].hostname")));
        return by_name("$HOST");
    }
    match families[..] {
        [family] => {
            commands.push(format!("HOST=$({})", status("ingress[0].ip")));
            vec![("", if family == Family::IPv6 { "[$HOST]" } else { "$HOST" }.to_owned())]
        }
        _ => {
            let (all, mut hosts) = (status("ingress[*].ip"), Vec::new());
            for family in families {
                let (name, host, which) = match family {
                    Family::IPv4 => ("HOST4", "$HOST4", "-v :"),
                    Family::IPv6 => ("HOST6", "[$HOST6]", ":"),
                };
                commands.push(format!("{name}=$({all} | tr ' ' '\\n' | grep -m 1 {which})"));
                hosts.push(("", host.to_owned()));
            }
            hosts
        }
    }
}

/// curl's option for a family.
fn of_family(family: Family) -> &'static str {
    match family {
        Family::IPv4 => "-4 ",
        Family::IPv6 => "-6 ",
    }
}

fn url_host(address: &str) -> String {
    if address.contains(':') { format!("[{address}]") } else { address.to_owned() }
}
