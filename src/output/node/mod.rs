//! The files of a node: rules, the unit that loads them, sysctls and proxies, each at its own path.

mod divide;
pub mod iptables;
pub mod nft;
mod rules;
pub mod systemd;

use crate::grammar::{DnsLabel, Family, InterfaceName};
use crate::plan::Plan;
use crate::plan::node::{Door, NodePlan, Way};
use systemd::Unit;

/// A file for the nodes of a pool: its path below the root, and its text.
pub type NodeFile = (String, String);

/// Where the rules lie on a node.
pub const NFT_FILE: &str = "etc/portgen/portgen.nft";
/// Where a node's sysctl lies.
pub const SYSCTL_FILE: &str = "etc/sysctl.d/90-portgen.conf";
/// The unit that loads them.
pub const UNIT: &str = "portgen.service";

/// The file of one family's limits.
#[must_use]
pub fn limits_file(family: Family) -> &'static str {
    match family {
        Family::IPv4 => "etc/portgen/limits.v4",
        Family::IPv6 => "etc/portgen/limits.v6",
    }
}

/// What a reader may rely on: written back, a file says what was meant.
///
/// # Errors
/// The path of a file that does not: a fault of portgen.
pub fn files(plan: &Plan, pool: &DnsLabel, node: &NodePlan) -> Result<Vec<NodeFile>, String> {
    let head = |what: &str| {
        format!(
            "# {what}\n# Written by portgen {} for pool {pool} of cluster {}. A change made here is lost.\n\n",
            env!("CARGO_PKG_VERSION"),
            plan.name,
        )
    };
    let mut files = Vec::new();
    let mut keep = |path: String, text: String, sound: bool| {
        if sound {
            let _: () = files.push((path, text));
            Ok(())
        } else {
            Err(path)
        }
    };
    let ruleset = rules::ruleset(node);
    let restores = rules::restores(node);
    if let Some(ruleset) = &ruleset {
        let text = format!("{}{ruleset}", head("nftables: one table of its own, replaced in one transaction."));
        let sound = nft::read(&text).as_ref() == Some(ruleset);
        keep(NFT_FILE.to_owned(), text, sound)?;
    }
    for restore in &restores {
        let what = "iptables-restore --noflush: chains of its own, emptied and filled in one transaction each table.";
        let text = format!("{}{restore}", head(what));
        let sound = iptables::read(&text, restore.family).as_ref() == Some(restore);
        keep(limits_file(restore.family).to_owned(), text, sound)?;
    }
    let mut unit = |name: &str, what: &str, unit: &Unit| {
        let text = format!("{}{unit}", head(what));
        let sound = unit.is_sound() && systemd::read(&text).as_ref() == Some(unit);
        keep(format!("etc/systemd/system/{name}"), text, sound)
    };
    if ruleset.is_some() || !restores.is_empty() {
        let families: Vec<Family> = restores.iter().map(|restore| restore.family).collect();
        let loader = loader_unit(plan, pool, ruleset.is_some(), &families);
        unit(UNIT, "Loads the rules in /etc/portgen at boot and on reload; stopping removes them.", &loader)?;
    }
    for door in &node.doors {
        let Way::Proxy { node_port, .. } = door.way else { continue };
        let name = proxy_name(door);
        for (suffix, socket) in sockets(node, door) {
            unit(&format!("{name}{suffix}.socket"), "Listens where clients connect.", &socket)?;
        }
        unit(
            &format!("{name}.service"),
            "Carries connections to the node port.",
            &proxy_unit(node, door, node_port.get()),
        )?;
    }
    if let Some(port) = node.unprivileged_port_start {
        let text = format!(
            "{}net.ipv4.ip_unprivileged_port_start = {port}\n",
            head("sysctl: ports from here on need no privilege, over IPv4 and IPv6 alike.")
        );
        keep(SYSCTL_FILE.to_owned(), text, true)?;
    }
    Ok(files)
}

fn iptables(family: Family) -> &'static str {
    match family {
        Family::IPv4 => "iptables",
        Family::IPv6 => "ip6tables",
    }
}

