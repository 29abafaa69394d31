//! What listens on a node: gateways in its own network, proxies as their units say, ports that are mapped to pods.

use std::net::IpAddr;

use super::Pods;
use super::world::{World, fault, file};
use crate::grammar::{DnsLabel, Family};
use crate::output::Fault;
use crate::output::node::{self, NodeFile, SYSCTL_FILE, systemd};
use crate::plan::node::{NodePlan, Way};
use crate::plan::{Plan, Protocol};

/// The DaemonSet that is Cilium's own gateway.
const ENVOY: &str = "cilium-envoy";

/// What listens on a node.
pub struct Process {
    /// The gateway it belongs to.
    pub gateway: DnsLabel,
    /// TCP or UDP.
    pub protocol: Protocol,
    /// The port it listens on.
    pub port: u16,
    /// What it does with a connection.
    pub role: Role,
}

/// What a process does with a connection.
pub enum Role {
    /// It is the gateway.
    Gateway,
    /// It carries it to a port of 127.0.0.1.
    Proxy {
        /// The port.
        to: u16,
        /// The line of the unit that says so.
        line: String,
        /// The only interface it listens on.
        interface: Option<String>,
        /// The families it listens on.
        families: Vec<Family>,
    },
}

/// A port of the node that leads to a pod.
pub struct Mapped {
    /// The gateway.
    pub gateway: DnsLabel,
    /// TCP or UDP.
    pub protocol: Protocol,
    /// The port of the node.
    pub port: u16,
    /// The pod's.
    pub target: u16,
    /// The only address that is mapped.
    pub only: Option<IpAddr>,
}

impl World {
    /// The gateways' own processes on the node, and the ports that are mapped to its pods.
    pub fn listeners(&mut self, plan: &Plan, pool: &DnsLabel, lowest: u16) {
        if let Some(own) = plan.cluster.own_gateway.as_ref().filter(|own| own.pool.as_ref().is_none_or(|of| of == pool))
            && let Ok(envoy) = ENVOY.parse::<DnsLabel>()
        {
            self.processes.extend(own.ports().map(|(_, port)| Process {
                gateway: envoy.clone(),
                protocol: Protocol::TCP,
                port: port.get(),
                role: Role::Gateway,
            }));
        }
        if self.pods != Pods::Here {
            return;
        }
        for gateway in plan.gateways.values().filter(|gateway| gateway.pools.contains(pool)) {
            for port in gateway.ports.values() {
                let (protocol, target) = (port.protocol, port.target_port.get());
                let gateway_name = gateway.name.clone();
                if gateway.needs.host_network {
                    // It cannot bind the port, and ends.
                    if target < lowest && gateway.security.run_as_user != 0 {
                        continue;
                    }
                    self.processes.push(Process { gateway: gateway_name, protocol, port: target, role: Role::Gateway });
                } else if gateway.needs.host_port {
                    let only = gateway.needs.host_ip.map(|address| address.0);
                    self.mapped.push(Mapped { gateway: gateway_name, protocol, port: port.port.get(), target, only });
                }
            }
        }
    }

    /// Reads the proxies of a node back from their units.
    pub fn proxies(&mut self, files: &[NodeFile], node: &NodePlan) -> Result<(), Fault> {
        let unit = |name: String| {
            let path = format!("etc/systemd/system/{name}");
            file(files, &path).and_then(systemd::read).ok_or_else(|| fault(path))
        };
        for door in &node.doors {
            let Way::Proxy { .. } = door.way else { continue };
            let name = node::proxy_name(door);
            let service = unit(format!("{name}.service"))?;
            let line = setting(&service, "ExecStart").unwrap_or_default().to_owned();
            let to = line.rsplit(':').next().and_then(|port| port.parse().ok());
            let to = to.ok_or_else(|| fault(format!("etc/systemd/system/{name}.service")))?;
            for (suffix, _) in node::sockets(node, door) {
                let path = format!("{name}{suffix}.socket");
                let socket = unit(path.clone())?;
                let listens = setting(&socket, "ListenStream").and_then(|text| text.rsplit_once(':'));
                let Some((host, port)) = listens.and_then(|(host, port)| Some((host, port.parse().ok()?))) else {
                    return Err(fault(format!("etc/systemd/system/{path}")));
                };
                let families = match (host, setting(&socket, "BindIPv6Only")) {
                    ("0.0.0.0", _) => vec![Family::IPv4],
                    (_, Some("ipv6-only")) => vec![Family::IPv6],
                    _ => vec![Family::IPv4, Family::IPv6],
                };
                let interface = setting(&socket, "BindToDevice").map(str::to_owned);
                let role = Role::Proxy { to, line: line.clone(), interface, families };
                self.processes.push(Process { gateway: door.gateway.clone(), protocol: Protocol::TCP, port, role });
            }
        }
        Ok(())
    }
}

/// The lowest port that a process without privileges may bind.
pub fn lowest_unprivileged(files: &[NodeFile]) -> Result<u16, Fault> {
    let Some(text) = file(files, SYSCTL_FILE) else { return Ok(1024) };
    let value = text.lines().find_map(|line| line.strip_prefix("net.ipv4.ip_unprivileged_port_start = "));
    value.and_then(|value| value.parse().ok()).ok_or_else(|| fault(SYSCTL_FILE.to_owned()))
}

fn setting<'a>(unit: &'a systemd::Unit, key: &str) -> Option<&'a str> {
    unit.sections
        .iter()
        .flat_map(|section| &section.settings)
        .find(|(known, _)| known == key)
        .map(|(_, value)| value.as_str())
}
