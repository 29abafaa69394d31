//! kube-proxy's rules in iptables mode, as it writes them for its Services.

use std::fmt::Write as _;

use super::{Frontend, Service, ServicePort, Traffic, endpoint, hash, is_on};
use crate::net::{CLUSTER_CIDR, Family};

/// The chains kube-proxy always has, by table.
const NAT: [&str; 4] = ["KUBE-SERVICES", "KUBE-NODEPORTS", "KUBE-POSTROUTING", "KUBE-MARK-MASQ"];
const FILTER: [&str; 6] = [
    "KUBE-SERVICES",
    "KUBE-EXTERNAL-SERVICES",
    "KUBE-FORWARD",
    "KUBE-NODEPORTS",
    "KUBE-PROXY-FIREWALL",
    "KUBE-FIREWALL",
];

/// The jumps from the kernel's own chains, as (table, rule); the first ones stand first.
pub const JUMPS: [(&str, &str); 14] = [
    ("nat", "PREROUTING -j KUBE-SERVICES"),
    ("nat", "OUTPUT -j KUBE-SERVICES"),
    ("nat", "POSTROUTING -j KUBE-POSTROUTING"),
    ("filter", "INPUT -j KUBE-FIREWALL"),
    ("filter", "OUTPUT -j KUBE-FIREWALL"),
    ("filter", "INPUT -j KUBE-NODEPORTS"),
    ("filter", "FORWARD -j KUBE-FORWARD"),
    ("filter", "INPUT -m conntrack --ctstate NEW -j KUBE-EXTERNAL-SERVICES"),
    ("filter", "FORWARD -m conntrack --ctstate NEW -j KUBE-EXTERNAL-SERVICES"),
    ("filter", "FORWARD -m conntrack --ctstate NEW -j KUBE-SERVICES"),
    ("filter", "OUTPUT -m conntrack --ctstate NEW -j KUBE-SERVICES"),
    ("filter", "INPUT -m conntrack --ctstate NEW -j KUBE-PROXY-FIREWALL"),
    ("filter", "FORWARD -m conntrack --ctstate NEW -j KUBE-PROXY-FIREWALL"),
    ("filter", "OUTPUT -m conntrack --ctstate NEW -j KUBE-PROXY-FIREWALL"),
];

/// What one `iptables-restore --noflush` takes to make every chain what it should be on a node; chains in `saved` that no
/// Service needs any more go.
pub fn restore(family: Family, services: &[Service], node: usize, saved: &str) -> String {
    let mut tables = Tables::new(family);
    for service in services {
        for port in &service.ports {
            tables.port(service, port, node);
        }
    }
    // On IPv6 it leaves the loopback alone: there is no route_localnet.
    let but_loopback = if family == Family::V6 { " ! -d ::1/128" } else { "" };
    tables.nat_rule(&format!("KUBE-SERVICES{but_loopback} -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS"));
    tables.delete(saved);
    tables.text()
}

/// What one `iptables-restore --noflush` takes to delete every chain in `saved`, once nothing jumps there.
pub fn cleanup(saved: &str) -> String {
    let table = |name: &str| {
        let tables = saved.split_inclusive("COMMIT\n");
        let own = tables.filter(|table| table.contains(&format!("*{name}\n"))).flat_map(chains);
        let (emptied, deleted): (Vec<_>, Vec<_>) =
            own.map(|chain| (format!(":{chain} - [0:0]\n"), format!("-X {chain}\n"))).unzip();
        format!("*{name}\n{}{}COMMIT\n", emptied.concat(), deleted.concat())
    };
    table("nat") + &table("filter")
}

/// The chains of kube-proxy in what `iptables-save` printed.
fn chains(saved: &str) -> impl Iterator<Item = &str> {
    saved
        .lines()
        .filter_map(|line| line.strip_prefix(':')?.split(' ').next())
        .filter(|chain| chain.starts_with("KUBE-"))
}

struct Tables {
    family: Family,
    nat_chains: Vec<String>,
    nat: String,
    filter: String,
}

impl Tables {
    fn new(family: Family) -> Self {
        let mut tables =
            Self { family, nat_chains: NAT.map(String::from).to_vec(), nat: String::new(), filter: String::new() };
        for rule in [
            "KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN",
            "KUBE-POSTROUTING -j MARK --xor-mark 0x4000",
            "KUBE-POSTROUTING -j MASQUERADE --random-fully",
            "KUBE-MARK-MASQ -j MARK --or-mark 0x4000",
        ] {
            tables.nat_rule(rule);
        }
        for rule in [
            "KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP",
            "KUBE-FORWARD -m mark --mark 0x4000/0x4000 -j ACCEPT",
            "KUBE-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        ] {
            tables.filter_rule(rule);
        }
        if family == Family::V4 {
            tables.filter_rule(
                "KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP",
            );
        }
        tables
    }

    fn nat_rule(&mut self, rule: &str) {
        writeln!(self.nat, "-A {rule}").expect("a string takes it");
    }

    fn filter_rule(&mut self, rule: &str) {
        writeln!(self.filter, "-A {rule}").expect("a string takes it");
    }

    fn chain(&mut self, name: &str) {
        self.nat_chains.push(name.to_owned());
    }

