//! A lab at work: the machines, a data plane on the nodes, gateways that listen, and a rendered tree on the nodes.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::Child;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use portgen::chart::Charts;
use portgen::grammar::Port;
use portgen::input;
use portgen::plan::{self, Announce, Bind, Plan, Protocol, ServiceType, Strategy, TrafficPolicy};
use portgen::source::Source as Text;

use crate::data_plane::{DataPlane, Service, ServicePort, Traffic, port_map};
use crate::net::{Addresses, CLUSTER_IP, Family, LOAD_BALANCER, NODES, Topology, v6};
use crate::node::{Installed, Tree};
use crate::real::KubeProxy;
use crate::traffic::{self, Gateway, Outcome, PATIENCE, Transport};

/// A spec of the lab's two nodes.
pub fn spec(data_plane: DataPlane, exposure: &str, udp: bool) -> String {
    let http3 = if udp { "\n      http3: {port: 443, tls: true, protocol: UDP}" } else { "" };
    format!(
        "apiVersion: portgen/v1alpha1
kind: Cluster
metadata: {{name: lab}}
cluster:
  kubernetesVersion: \"1.34\"
  serviceProxy: {}
  ipFamilies: [IPv4, IPv6]
  podSecurity: privileged
nodePools:
  edge:
    nodeSelector: {{pool: edge}}
    os: debian-12
    addresses: [198.51.100.11, 198.51.100.12, \"2001:db8:64::11\", \"2001:db8:64::12\"]
gateways:
  apisix:
    chart: apisix
    namespace: gw
    nodePools: [edge]
    ports:
      http: {{port: 80}}
      https: {{port: 443, tls: true}}{http3}
    replicas: 2
    exposure: {exposure}
",
        data_plane.spec()
    )
}

/// The same with other gateways beside the first, each with two ports: lists of rules grow long.
pub fn crowded(spec: &str, others: u16) -> String {
    let other = |number: u16| {
        let (http, https) = (8_100 + 2 * number, 8_101 + 2 * number);
        format!(
            "  crowd-{number}:
    chart: kong
    namespace: crowd
    nodePools: [edge]
    replicas: 2
    ports:
      http: {{port: {http}, nodePort: {}}}
      https: {{port: {https}, nodePort: {}, tls: true}}
    exposure: {{strategy: nodePortRedirect}}
",
            http + 23_000,
            https + 23_000
        )
    };
    spec.to_owned() + &(0..others).map(other).collect::<Vec<_>>().concat()
}

/// The plan of a spec.
pub fn plan(spec: &str) -> Plan {
    let source = Text { path: "portgen.yaml".to_owned(), text: spec.to_owned() };
    let input = input::parse(source, &mut |_, _| Err("the lab has no bases".to_owned()));
    let spec = input.spec.unwrap_or_else(|| panic!("{:?}", input.findings));
    plan::build(&spec, &Charts::built_in(|_| true))
}

/// The Service that a plan has before the pods of a gateway, or before its processes on the nodes.
pub fn service(gateway: &plan::Gateway, endpoints: &[usize]) -> Service {
    let ports = gateway.ports.iter().map(|(name, port)| ServicePort {
        name: name.to_string(),
        transport: match port.protocol {
            Protocol::TCP => Transport::Tcp,
            Protocol::UDP => Transport::Udp,
        },
        port: port.port.get(),
        target_port: port.target_port.get(),
        node_port: port.node_port.map(Port::get),
    });
    // Without an announcer of its own the address is the nodes'.
    let of_nodes = gateway.strategy.announced().is_some_and(|(announced, _)| announced.how == Announce::Node)
        || !gateway.needs.status_ips.is_empty();
    Service {
        namespace: gateway.namespace.to_string(),
        name: gateway.service.name.clone(),
        cluster_ip: CLUSTER_IP,
        ports: ports.collect(),
        traffic: match gateway.needs.policy {
            Some(TrafficPolicy::Local) => Traffic::Local,
            _ => Traffic::Cluster,
        },
        load_balancer: match gateway.needs.service_type {
            ServiceType::LoadBalancer if of_nodes => NODES.to_vec(),
            ServiceType::LoadBalancer => vec![LOAD_BALANCER],
            ServiceType::NodePort | ServiceType::ClusterIp => Vec::new(),
        },
        external_ips: if gateway.needs.external_ips.is_empty() { Vec::new() } else { NODES.to_vec() },
        endpoints: endpoints.to_vec(),
    }
}

/// Who serves the Services on the nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A model of the data plane.
    Model,
    /// A real kube-proxy.
    Real,
}

/// What the processes of a gateway are called, by the position of their endpoint.
const HOMES: [&str; 4] = ["pod1", "pod2", "node1", "node2"];

