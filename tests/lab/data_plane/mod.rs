//! What turns a Service into packets: models of kube-proxy's modes, and a stand-in for Cilium's replacement.

pub mod cilium;
pub mod iptables;
pub mod nftables;
pub mod port_map;

use std::net::{IpAddr, SocketAddr};

use data_encoding::BASE32;
use portgen::plan::knowledge::Plane;
use sha2::{Digest as _, Sha256};

use crate::net::{Addresses, FAMILIES, Family, Machine, NODES, PODS};
use crate::node::Variant;
use crate::traffic::Transport;

/// What serves a Service on a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DataPlane {
    Iptables(Variant),
    Nftables,
    Ipvs,
    Cilium,
}

impl DataPlane {
    /// The `serviceProxy` of a spec.
    pub fn spec(self) -> &'static str {
        match self {
            Self::Iptables(_) => "{type: kube-proxy, mode: iptables}",
            Self::Nftables => "{type: kube-proxy, mode: nftables}",
            Self::Ipvs => "{type: kube-proxy, mode: ipvs, strictARP: true}",
            Self::Cilium => "{type: cilium, version: \"1.19\", kubeProxyReplacement: true}",
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Iptables(Variant::Nft) => "iptables (nft)",
            Self::Iptables(Variant::Legacy) => "iptables (legacy)",
            Self::Nftables => "nftables",
            Self::Ipvs => "IPVS",
            Self::Cilium => "Cilium (stand-in)",
        }
    }

    /// Its column in the table of what is known.
    pub fn plane(self) -> Plane {
        match self {
            Self::Iptables(_) => Plane::Iptables,
            Self::Nftables => Plane::Nftables,
            Self::Ipvs => Plane::Ipvs,
            Self::Cilium => Plane::Cilium,
        }
    }

    /// The program that is `iptables` on such a node.
    pub fn variant(self) -> Variant {
        match self {
            Self::Iptables(variant) => variant,
            Self::Nftables | Self::Ipvs | Self::Cilium => Variant::Nft,
        }
    }

    /// Starts on a node.
    pub fn start(self, machine: &Machine, node: usize, services: &[Service]) {
        match self {
            Self::Iptables(variant) => {
                // What kube-proxy sets so that node ports answer on 127.0.0.1 too.
                machine.sh("echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet");
                self.sync(machine, node, services);
                for program in ["iptables", "ip6tables"] {
                    for (table, rule) in iptables::JUMPS {
                        machine.sh(&format!("{program}-{} -w 30 -t {table} -I {rule}", variant.name()));
                    }
                }
            }
            Self::Nftables | Self::Ipvs | Self::Cilium => self.sync(machine, node, services),
        }
    }

    /// Takes every rule of its own off a node, as `kube-proxy --cleanup` does.
    pub fn stop(self, machine: &Machine) {
        match self {
            Self::Iptables(variant) => {
                for program in ["iptables", "ip6tables"] {
                    let program = format!("{program}-{}", variant.name());
                    for (table, rule) in iptables::JUMPS {
                        machine.sh(&format!("{program} -w 30 -t {table} -D {rule}"));
                    }
                    let saved = machine.sh(&format!("{program}-save"));
                    machine
                        .command(&[&format!("{program}-restore"), "-w", "30", "--noflush"], &iptables::cleanup(&saved));
                }
            }
            Self::Nftables => drop(machine.sh("nft 'delete table ip kube-proxy; delete table ip6 kube-proxy'")),
            Self::Cilium => drop(machine.sh("nft delete table netdev cilium")),
            Self::Ipvs => panic!("there is no model of IPVS: a real kube-proxy runs it"),
        }
    }

    /// Makes the rules on a node what the Services say now, and lets stale UDP connections go.
    pub fn sync(self, machine: &Machine, node: usize, services: &[Service]) {
        self.write(machine, node, services);
        let own = |one: &Service| [&one.load_balancer[..], &one.external_ips[..]].concat();
        for address in services.iter().flat_map(own).flat_map(|address| FAMILIES.map(|one| one.of(address))) {
            let family = if address.is_ipv4() { "ipv4" } else { "ipv6" };
            machine
                .try_command(&["conntrack", "-f", family, "-D", "-p", "udp", "--orig-dst", &address.to_string()], "");
        }
        // kube-proxy does this for endpoints that went and came, by the port a connection was opened to.
        for port in services.iter().flat_map(|one| &one.ports).filter(|port| port.transport == Transport::Udp) {
            if let Some(public) = port.node_port {
                for family in ["ipv4", "ipv6"] {
                    let public = public.to_string();
                    let clear = ["conntrack", "-f", family, "-D", "-p", "udp", "--orig-port-dst", &public];
                    // It ends with an error where there was none.
                    machine.try_command(&clear, "");
                }
            }
        }
    }

    fn write(self, machine: &Machine, node: usize, services: &[Service]) {
        match self {
            Self::Iptables(variant) => {
                for (family, program) in [(Family::V4, "iptables"), (Family::V6, "ip6tables")] {
                    let program = format!("{program}-{}", variant.name());
                    let saved = machine.sh(&format!("{program}-save -t nat"));
                    machine.command(
                        &[&format!("{program}-restore"), "-w", "30", "--noflush", "--counters"],
                        &iptables::restore(family, services, node, &saved),
                    );
                }
            }
            Self::Nftables => drop(machine.command(&["nft", "-f", "-"], &nftables::ruleset(services, node))),
            Self::Cilium => drop(machine.command(&["nft", "-f", "-"], &cilium::ruleset(services, node))),
            Self::Ipvs => panic!("there is no model of IPVS: a real kube-proxy runs it"),
        }
    }
}

