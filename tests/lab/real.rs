//! A real kube-proxy on a node, told about Services by a stub of the API server.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::data_plane::{DataPlane, Service, ServicePort, Traffic};
use crate::dump;
use crate::kube_api::{KubeApi, ProxySettings, endpoint_slice, node};
use crate::net::{Addresses, CLUSTER_CIDR, FAMILIES, Family, LOAD_BALANCER, Machine, NODES, POD_NETWORKS, PODS};
use crate::traffic::Transport;

/// Where a kube-proxy is, if the job that needs one is to run.
pub fn program() -> Option<PathBuf> {
    std::env::var_os("PORTGEN_KUBE_PROXY").map(PathBuf::from)
}

/// How long kube-proxy may take: to start on a busy machine, or to try again what failed once.
const LONGEST: Duration = Duration::from_mins(4);

/// A running kube-proxy.
pub struct KubeProxy {
    api: KubeApi,
    process: Child,
    data_plane: DataPlane,
    node: usize,
    known: Vec<(String, String)>,
    _folder: TempDir,
}

impl Drop for KubeProxy {
    fn drop(&mut self) {
        // One that ended by itself is gone already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl KubeProxy {
    /// Starts one on a node, and waits until it serves these Services.
    pub fn start(machine: &Machine, data_plane: DataPlane, node_index: usize, services: &[Service]) -> Self {
        let listener = machine.run(|| TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).expect("a free port");
        let api = KubeApi::serve(listener).expect("it serves");
        let names = ["node1", "node2"];
        for (name, ((v4, v6), (pods4, pods6))) in names.iter().zip(NODES.iter().zip(POD_NETWORKS)) {
            api.set(node(name, &[&v4.to_string(), &v6.to_string()], &[pods4, pods6]));
        }
        let folder = tempfile::tempdir().expect("a folder");
        // kube-proxy takes the iptables that it finds first.
        let programs = folder.path().join("programs");
        fs::create_dir(&programs).expect("a folder");
        for program in ["iptables", "ip6tables"] {
            for verb in ["", "-restore", "-save"] {
                let target = format!("/usr/sbin/{program}-{}{verb}", data_plane.variant().name());
                symlink(target, programs.join(format!("{program}{verb}"))).expect("a link");
            }
        }
        let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
        fs::write(path("kubeconfig"), api.kubeconfig()).expect("it can be written");
        let settings = ProxySettings {
            mode: match data_plane {
                DataPlane::Iptables(_) => "iptables",
                DataPlane::Nftables => "nftables",
                DataPlane::Ipvs => "ipvs",
                DataPlane::Cilium => panic!("Cilium has no kube-proxy"),
            },
            node: names[node_index],
            cluster_cidrs: &[CLUSTER_CIDR.0, CLUSTER_CIDR.1],
            node_port_addresses: &[],
            kubeconfig: &path("kubeconfig"),
            feature_gates: &[],
        };
        fs::write(path("config"), settings.configuration()).expect("it can be written");
        let program = program().expect("PORTGEN_KUBE_PROXY names one");
        let command = format!(
            "PATH={}:$PATH exec {} --config {} >{} 2>&1",
            path("programs"),
            program.display(),
            path("config"),
            path("log")
        );
        let mut proxy = Self {
            process: machine.start(&["sh".to_owned(), "-c".to_owned(), command]),
            api,
            data_plane,
            node: node_index,
            known: Vec::new(),
            _folder: folder,
        };
        proxy.sync(machine, services);
        proxy
    }

    /// Tells it what the Services are now, and waits until its rules say so.
    pub fn sync(&mut self, machine: &Machine, services: &[Service]) {
        let names: Vec<_> = services.iter().map(|one| (one.namespace.clone(), one.name.clone())).collect();
        for (namespace, name) in self.known.iter().filter(|known| !names.contains(known)) {
            self.api.delete("Service", namespace, name);
            for family in FAMILIES {
                self.api.delete("EndpointSlice", namespace, &format!("{name}-{}", family.name().to_ascii_lowercase()));
            }
        }
        self.known = names;
        for service in services {
            self.api.set(service_object(service));
            for family in FAMILIES {
                self.api.set(endpoints(service, family));
            }
        }
        let end = Instant::now() + LONGEST;
        while let Err(differs) = self.settled(machine, services) {
            assert!(Instant::now() < end, "kube-proxy's rules are not the model's:\n{differs}");
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// Whether its rules are those of the model; for IPVS, whether every endpoint is a real server.
    fn settled(&self, machine: &Machine, services: &[Service]) -> Result<(), String> {
        if self.data_plane == DataPlane::Ipvs {
            let listed = machine.sh("ipvsadm -Ln; iptables-save -t nat; ip6tables-save -t nat");
            let serves = |pod: usize, port: &ServicePort, family: Family| {
                let server = SocketAddr::new(family.of(PODS[pod]), port.target_port).to_string();
                // One that is leaving stays with weight 0 until its connections end.
                listed
                    .lines()
                    .filter(|line| line.contains(&format!("-> {server} ")))
                    .any(|line| line.split_whitespace().nth(3) != Some("0"))
            };
            let as_wanted = services.iter().all(|service| {
                let each = service.ports.iter().flat_map(|port| [0, 1].map(|pod| (port, pod)));
                each.flat_map(|(port, pod)| FAMILIES.map(|family| (port, pod, family)))
                    .all(|(port, pod, family)| serves(pod, port, family) == service.endpoints.contains(&pod))
            });
            // And serves the node ports there are, no others.
            let at = |port: u16| {
                FAMILIES
                    .map(|family| listed.contains(&format!("{} ", SocketAddr::new(family.of(NODES[self.node]), port))))
            };
            let node_ports = services.iter().flat_map(|one| &one.ports).filter_map(|port| port.node_port);
            let known: Vec<u16> = node_ports.collect();
            let served = [30_080, 30_443].into_iter().all(|port| at(port) == [known.contains(&port); 2]);
            // And the addresses that Services have beside their cluster's, no others.
            let has = |service: &Service, address: Addresses, port: u16| {
                service.load_balancer.iter().chain(&service.external_ips).any(|own| *own == address)
                    && service.ports.iter().any(|one| one.port == port)
            };
            let addressed = [LOAD_BALANCER, NODES[0], NODES[1]].into_iter().all(|address| {
                [80, 443].into_iter().all(|port| {
                    let by_node_port = address == NODES[self.node] && known.contains(&port);
                    let wanted = by_node_port || services.iter().any(|one| has(one, address, port));
                    let listed =
                        |family: Family| listed.contains(&format!("{} ", SocketAddr::new(family.of(address), port)));
                    FAMILIES.map(listed) == [wanted; 2]
                })
            });
            // It fills IPVS first and masquerades later, each family by itself.
            let masquerades = listed.matches("-A KUBE-POSTROUTING").count() >= 6;
            // A virtual server is there before its real servers are; under `Local` some stay without.
            let full = services.iter().any(|one| one.endpoints.is_empty() || one.traffic == Traffic::Local)
                || all_have_servers(&listed);
            let settled = served && addressed && masquerades && as_wanted && full;
            return if settled { Ok(()) } else { Err(listed) };
        }
        let model = Machine::new();
        self.data_plane.start(&model, self.node, services);
        for family in FAMILIES {
            let (real, model) =
                (dump::live(machine, self.data_plane, family), dump::live(&model, self.data_plane, family));
            if real != model {
                return Err(difference(&real, &model));
            }
        }
        Ok(())
    }
}

/// Whether every virtual server of IPVS's list has a real one that takes connections.
fn all_have_servers(listed: &str) -> bool {
    let ipvs = listed.lines().filter(|line| !line.starts_with('#') && !line.starts_with(':'));
    let mut without = false;
    for line in ipvs {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["TCP" | "UDP", ..] if without => return false,
            ["TCP" | "UDP", ..] => without = true,
            ["->", _, _, weight, ..] if *weight != "0" => without = false,
            _ => {}
        }
    }
    !without
}

/// What two dumps do not share.
pub fn difference(real: &dump::Dump, model: &dump::Dump) -> String {
    let lines = |dump: &dump::Dump| -> Vec<String> {
        dump.iter().flat_map(|(name, rules)| rules.iter().map(move |rule| format!("{name}: {rule}"))).collect()
    };
    let (real, model) = (lines(real), lines(model));
    let only_real = real.iter().filter(|line| !model.contains(line)).map(|line| format!("- {line}"));
    let only_model = model.iter().filter(|line| !real.contains(line)).map(|line| format!("+ {line}"));
    only_real.chain(only_model).collect::<Vec<_>>().join("\n")
}

fn protocol(transport: Transport) -> &'static str {
    match transport {
        Transport::Tcp => "TCP",
        Transport::Udp => "UDP",
    }
}

fn service_object(service: &Service) -> Value {
    let ports: Vec<Value> = service
        .ports
        .iter()
        .map(|port| {
            json!({
                "name": port.name, "protocol": protocol(port.transport), "port": port.port,
                "targetPort": port.target_port, "nodePort": port.node_port,
            })
        })
        .collect();
    let kind = match (!service.load_balancer.is_empty(), service.ports.iter().any(|port| port.node_port.is_some())) {
        (true, _) => "LoadBalancer",
        (false, true) => "NodePort",
        (false, false) => "ClusterIP",
    };
    let ips = [service.cluster_ip.0.to_string(), service.cluster_ip.1.to_string()];
    let mut object = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"namespace": service.namespace, "name": service.name},
        "spec": {
            "type": kind, "clusterIP": ips[0], "clusterIPs": ips, "ipFamilies": ["IPv4", "IPv6"],
            "ipFamilyPolicy": "RequireDualStack", "internalTrafficPolicy": "Cluster", "sessionAffinity": "None",
            "ports": ports,
        },
    });
    let each = |all: &[Addresses]| -> Vec<String> {
        all.iter().flat_map(|(v4, v6)| [v4.to_string(), v6.to_string()]).collect()
    };
    if !service.external_ips.is_empty() {
        object["spec"]["externalIPs"] = json!(each(&service.external_ips));
    }
    if kind != "ClusterIP" || !service.external_ips.is_empty() {
        object["spec"]["externalTrafficPolicy"] = json!(match service.traffic {
            Traffic::Cluster => "Cluster",
            Traffic::Local => "Local",
        });
    }
    if kind == "LoadBalancer" {
        let ingress = each(&service.load_balancer).into_iter().map(|ip| json!({"ip": ip, "ipMode": "VIP"}));
        object["status"] = json!({"loadBalancer": {"ingress": ingress.collect::<Vec<_>>()}});
    }
    object
}

fn endpoints(service: &Service, family: Family) -> Value {
    let ports: Vec<(&str, &str, u16)> =
        service.ports.iter().map(|port| (port.name.as_str(), protocol(port.transport), port.target_port)).collect();
    let addresses: Vec<String> = service.endpoints.iter().map(|&pod| family.of(PODS[pod]).to_string()).collect();
    let endpoints: Vec<(&str, &str)> = service
        .endpoints
        .iter()
        .zip(&addresses)
        .map(|(&pod, address)| (address.as_str(), ["node1", "node2"][pod]))
        .collect();
    endpoint_slice((&service.namespace, &service.name), family.name(), &ports, &endpoints)
}