    /// Empties and deletes the chains of Services and endpoints that are gone: the last lines of the table.
    fn delete(&mut self, saved: &str) {
        let kept = self.nat_chains.clone();
        for chain in chains(saved).filter(|chain| !kept.iter().any(|kept| kept == chain)) {
            self.chain(chain);
            writeln!(self.nat, "-X {chain}").expect("a string takes it");
        }
    }

    fn cluster_cidr(&self) -> &'static str {
        match self.family {
            Family::V4 => CLUSTER_CIDR.0,
            Family::V6 => CLUSTER_CIDR.1,
        }
    }

    fn port(&mut self, service: &Service, port: &ServicePort, node: usize) {
        let name = hash(&format!("{}{}", service.port_name(port), port.transport.word()), 16);
        let (svc, ext, svl) = (format!("KUBE-SVC-{name}"), format!("KUBE-EXT-{name}"), format!("KUBE-SVL-{name}"));
        let word = port.transport.word();
        let to = |frontend: &Frontend| match frontend {
            Frontend::Address(address, public) => format!("-d {address} -p {word} -m {word} --dport {public}"),
            Frontend::NodePort(public) => format!("-p {word} -m {word} --dport {public}"),
        };
        let unserved = |frontend: &Frontend| match frontend {
            Frontend::Address(..) => to(frontend),
            Frontend::NodePort(public) => format!("-p {word} -m addrtype --dst-type LOCAL -m {word} --dport {public}"),
        };
        let inside = Frontend::Address(self.family.of(service.cluster_ip), port.port);
        let outside = service.outside(port, self.family);
        if service.endpoints.is_empty() {
            self.filter_rule(&format!("KUBE-SERVICES {} -j REJECT", to(&inside)));
            for frontend in &outside {
                self.filter_rule(&format!("KUBE-EXTERNAL-SERVICES {} -j REJECT", unserved(frontend)));
            }
            return;
        }
        let local: Vec<usize> = service.endpoints.iter().copied().filter(|&one| is_on(one, node)).collect();
        if service.traffic == Traffic::Local && local.is_empty() {
            for frontend in &outside {
                self.filter_rule(&format!("KUBE-EXTERNAL-SERVICES {} -j DROP", unserved(frontend)));
            }
        }
        self.chain(&svc);
        self.nat_rule(&format!("KUBE-SERVICES {} -j {svc}", to(&inside)));
        self.nat_rule(&format!("{svc} ! -s {} {} -j KUBE-MARK-MASQ", self.cluster_cidr(), to(&inside)));
        self.endpoints(service, port, &svc, &service.endpoints);
        if outside.is_empty() {
            return;
        }
        self.chain(&ext);
        for frontend in &outside {
            let chain = if matches!(frontend, Frontend::NodePort(_)) { "KUBE-NODEPORTS" } else { "KUBE-SERVICES" };
            self.nat_rule(&format!("{chain} {} -j {ext}", to(frontend)));
        }
        match service.traffic {
            Traffic::Cluster => {
                self.nat_rule(&format!("{ext} -j KUBE-MARK-MASQ"));
                self.nat_rule(&format!("{ext} -j {svc}"));
            }
            Traffic::Local => {
                self.nat_rule(&format!("{ext} -s {} -j {svc}", self.cluster_cidr()));
                self.nat_rule(&format!("{ext} -m addrtype --src-type LOCAL -j KUBE-MARK-MASQ"));
                self.nat_rule(&format!("{ext} -m addrtype --src-type LOCAL -j {svc}"));
                if !local.is_empty() {
                    self.nat_rule(&format!("{ext} -j {svl}"));
                    self.chain(&svl);
                    self.endpoints(service, port, &svl, &local);
                }
            }
        }
    }

    /// Jumps to endpoints, each as likely as the others, and their chains where this is the first chain to jump there.
    fn endpoints(&mut self, service: &Service, port: &ServicePort, chain: &str, pods: &[usize]) {
        for (position, &pod) in pods.iter().enumerate() {
            let target = endpoint(pod, port.target_port, self.family);
            let sep = hash(&format!("{}{}{target}", service.port_name(port), port.transport.word()), 16);
            let sep = format!("KUBE-SEP-{sep}");
            let left = pods.len() - position;
            let choice = if left > 1 {
                format!(
                    " -m statistic --mode random --probability {:.11}",
                    1.0 / f64::from(u32::try_from(left).expect("a few pods"))
                )
            } else {
                String::new()
            };
            self.nat_rule(&format!("{chain}{choice} -j {sep}"));
            if !self.nat_chains.contains(&sep) {
                self.chain(&sep);
                let word = port.transport.word();
                self.nat_rule(&format!("{sep} -s {} -j KUBE-MARK-MASQ", target.ip()));
                self.nat_rule(&format!("{sep} -p {word} -m {word} -j DNAT --to-destination {target}"));
            }
        }
    }

    fn text(self) -> String {
        let declared = |name: &String| format!(":{name} - [0:0]\n");
        let chains = |names: &[String]| names.iter().map(declared).collect::<Vec<_>>().concat();
        format!(
            "*filter\n{}{}COMMIT\n*nat\n{}{}COMMIT\n",
            chains(&FILTER.map(String::from)),
            self.filter,
            chains(&self.nat_chains),
            self.nat
        )
    }
}
