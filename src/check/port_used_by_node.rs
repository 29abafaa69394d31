//! Ports that a node's own services use.

use crate::finding::{Finding, Place, Route, Rule, Severity};
use crate::grammar::Port;
use crate::plan::node::Way;
use crate::plan::{Cni, OwnGateway, Plan, Protocol, ServiceType, Strategy};

pub static RULE: Rule = Rule {
    name: "port-used-by-node",
    severity: Severity::Error,
    acceptable: true,
    page: include_str!("port_used_by_node.md"),
};

/// What a port is known for, and when it is in use.
struct Known {
    protocol: Protocol,
    port: u16,
    what: &'static str,
    when: fn(&Plan) -> bool,
}

const fn tcp(port: u16, what: &'static str, when: fn(&Plan) -> bool) -> Known {
    Known { protocol: Protocol::TCP, port, what, when }
}

const fn udp(port: u16, what: &'static str, when: fn(&Plan) -> bool) -> Known {
    Known { protocol: Protocol::UDP, port, what, when }
}

fn always(_: &Plan) -> bool {
    true
}

fn kube_proxy(plan: &Plan) -> bool {
    plan.cluster.data_plane.kube_proxy().is_some()
}

fn cilium(plan: &Plan) -> bool {
    plan.cluster.cni == Cni::Cilium
}

fn calico(plan: &Plan) -> bool {
    plan.cluster.cni == Cni::Calico
}

fn flannel(plan: &Plan) -> bool {
    plan.cluster.cni == Cni::Flannel
}

fn metal_lb(plan: &Plan) -> bool {
    plan.gateways.values().any(|gateway| matches!(gateway.strategy, Strategy::MetalLb { .. }))
}

/// The ports Kubernetes' own pages and the network plugins' name.
const KNOWN: &[Known] = &[
    tcp(22, "the SSH server", always),
    tcp(2379, "etcd's clients", always),
    tcp(2380, "etcd's peers", always),
    tcp(6443, "the API server", always),
    tcp(10248, "the kubelet's health check", always),
    tcp(10249, "kube-proxy's metrics", kube_proxy),
    tcp(10250, "the kubelet", always),
    tcp(10256, "kube-proxy's health check", kube_proxy),
    tcp(10257, "the controller manager", always),
    tcp(10259, "the scheduler", always),
    tcp(4240, "Cilium's health check", cilium),
    tcp(4244, "Hubble", cilium),
    udp(8472, "Cilium's VXLAN", cilium),
    udp(8472, "flannel's VXLAN", flannel),
    tcp(179, "Calico's BGP", calico),
    udp(4789, "Calico's VXLAN", calico),
    tcp(7946, "MetalLB's members", metal_lb),
    udp(7946, "MetalLB's members", metal_lb),
];

/// The ports that are in use on the nodes of a cluster, with what they are for.
pub fn known(plan: &Plan) -> impl Iterator<Item = (Port, &'static str)> + '_ {
    let used = KNOWN.iter().filter(|known| (known.when)(plan));
    used.filter_map(|known| Port::new(known.port).map(|port| (port, known.what)))
}

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    let mut reported: Vec<Route> = Vec::new();
    let mut say = |protocol: Protocol, number: u16, route: Route, findings: &mut Vec<Finding>| {
        let known = KNOWN.iter().find(|known| known.protocol == protocol && known.port == number && (known.when)(plan));
        if let Some(known) = known
            && !reported.contains(&route)
        {
            findings.push(Finding::new(
                &RULE,
                Place::Value(route.clone()),
                format!("{} port {number} of a node belongs to {}", crate::plan::protocol_word(protocol), known.what),
                "choose another port",
            ));
            reported.push(route);
        }
    };
    for node in plan.nodes.values() {
        for door in node.doors.iter().filter(|door| door.is_public()) {
            say(door.protocol, door.port.get(), door.route.key("port"), findings);
            if let Way::Redirect { to } = door.way {
                say(door.protocol, to.get(), door.route.key("targetPort"), findings);
            }
        }
    }
    for (field, port) in plan.cluster.own_gateway.iter().flat_map(OwnGateway::ports) {
        say(Protocol::TCP, port.get(), OwnGateway::route().key(field), findings);
    }
    for gateway in plan.gateways.values() {
        for port in gateway.ports.values() {
            if let (ServiceType::NodePort, Some(node_port)) = (gateway.needs.service_type, port.node_port) {
                say(port.protocol, node_port.get(), port.route.key("nodePort"), findings);
            }
            if gateway.needs.host_port {
                say(port.protocol, port.port.get(), port.route.key("port"), findings);
            }
            // Without a door, a process in the node's network namespace still listens.
            if gateway.needs.host_network {
                say(port.protocol, port.target_port.get(), port.route.key("targetPort"), findings);
            }
        }
    }
}
