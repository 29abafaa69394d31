//! The rules of the CNI plugin portmap for a pod with host ports, as its backends write them when the pod starts.

use std::fmt::Write as _;
use std::net::SocketAddr;

use super::ServicePort;
use crate::net::{FAMILIES, Family, Machine, PODS};
use crate::node::Variant;

/// Maps the ports of a node to its pod, by its iptables backend.
pub fn load(machine: &Machine, variant: Variant, node: usize, ports: &[ServicePort]) {
    // The plugin sets it for the pod's link, so that 127.0.0.1 is mapped too.
    machine.sh("echo 1 > /proc/sys/net/ipv4/conf/pod/route_localnet");
    for family in FAMILIES {
        let program = match family {
            Family::V4 => format!("iptables-{}-restore", variant.name()),
            Family::V6 => format!("ip6tables-{}-restore", variant.name()),
        };
        machine.command(&[&program, "-w", "30", "--noflush"], &rules(family, node, ports));
    }
}

/// The same by its nftables backend, which it takes where it finds no iptables.
pub fn load_nftables(machine: &Machine, node: usize, ports: &[ServicePort]) {
    let mut rules = String::new();
    for (family, table) in FAMILIES.into_iter().zip(["ip", "ip6"]) {
        let pod = family.of(PODS[node]);
        let mut mapped = String::new();
        for port in ports {
            let (word, public, to) = (port.transport.word(), port.port, SocketAddr::new(pod, port.target_port));
            writeln!(mapped, "        {word} dport {public} dnat to {to}").expect("a string takes it");
        }
        let jumps = ["prerouting", "output"].map(|hook| {
            format!(
                "    chain {hook} {{
        type nat hook {hook} priority -100;
        fib daddr type local jump hostports
    }}
"
            )
        });
        let jumps = jumps.concat();
        write!(
            rules,
            "table {table} cni_hostport {{
    chain hostports {{
{mapped}    }}
{jumps}    chain masquerading {{
        type nat hook postrouting priority 100;
        {table} saddr {pod} {table} daddr {pod} masquerade
    }}
}}
"
        )
        .expect("a string takes it");
    }
    machine.command(&["nft", "-f", "-"], &rules);
}

fn rules(family: Family, node: usize, ports: &[ServicePort]) -> String {
    let pod = family.of(PODS[node]);
    let mut rules = String::from(
        "*nat
:CNI-HOSTPORT-DNAT - [0:0]
:CNI-HOSTPORT-SETMARK - [0:0]
:CNI-HOSTPORT-MASQ - [0:0]
:CNI-DN-0 - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
-A OUTPUT -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
-I POSTROUTING -j CNI-HOSTPORT-MASQ
-A CNI-HOSTPORT-SETMARK -j MARK --set-xmark 0x2000/0x2000
-A CNI-HOSTPORT-MASQ -m mark --mark 0x2000/0x2000 -j MASQUERADE
",
    );
    for port in ports {
        let (word, public, target) = (port.transport.word(), port.port, port.target_port);
        let to = match family {
            Family::V4 => format!("{pod}:{target}"),
            Family::V6 => format!("[{pod}]:{target}"),
        };
        let mut rule = |rule: &str| writeln!(rules, "-A {rule}").expect("a string takes it");
        rule(&format!("CNI-HOSTPORT-DNAT -p {word} -m multiport --destination-ports {public} -j CNI-DN-0"));
        // The pod itself, and the loopback where it can be routed, would be answered past the node.
        rule(&format!("CNI-DN-0 -s {pod} -p {word} --dport {public} -j CNI-HOSTPORT-SETMARK"));
        if family == Family::V4 {
            rule(&format!("CNI-DN-0 -s 127.0.0.1 -p {word} --dport {public} -j CNI-HOSTPORT-SETMARK"));
        }
        rule(&format!("CNI-DN-0 -p {word} --dport {public} -j DNAT --to-destination {to}"));
    }
    rules + "COMMIT\n"
}
