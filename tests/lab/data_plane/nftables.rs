//! kube-proxy's rules in nftables mode, as it writes them for its Services.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::{Frontend, Service, ServicePort, Traffic, endpoint, hash, is_on};
use crate::net::{CLUSTER_CIDR, FAMILIES, Family, NODES};

/// Both tables of a node, replaced in one transaction.
pub fn ruleset(services: &[Service], node: usize) -> String {
    FAMILIES.into_iter().map(|family| Table::new(family, services, node).text()).collect()
}

struct Table {
    family: Family,
    node: usize,
    chains: String,
    service_ips: Vec<String>,
    service_node_ports: Vec<String>,
    no_endpoint_services: Vec<String>,
    no_endpoint_node_ports: Vec<String>,
    cluster_ips: Vec<String>,
    hairpins: BTreeSet<String>,
}

impl Table {
    fn new(family: Family, services: &[Service], node: usize) -> Self {
        let mut table = Self {
            family,
            node,
            chains: String::new(),
            service_ips: Vec::new(),
            service_node_ports: Vec::new(),
            no_endpoint_services: Vec::new(),
            no_endpoint_node_ports: Vec::new(),
            cluster_ips: Vec::new(),
            hairpins: BTreeSet::new(),
        };
        for service in services {
            table.cluster_ips.push(family.of(service.cluster_ip).to_string());
            for port in &service.ports {
                table.port(service, port);
            }
        }
        table
    }

