//! A stand-in for Cilium's kube-proxy replacement: node ports and load balancer addresses are served where a packet
//! comes in, before netfilter's other hooks see it.
//!
//! Cilium does this with eBPF at tc ingress. Here netfilter's own ingress hook, the next one after tc, rewrites the packet
//! and forwards it straight to the pod's link, and the pod's answer straight back. What the stand-in shares with Cilium
//! is the one thing the lab asks about: the rest of netfilter never sees a packet to a node port. It keeps no state and serves
//! pods of the same node only; connections that start on a node or in a pod, which Cilium catches at `connect()`, it does not see.

use std::fmt::Write as _;

use super::{Frontend, Service};
use crate::net::{FAMILIES, Family, NODES, POD_NETWORKS, PODS};

/// The ruleset of a node.
pub fn ruleset(services: &[Service], node: usize) -> String {
    let (mut incoming, mut answers) = (String::new(), String::new());
    for service in services.iter().filter(|service| service.endpoints.contains(&node)) {
        for port in &service.ports {
            for family in FAMILIES {
                let (ip, router) = match family {
                    Family::V4 => ("ip", "198.51.100.1"),
                    Family::V6 => ("ip6", "2001:db8:64::1"),
                };
                let pod = family.of(PODS[node]);
                let word = port.transport.word();
                // Without state, an answer can have come from one frontend only.
                let elsewhere = family.of(NODES[1 - node]);
                let here =
                    |frontend: &&Frontend| !matches!(frontend, Frontend::Address(address, _) if *address == elsewhere);
                if let Some(&frontend) = service.outside(port, family).iter().find(here) {
                    let (address, public) = match frontend {
                        Frontend::Address(address, public) => (address, public),
                        Frontend::NodePort(public) => (family.of(NODES[node]), public),
                    };
                    let target = port.target_port;
                    writeln!(
                        incoming,
                        "    {ip} daddr {address} {word} dport {public} {ip} daddr set {pod} {word} dport set {target} fwd {ip} to {pod} device \"pod\""
                    )
                    .expect("a string takes it");
                    // Answers to other pods and to the nodes are the pod's own business.
                    let pods = POD_NETWORKS.map(|(v4, v6)| if family == Family::V4 { v4 } else { v6 });
                    writeln!(
                        answers,
                        "    {ip} saddr {pod} {word} sport {target} {ip} daddr != {{ {}, {} }} {ip} saddr set {address} {word} sport set {public} fwd {ip} to {router} device \"eth0\"",
                        pods[0], pods[1]
                    )
                    .expect("a string takes it");
                }
            }
        }
    }
    format!(
        "table netdev cilium\ndelete table netdev cilium\ntable netdev cilium {{\n  chain from_network {{\n    \
         type filter hook ingress device \"eth0\" priority -500; policy accept;\n{incoming}  }}\n  chain from_pod {{\n    \
         type filter hook ingress device \"pod\" priority -500; policy accept;\n{answers}  }}\n}}\n"
    )
}