/// Where the processes of a gateway listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Home {
    Pods,
    Nodes,
}

/// Machines with everything on them that a spec speaks of.
pub struct Scene {
    pub net: Topology,
    pub data_plane: DataPlane,
    /// The gateway's Service first, where it has one, and somebody else's.
    pub services: Vec<Service>,
    gateways: Vec<Gateway>,
    /// Where clients find the gateway on each node.
    edge: [Addresses; 2],
    listens: Vec<(Transport, u16)>,
    ports: Vec<(Transport, u16)>,
    /// The ports of the spec, and those clients connect to.
    public: Vec<(u16, u16)>,
    /// Whether the gateway's processes bind the public ports themselves.
    pub direct: bool,
    installed: Vec<Installed>,
    /// Real ones, where the models are not to be believed.
    kube_proxies: Vec<KubeProxy>,
    processes: Vec<Child>,
}

impl Drop for Scene {
    fn drop(&mut self) {
        for process in &mut self.processes {
            // One that ended by itself is gone already.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

impl Scene {
    /// The machines with a data plane and the gateways of a spec, without any node file.
    pub fn new(data_plane: DataPlane, spec: &str) -> Self {
        Self::served(data_plane, Kind::Model, spec)
    }

    /// The same, served by a model or by the real thing.
    pub fn served(data_plane: DataPlane, kind: Kind, spec: &str) -> Self {
        let plan = plan(spec);
        let gateway = plan.gateways.values().next().expect("a gateway");
        let mut edge = service(gateway, if gateway.needs.host_port { &[0, 1] } else { &[0] });
        if gateway.needs.host_port && data_plane == DataPlane::Cilium {
            // The stand-in serves a mapped port as it serves any address of its node.
            edge.external_ips = NODES.to_vec();
        }
        let ports = edge.ports.clone();
        let edge_of = if edge.load_balancer.contains(&LOAD_BALANCER) { [LOAD_BALANCER; 2] } else { NODES };
        let home = if gateway.needs.host_network { Home::Nodes } else { Home::Pods };
        // Somebody else's Service: what happens beside a gateway must not touch it.
        let other = Service {
            namespace: "other".to_owned(),
            name: "app".to_owned(),
            cluster_ip: ("203.0.113.150".parse().expect("an address"), v6(0x80, 0x150)),
            ports: vec![ServicePort {
                name: "http".to_owned(),
                transport: Transport::Tcp,
                port: 80,
                target_port: 7000,
                node_port: None,
            }],
            traffic: Traffic::Cluster,
            load_balancer: Vec::new(),
            external_ips: Vec::new(),
            endpoints: vec![1],
        };
        let net = Topology::new();
        let services = if home == Home::Pods { vec![edge, other] } else { vec![other] };
        let mut kube_proxies = Vec::new();
        for (node, machine) in net.nodes.iter().enumerate() {
            match kind {
                Kind::Model => data_plane.start(machine, node, &services),
                Kind::Real => kube_proxies.push(KubeProxy::start(machine, data_plane, node, &services)),
            }
        }
        if gateway.needs.host_port && data_plane != DataPlane::Cilium {
            for (node, machine) in net.nodes.iter().enumerate() {
                port_map::load(machine, data_plane.variant(), node, &ports);
            }
        }
        let listens: Vec<(Transport, u16)> = ports.iter().map(|port| (port.transport, port.target_port)).collect();
        let direct = matches!(gateway.strategy, Strategy::HostNetwork { bind: Bind::Direct, .. });
        let mut gateways = match home {
            Home::Pods => ["pod1", "pod2"].into_iter().zip(&net.pods).collect(),
            // It needs the node's sysctl first.
            Home::Nodes if direct => Vec::new(),
            Home::Nodes => ["node1", "node2"].into_iter().zip(&net.nodes).collect(),
        };
        let mut gateways: Vec<Gateway> =
            gateways.drain(..).map(|(name, machine)| Gateway::listen(machine, name, &listens)).collect();
        gateways.push(Gateway::listen(&net.pods[1], "app", &[(Transport::Tcp, 7000)]));
        gateways.push(Gateway::listen(&net.client2, "web", &[(Transport::Tcp, 80)]));
        Self {
            net,
            data_plane,
            services,
            gateways,
            edge: edge_of,
            listens,
            ports: ports.iter().map(|port| (port.transport, port.port)).collect(),
            public: gateway.ports.values().map(|port| (port.port.get(), gateway.public_port(port).get())).collect(),
            direct,
            installed: Vec::new(),
            kube_proxies,
            processes: Vec::new(),
        }
    }

    /// Puts a tree on both nodes and boots it, with the processes that its sockets start.
    pub fn install(&mut self, tree: &Arc<Tree>) {
        for machine in &self.net.nodes {
            let installed = Installed::new(machine, tree, self.data_plane.variant());
            installed.start(machine);
            self.processes.extend(installed.proxies().iter().map(|command| machine.start(command)));
            self.installed.push(installed);
        }
        if self.direct {
            // The kernel looks at capabilities, not at the user: a root without them is anybody.
            let ports: Vec<String> =
                self.listens.iter().map(|(transport, port)| format!("{}:{port}", transport.word())).collect();
            for (machine, name) in self.net.nodes.iter().zip(["node1", "node2"]) {
                let program = std::env::current_exe().expect("a path");
                let mut command = vec![
                    "setpriv",
                    "--bounding-set=-all",
                    "--inh-caps=-all",
                    program.to_str().expect("UTF-8"),
                    "serve",
                    name,
                ];
                command.extend(ports.iter().map(String::as_str));
                self.processes.push(machine.start(&command.into_iter().map(str::to_owned).collect::<Vec<_>>()));
            }
        }
        self.wait();
    }

    /// Runs lines of the unit on a node.
    pub fn unit(&self, node: usize, setting: &str) {
        self.installed[node].run(&self.net.nodes[node], setting);
    }

    /// Lets the process of the gateway end that listens there.
    pub fn close(&mut self, endpoint: usize) {
        self.gateways.retain(|gateway| gateway.name != HOMES[endpoint]);
    }

    /// Lets a process of the gateway listen: in a pod, or on a node.
    pub fn listen(&mut self, endpoint: usize) {
        let machine = self.net.pods.iter().chain(&self.net.nodes).nth(endpoint).expect("a pod or a node");
        self.gateways.push(Gateway::listen(machine, HOMES[endpoint], &self.listens));
    }

    /// Puts another tree on a node.
    pub fn replace(&mut self, node: usize, tree: &Arc<Tree>) {
        self.installed[node].replace(&self.net.nodes[node], tree);
    }

    /// Until the processes listen, or patience ends: whoever asks them then will say more.
    fn wait(&self) {
        let ports: &[u16] = if self.processes.is_empty() { &[] } else { &[80, 443] };
        let ends = Instant::now() + PATIENCE;
        for (machine, &port) in self.net.nodes.iter().flat_map(|machine| ports.iter().map(move |port| (machine, port)))
        {
            while machine.run(|| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err()) && Instant::now() < ends {
                thread::sleep(Duration::from_millis(10));
            }
        }
    }

    /// Where clients find a port of the gateway on a node.
    pub fn at(&self, node: usize, family: Family, port: u16) -> SocketAddr {
        SocketAddr::new(family.of(self.edge[node]), self.public(port))
    }

    /// The port clients connect to, by that of the spec.
    pub fn public(&self, port: u16) -> u16 {
        self.public.iter().find(|(written, _)| *written == port).map_or(port, |(_, public)| *public)
    }

    /// What clients connect to.
    pub fn ports(&self) -> Vec<(Transport, u16)> {
        self.ports.clone()
    }

    /// What the client meets at every port of node1, from source ports that stay the same.
    pub fn met_from_kept_ports(&self, family: Family, patience: Duration) -> Outcome {
        let met = self.ports.iter().zip(45_700..).map(|(&(transport, port), source)| {
            traffic::from_port(&self.net.client, transport, source, self.at(0, family, port), patience)
        });
        Outcome::of_all(&met.collect::<Vec<_>>())
    }

    /// Lets something happen while the gateway's Service is gone.
    pub fn without_service<T>(&mut self, what: impl FnOnce(&mut Self) -> T) -> T {
        let edge = self.services.remove(0);
        self.sync();
        let result = what(self);
        self.services.insert(0, edge);
        self.sync();
        result
    }

    /// Where pods find somebody else's Service.
    pub fn other_service(&self, family: Family) -> SocketAddr {
        let other = self.services.last().expect("it is always there");
        SocketAddr::new(family.of(other.cluster_ip), other.ports[0].port)
    }

    /// Changes which pods are behind the gateway's Service, everywhere.
    pub fn set_endpoints(&mut self, endpoints: &[usize]) {
        self.services[0].endpoints = endpoints.to_vec();
        self.sync();
    }

    /// Lets the data plane write its rules again on every node.
    pub fn sync(&mut self) {
        for (node, machine) in self.net.nodes.iter().enumerate() {
            match self.kube_proxies.get_mut(node) {
                Some(real) => real.sync(machine, &self.services),
                None => self.data_plane.sync(machine, node, &self.services),
            }
        }
    }
}