    fn ip(&self) -> &'static str {
        match self.family {
            Family::V4 => "ip",
            Family::V6 => "ip6",
        }
    }

    fn pods(&self) -> &'static str {
        match self.family {
            Family::V4 => CLUSTER_CIDR.0,
            Family::V6 => CLUSTER_CIDR.1,
        }
    }

    fn chain(&mut self, name: &str, rules: &[String]) {
        writeln!(self.chains, "  chain {name} {{").expect("a string takes it");
        for rule in rules {
            writeln!(self.chains, "    {rule}").expect("a string takes it");
        }
        writeln!(self.chains, "  }}").expect("a string takes it");
    }

    fn port(&mut self, service: &Service, port: &ServicePort) {
        let word = port.transport.word();
        let name = format!("{}/{}/{word}/{}", service.namespace, service.name, port.name);
        let name = format!("{}-{name}", hash(&name, 8));
        let inside = format!("{} . {word} . {}", self.family.of(service.cluster_ip), port.port);
        let local: Vec<usize> = service.endpoints.iter().copied().filter(|&one| is_on(one, self.node)).collect();
        let unserved = match service.traffic {
            _ if service.endpoints.is_empty() => Some("goto reject-chain"),
            Traffic::Local if local.is_empty() => Some("drop"),
            _ => None,
        };
        for frontend in service.outside(port, self.family) {
            let (to, served, unserved_map) = match frontend {
                Frontend::Address(address, public) => {
                    (format!("{address} . {word} . {public}"), &mut self.service_ips, &mut self.no_endpoint_services)
                }
                Frontend::NodePort(public) => {
                    (format!("{word} . {public}"), &mut self.service_node_ports, &mut self.no_endpoint_node_ports)
                }
            };
            if let Some(verdict) = unserved {
                unserved_map.push(format!("{to} : {verdict}"));
            }
            if !service.endpoints.is_empty() {
                served.push(format!("{to} : goto external-{name}"));
            }
        }
        if service.endpoints.is_empty() {
            self.no_endpoint_services.push(format!("{inside} : goto reject-chain"));
            return;
        }
        self.service_ips.push(format!("{inside} : goto service-{name}"));
        self.endpoints(&format!("service-{name}"), port, &service.endpoints);
        if service.outside(port, self.family).is_empty() {
            return;
        }
        let masquerade = "meta mark set meta mark | 0x4000";
        let rules = match service.traffic {
            Traffic::Cluster => vec![masquerade.to_owned(), format!("goto service-{name}")],
            Traffic::Local => {
                let mut rules = vec![
                    format!("{} saddr {} goto service-{name}", self.ip(), self.pods()),
                    format!("fib saddr type local {masquerade}"),
                    format!("fib saddr type local goto service-{name}"),
                ];
                if !local.is_empty() {
                    rules.push(format!("goto local-{name}"));
                    self.endpoints(&format!("local-{name}"), port, &local);
                }
                rules
            }
        };
        self.chain(&format!("external-{name}"), &rules);
    }

    fn endpoints(&mut self, chain: &str, port: &ServicePort, pods: &[usize]) {
        let word = port.transport.word();
        let target = port.target_port;
        let mut choices = Vec::new();
        for (position, &pod) in pods.iter().enumerate() {
            let address = endpoint(pod, port.target_port, self.family).ip();
            choices.push(format!("{position} : {address} . {target}"));
            if is_on(pod, self.node) {
                self.hairpins.insert(format!("{address} . {address} . {word} . {target}"));
            }
        }
        let rule = format!(
            "meta l4proto {word} dnat {} to numgen random mod {} map {{ {} }}",
            self.ip(),
            pods.len(),
            choices.join(", ")
        );
        self.chain(chain, &[rule]);
    }

    fn text(&self) -> String {
        let ip = self.ip();
        let address = match self.family {
            Family::V4 => "ipv4_addr",
            Family::V6 => "ipv6_addr",
        };
        let elements = |list: &[String]| match list {
            [] => String::new(),
            list => format!(" elements = {{ {} }}", list.join(", ")),
        };
        let hairpins: Vec<String> = self.hairpins.iter().cloned().collect();
        // Sets first: rules name them. Declared, deleted, defined, so that it does not matter what was there.
        format!(
            "table {ip} kube-proxy\ndelete table {ip} kube-proxy\ntable {ip} kube-proxy {{
  set cluster-ips {{ type {address};{} }}
  set nodeport-ips {{ type {address}; elements = {{ {} }} }}
  set hairpin-connections {{ type {address} . {address} . inet_proto . inet_service;{} }}
  map firewall-ips {{ type {address} . inet_proto . inet_service : verdict; }}
  map no-endpoint-nodeports {{ type inet_proto . inet_service : verdict;{} }}
  map no-endpoint-services {{ type {address} . inet_proto . inet_service : verdict;{} }}
  map service-ips {{ type {address} . inet_proto . inet_service : verdict;{} }}
  map service-nodeports {{ type inet_proto . inet_service : verdict;{} }}
{}
  chain reject-chain {{ reject; }}
  chain cluster-ips-check {{ {ip} daddr @cluster-ips reject; }}
  chain firewall-check {{ {ip} daddr . meta l4proto . th dport vmap @firewall-ips; }}
  chain nodeport-endpoints-check {{ {ip} daddr @nodeport-ips meta l4proto . th dport vmap @no-endpoint-nodeports; }}
  chain service-endpoints-check {{ {ip} daddr . meta l4proto . th dport vmap @no-endpoint-services; }}
  chain services {{
    {ip} daddr @cluster-ips {ip} saddr != {} meta mark set meta mark | 0x4000
    {ip} daddr . meta l4proto . th dport vmap @service-ips
    {ip} daddr @nodeport-ips meta l4proto . th dport vmap @service-nodeports
  }}
  chain masquerading {{
    meta mark & 0x4000 != 0 meta mark set meta mark ^ 0x4000 masquerade fully-random
    ct status dnat {ip} saddr . {ip} daddr . meta l4proto . th dport @hairpin-connections masquerade fully-random
  }}
  chain filter-forward {{
    type filter hook forward priority 0; policy accept;
    ct state new jump service-endpoints-check
    ct state new jump cluster-ips-check
  }}
  chain filter-input {{
    type filter hook input priority 0; policy accept;
    ct state new jump nodeport-endpoints-check
    ct state new jump service-endpoints-check
  }}
  chain filter-output {{
    type filter hook output priority 0; policy accept;
    ct state new jump service-endpoints-check
    ct state new jump cluster-ips-check
  }}
  chain filter-output-pre-dnat {{ type filter hook output priority -110; policy accept; ct state new jump firewall-check; }}
  chain filter-prerouting-pre-dnat {{ type filter hook prerouting priority -110; policy accept; ct state new jump firewall-check; }}
  chain nat-output {{ type nat hook output priority -100; policy accept; jump services; }}
  chain nat-postrouting {{ type nat hook postrouting priority 100; policy accept; jump masquerading; }}
  chain nat-prerouting {{ type nat hook prerouting priority -100; policy accept; jump services; }}
}}\n",
            elements(&self.cluster_ips),
            self.family.of(NODES[self.node]),
            elements(&hairpins),
            elements(&self.no_endpoint_node_ports),
            elements(&self.no_endpoint_services),
            elements(&self.service_ips),
            elements(&self.service_node_ports),
            self.chains,
            self.pods(),
        )
    }
}