/// Which pods answer what comes from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Traffic {
    Cluster,
    Local,
}

/// A Service as the data plane sees it.
#[derive(Debug, Clone)]
pub struct Service {
    pub namespace: String,
    pub name: String,
    pub cluster_ip: Addresses,
    pub ports: Vec<ServicePort>,
    pub traffic: Traffic,
    /// The addresses a load balancer gave it.
    pub load_balancer: Vec<Addresses>,
    /// The addresses it claims itself.
    pub external_ips: Vec<Addresses>,
    /// What is behind it, by position: the pods, then the processes on the nodes.
    pub endpoints: Vec<usize>,
}

/// A port of a Service.
#[derive(Debug, Clone)]
pub struct ServicePort {
    pub name: String,
    pub transport: Transport,
    pub port: u16,
    pub target_port: u16,
    pub node_port: Option<u16>,
}

/// Where clients from outside find a port.
#[derive(Debug, Clone, Copy)]
pub enum Frontend {
    Address(IpAddr, u16),
    NodePort(u16),
}

impl Service {
    /// kube-proxy's name for a port.
    fn port_name(&self, port: &ServicePort) -> String {
        format!("{}/{}:{}", self.namespace, self.name, port.name)
    }

    fn outside(&self, port: &ServicePort, family: Family) -> Vec<Frontend> {
        let addresses = self.load_balancer.iter().chain(&self.external_ips);
        let addresses = addresses.map(|address| Frontend::Address(family.of(*address), port.port));
        addresses.chain(port.node_port.map(Frontend::NodePort)).collect()
    }
}

impl Transport {
    /// netfilter's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// What may be behind a Service: a pod on each node, or a process in the network namespace of each.
const ENDPOINTS: [Addresses; 4] = [PODS[0], PODS[1], NODES[0], NODES[1]];

/// An endpoint's address with a port, the way kube-proxy writes it.
fn endpoint(position: usize, port: u16, family: Family) -> SocketAddr {
    SocketAddr::new(family.of(ENDPOINTS[position]), port)
}

/// Whether an endpoint is on a node.
fn is_on(position: usize, node: usize) -> bool {
    position % NODES.len() == node
}

/// The first letters of the base32 of a SHA-256: how kube-proxy keeps chain names short.
fn hash(text: &str, length: usize) -> String {
    BASE32.encode(&Sha256::digest(text.as_bytes()))[..length].to_owned()
}
