//! Commands for the nodes of a pool, run from the folder of the tree.

use super::super::NodeFiles;
use crate::grammar::{DnsLabel, Family};
use crate::output::node;
use crate::output::places::first_node;
use crate::plan::node::{NodePlan, Way};
use crate::plan::{Distribution, Plan};

/// Which node, and what runs a shell there.
fn shell(plan: &Plan, pool: &DnsLabel) -> (String, &'static str) {
    match plan.cluster.distribution {
        // Its nodes are containers of this machine.
        Some(Distribution::Kind {}) => (format!("NODE={}", first_node(plan, pool)), "docker exec -i \"$NODE\" sh -c"),
        _ => ("NODE=node.example.net".to_owned(), "ssh root@\"$NODE\""),
    }
}

/// Lines that a shell on a node runs, after what comes before it on its line.
fn quoted(lines: impl IntoIterator<Item = String>) -> Vec<String> {
    lines.into_iter().map(|line| format!("  {line}")).chain(["'".to_owned()]).collect()
}

/// The commands that carry a pool's files to one node, take away what an earlier tree left there, and then run more.
fn on_node(plan: &Plan, pool: &DnsLabel, files: &NodeFiles<'_>, then: Vec<String>) -> Vec<String> {
    let (node, shell) = shell(plan, pool);
    let kept: Vec<&str> = files[pool].iter().filter_map(|(path, _)| path.strip_prefix("etc/")).collect();
    let mut lines = vec![
        "set -e".to_owned(),
        "tar -C / --no-same-owner -xf -".to_owned(),
        "cd /etc".to_owned(),
        "# What an earlier tree left here goes, with what it loaded.".to_owned(),
        "for file in portgen/* systemd/system/portgen* sysctl.d/90-portgen.conf; do".to_owned(),
        format!("  case \" {} \" in *\" $file \"*) continue ;; esac", kept.join(" ")),
        "  test -e \"$file\" || continue".to_owned(),
        format!("  systemctl stop {} || true", node::UNIT),
        "  case $file in".to_owned(),
        "    systemd/*) systemctl disable --now \"${file##*/}\" || true ;;".to_owned(),
        "    sysctl.d/*) sysctl -q -w net.ipv4.ip_unprivileged_port_start=1024 ;;".to_owned(),
        "  esac".to_owned(),
        "  rm -f \"$file\"".to_owned(),
        "done".to_owned(),
    ];
    lines.extend(then);
    let carried = format!("(cd nodes/{pool} && find etc -type f | tar -cf - -T -) | {shell} '");
    [node, carried].into_iter().chain(quoted(lines)).collect()
}

/// What has to be installed on the nodes of a pool, in a sentence.
pub fn packages(plan: &Plan, pool: &DnsLabel, node: &NodePlan) -> Option<String> {
    let os = plan.pools[pool].os;
    let mut packages = Vec::new();
    if node.needs_nft() {
        packages.push("nftables");
    }
    if node.needs_iptables() {
        packages.push(os.iptables_package());
    }
    let command = os.install_command().filter(|_| !packages.is_empty())?;
    Some(format!("The node needs `{command} {}` if it does not have them.", packages.join(" ")))
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
    on_node(plan, pool, files, commands)
}

/// The commands that take everything of portgen's off a node.
pub fn off_each_node(plan: &Plan, pool: &DnsLabel, node: &NodePlan) -> Vec<String> {
    let units = units(node);
    let mut lines = Vec::new();
    if !units.is_empty() {
        lines.push(format!("systemctl disable --now {}", units.join(" ")));
    }
    lines.push(format!("rm -rf {}", OWN_PATHS.join(" ")));
    lines.push("systemctl daemon-reload".to_owned());
    if node.unprivileged_port_start.is_some() {
        lines.push("sysctl -w net.ipv4.ip_unprivileged_port_start=1024".to_owned());
    }
    let (node, shell) = shell(plan, pool);
    [node, format!("{shell} '")].into_iter().chain(quoted(lines)).collect()
}

/// What portgen puts on nodes, wherever.
const OWN_PATHS: [&str; 5] = [
    "/etc/portgen",
    "/etc/sysctl.d/90-portgen.conf",
    "/etc/systemd/system/portgen.service",
    "/etc/systemd/system/portgen-*.socket",
    "/etc/systemd/system/portgen-*.service",
];

/// The commands that compare the files on a node with those of the tree, and show what they loaded.
pub fn compared(plan: &Plan, pool: &DnsLabel, node: &NodePlan) -> Vec<String> {
    let mut lines = vec!["set -e".to_owned(), "cd /".to_owned(), "sha256sum -c".to_owned()];
    lines.extend(loaded(node));
    let (node, shell) = shell(plan, pool);
    let sums = format!("(cd nodes/{pool} && find etc -type f -exec sha256sum {{}} +) | {shell} '");
    [node, sums].into_iter().chain(quoted(lines)).collect()
}

/// The commands that show on a node what its files loaded, from anywhere.
pub fn shown(plan: &Plan, pool: &DnsLabel, node: &NodePlan) -> Vec<String> {
    let (name, shell) = shell(plan, pool);
    [name, format!("{shell} '")].into_iter().chain(quoted(loaded(node))).collect()
}

/// The commands that find nothing on a node without files of portgen's.
pub fn absent(plan: &Plan, pool: &DnsLabel) -> Vec<String> {
    let (name, shell) = shell(plan, pool);
    let lines = [format!("ls -d {}", OWN_PATHS.join(" ")), format!("nft list table {}", node::nft::TABLE)];
    [name, format!("{shell} '")].into_iter().chain(quoted(lines)).collect()
}

/// The commands that show on a node what its files loaded.
pub fn loaded(node: &NodePlan) -> Vec<String> {
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
    commands
}