/// The unit that loads rules at boot. Limits come first and go last: the port is never open without them.
fn loader_unit(plan: &Plan, pool: &DnsLabel, nft: bool, limits: &[Family]) -> Unit {
    let mut load = Vec::new();
    for family in limits {
        // -w waits for the xtables lock, which kube-proxy takes too; v6 after v4, so that the two never race.
        load.push(format!("/usr/sbin/{}-restore -w 30 --noflush /{}", iptables(*family), limits_file(*family)));
        let command = format!("{} -w 30 -t {}", iptables(*family), iptables::TABLE);
        // A jump in the file would be added once more at every load.
        load.push(format!(
            "/bin/sh -c '{command} -C PREROUTING {jump} 2>/dev/null || {command} -I PREROUTING {jump}'",
            jump = iptables::JUMP,
        ));
    }
    let mut unload = Vec::new();
    if nft {
        load.push(format!("/usr/sbin/nft -f /{NFT_FILE}"));
        // Declared first, so that removing works when something else removed the table already.
        unload.push(format!("/usr/sbin/nft \"table {table}; delete table {table}\"", table = nft::TABLE));
    }
    for family in limits {
        let command = format!("-/usr/sbin/{} -w 30 -t {}", iptables(*family), iptables::TABLE);
        unload.push(format!("{command} -D PREROUTING {}", iptables::JUMP));
        unload.push(format!("{command} -F {}", iptables::CHAIN));
        unload.push(format!("{command} -X {}", iptables::CHAIN));
    }
    let mut service = vec![("Type", "oneshot".to_owned()), ("RemainAfterExit", "yes".to_owned())];
    service.extend(load.iter().map(|line| ("ExecStart", line.clone())));
    if !limits.is_empty() {
        // systemd takes firewalld for reloaded once it has sent the signal, and then reloads this unit, up to half a second
        // before firewalld flushes iptables' tables. It answers no question before it is done, so its answer is waited for.
        // Without firewalld nothing happens here, and whatever it says the limits are loaded.
        let wait = "if systemctl -q is-active firewalld.service; then firewall-cmd --state >/dev/null 2>&1; fi";
        service.push(("ExecReload", format!("-/bin/sh -c '{wait}'")));
    }
    service.extend(load.iter().map(|line| ("ExecReload", line.clone())));
    service.extend(unload.into_iter().map(|line| ("ExecStop", line)));
    service.push(("TimeoutStartSec", "2min".to_owned()));
    service.push(("ProtectHome", "yes".to_owned()));
    Unit::new([
        (
            "Unit",
            vec![
                ("Description", format!("Gateway ports of cluster {}, pool {pool}", plan.name)),
                ("Documentation", "man:nft(8) man:iptables-restore(8)".to_owned()),
                // With the default dependencies it would start after basic.target, and so close a cycle with
                // whatever needs the network before sysinit.target, such as cloud-init.
                ("DefaultDependencies", "no".to_owned()),
                ("Conflicts", "shutdown.target".to_owned()),
                ("Wants", "network-pre.target".to_owned()),
                ("Before", "network-pre.target kubelet.service shutdown.target".to_owned()),
                // Whatever flushes the ruleset when it starts must have done so before.
                (
                    "After",
                    "local-fs.target systemd-modules-load.service nftables.service iptables.service ip6tables.service netfilter-persistent.service ufw.service firewalld.service"
                        .to_owned(),
                ),
                // Reloading those flushes the ruleset, ours with it.
                ("ReloadPropagatedFrom", "nftables.service firewalld.service".to_owned()),
            ],
        ),
        ("Service", service),
        ("Install", vec![("WantedBy", "multi-user.target".to_owned())]),
    ])
}

/// The name of a proxy's units, without their ending.
#[must_use]
pub fn proxy_name(door: &Door) -> String {
    format!("portgen-{}-{}", door.gateway, door.name)
}

/// The sockets of a proxy with what their names add: one, or one for each interface.
#[must_use]
pub fn sockets(node: &NodePlan, door: &Door) -> Vec<(String, Unit)> {
    let socket = |interface: Option<&InterfaceName>| {
        let (listen, only) = match node.families.as_slice() {
            [Family::IPv4] => (format!("0.0.0.0:{}", door.port), None),
            [Family::IPv6] => (format!("[::]:{}", door.port), Some("ipv6-only")),
            _ => (format!("[::]:{}", door.port), Some("both")),
        };
        let mut settings = vec![("ListenStream", listen)];
        settings.extend(only.map(|only| ("BindIPv6Only", only.to_owned())));
        settings.extend(interface.map(|interface| ("BindToDevice", interface.to_string())));
        settings.push(("NoDelay", "yes".to_owned()));
        settings.push(("Backlog", "4096".to_owned()));
        settings.push(("Service", format!("{}.service", proxy_name(door))));
        Unit::new([
            (
                "Unit",
                vec![
                    ("Description", format!("Port {} of gateway {}", door.port, door.gateway)),
                    // Its guard first.
                    ("After", UNIT.to_owned()),
                ],
            ),
            ("Socket", settings),
            ("Install", vec![("WantedBy", "sockets.target".to_owned())]),
        ])
    };
    if node.interfaces.is_empty() {
        return vec![(String::new(), socket(None))];
    }
    // An interface name may hold what a unit name may not; its position is enough to tell them apart.
    let named = |(position, interface)| (format!("-{}", position + 1), socket(Some(interface)));
    node.interfaces.iter().enumerate().map(named).collect()
}

fn proxy_unit(node: &NodePlan, door: &Door, node_port: u16) -> Unit {
    let yes = || "yes".to_owned();
    let listeners: Vec<String> =
        sockets(node, door).into_iter().map(|(suffix, _)| format!("{}{suffix}.socket", proxy_name(door))).collect();
    let listeners = listeners.join(" ");
    Unit::new([
        (
            "Unit",
            vec![
                ("Description", format!("Port {} of gateway {} to node port {node_port}", door.port, door.gateway)),
                ("Documentation", "man:systemd-socket-proxyd(8)".to_owned()),
                // It holds the listening sockets, so it goes when they do.
                ("Requires", listeners.clone()),
                ("After", listeners),
            ],
        ),
        (
            "Service",
            vec![
                (
                    "ExecStart",
                    format!("/usr/lib/systemd/systemd-socket-proxyd --connections-max=65536 127.0.0.1:{node_port}"),
                ),
                // Two file descriptors and a pipe a connection.
                ("LimitNOFILE", "524288".to_owned()),
                ("DynamicUser", yes()),
                ("NoNewPrivileges", yes()),
                ("ProtectSystem", "strict".to_owned()),
                ("ProtectHome", yes()),
                ("PrivateTmp", yes()),
                ("PrivateDevices", yes()),
                ("ProtectKernelTunables", yes()),
                ("ProtectControlGroups", yes()),
                ("RestrictAddressFamilies", "AF_UNIX AF_INET AF_INET6".to_owned()),
                ("RestrictNamespaces", yes()),
                ("LockPersonality", yes()),
                ("MemoryDenyWriteExecute", yes()),
            ],
        ),
    ])
}
