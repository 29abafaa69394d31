//! Every way to expose a gateway, and what each probe should meet there.

use portgen::plan::knowledge::Form;

use crate::data_plane::DataPlane;
use crate::net::Family;
use crate::probe::Probe;
use crate::scene::{crowded, spec};
use crate::traffic::{Outcome, Source};

/// A way to expose a gateway.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// The form it belongs to.
    pub form: Form,
    /// Its name in the matrix.
    pub title: &'static str,
    /// The exposure of its spec.
    pub exposure: &'static str,
    /// Whether it carries UDP too.
    pub udp: bool,
    /// The range of node ports, where it is not the usual one.
    pub range: &'static str,
    /// Whether it is a Kong, whose chart can say what it needs.
    pub kong: bool,
    /// Other gateways on the same nodes.
    pub others: u16,
    /// What each probe should meet; `None` where it asks nothing.
    pub expected: fn(Probe, DataPlane, Family) -> Option<Outcome>,
    /// Where portgen refuses it: how to build it all the same, and what a client then meets.
    pub refused: fn(DataPlane) -> Option<Attempt>,
}

impl Case {
    /// Its spec on a data plane.
    pub fn spec(&self, data_plane: DataPlane) -> String {
        let range = format!("  nodePortRange: {}\n  ipFamilies", self.range);
        let spec = crowded(&spec(data_plane, self.exposure, self.udp), self.others).replace("  ipFamilies", &range);
        if self.kong { on_kong(&spec) } else { spec }
    }
}

/// The same with a Kong that listens where the lab's gateways do; over UDP it speaks no HTTP/3.
fn on_kong(spec: &str) -> String {
    spec.replace("chart: apisix", "chart: kong")
        .replace("{port: 443, tls: true, protocol: UDP}", "{port: 443, targetPort: 9443, protocol: UDP}")
        .replace("{port: 80}", "{port: 80, targetPort: 9080}")
        .replace("{port: 443, tls: true}", "{port: 443, targetPort: 9443, tls: true}")
}

/// What portgen refuses, built by hand.
#[derive(Debug, Clone)]
pub struct Attempt {
    pub by_hand: ByHand,
    /// Who tries it.
    pub probe: Probe,
    /// What it meets.
    pub meets: Outcome,
}

/// How to build what portgen refuses.
#[derive(Debug, Clone, Copy)]
pub enum ByHand {
    /// With the files it writes for kube-proxy's iptables mode.
    Elsewhere,
    /// With a Service whose address nobody hands out.
    Pending,
    /// With a unit of these lines.
    Unit(&'static str),
}

const SEES_CLIENT: Option<Outcome> = Some(Outcome::Answer(Source::Client));
const SEES_NODE: Option<Outcome> = Some(Outcome::Answer(Source::Node));
const SEES_POD: Option<Outcome> = Some(Outcome::Answer(Source::Pod));
const SEES_LOOPBACK: Option<Outcome> = Some(Outcome::Answer(Source::Loopback));

/// A port rewrite with `externalTrafficPolicy: Cluster`.
fn rewrite(probe: Probe, _: DataPlane, family: Family) -> Option<Outcome> {
    match probe {
        Probe::Http
        | Probe::Https
        | Probe::Http3
        | Probe::OtherNode
        | Probe::FromNode
        | Probe::FromPod
        | Probe::FromOwnPod
        | Probe::OwnAddress
        | Probe::Replaced
        | Probe::ReplacedUdp
        | Probe::ServedAgain => SEES_NODE,
        Probe::PassingThrough | Probe::OtherService => SEES_POD,
        // IPv6 has no datagram without one.
        Probe::NoChecksum => (family == Family::V4).then_some(Outcome::Whole),
        Probe::Loopback | Probe::NoEndpoint | Probe::Unserved => Some(Outcome::Refused),
        Probe::NodePort | Probe::OwnNodePort => Some(Outcome::Timeout),
        Probe::SmallPathDownload | Probe::SmallPathUpload | Probe::Fragments | Probe::Fin => Some(Outcome::Whole),
        Probe::Rst => Some(Outcome::Reset),
        _ => None,
    }
}

/// The same with `externalTrafficPolicy: Local`.
fn rewrite_local(probe: Probe, data_plane: DataPlane, family: Family) -> Option<Outcome> {
    match probe {
        Probe::Http | Probe::Https | Probe::Http3 | Probe::ServedAgain => SEES_CLIENT,
        Probe::FromPod => SEES_POD,
        Probe::OtherNode => Some(Outcome::Timeout),
        // They go by way of the other node, which is silent.
        Probe::SmallPathUpload | Probe::Replaced | Probe::ReplacedUdp => None,
        _ => rewrite(probe, data_plane, family),
    }
}

/// The same with the node port open.
fn rewrite_open(probe: Probe, data_plane: DataPlane, family: Family) -> Option<Outcome> {
    match probe {
        Probe::NodePort | Probe::OwnNodePort => SEES_NODE,
        Probe::NodePortNoEndpoint => Some(Outcome::Refused),
        Probe::SameSourcePort => Some(Outcome::Whole),
        _ => rewrite(probe, data_plane, family),
    }
}

/// Only some sources may connect.
fn sources(probe: Probe, data_plane: DataPlane, family: Family) -> Option<Outcome> {
    match probe {
        Probe::SecondClient => Some(Outcome::Timeout),
        Probe::Http | Probe::Https | Probe::Http3 | Probe::NodePort => rewrite(probe, data_plane, family),
        _ => None,
    }
}

/// The same with the node port open to them.
fn sources_open(probe: Probe, data_plane: DataPlane, family: Family) -> Option<Outcome> {
    match probe {
        Probe::NodePort => SEES_NODE,
        Probe::NodePortSecondClient => Some(Outcome::Timeout),
        _ => sources(probe, data_plane, family),
    }
}

fn connections(probe: Probe, _: DataPlane, _: Family) -> Option<Outcome> {
    (probe == Probe::ConnectionsAtOnce).then_some(Outcome::Count(5))
}

fn rate(probe: Probe, _: DataPlane, _: Family) -> Option<Outcome> {
    (probe == Probe::NewConnections).then_some(Outcome::Count(10))
}

/// A proxy in user space.
fn proxy(probe: Probe, data_plane: DataPlane, family: Family) -> Option<Outcome> {
    match probe {
        // It connects there itself, from this very node.
        Probe::Loopback | Probe::OwnNodePort => SEES_NODE,
        // It carries no UDP, and passes a reset on as a reset or as an end, as it comes.
        Probe::Http3 | Probe::NoChecksum | Probe::Fragments | Probe::ReplacedUdp | Probe::Rst => None,
        // The proxy has accepted by then, and hangs up.
        Probe::NoEndpoint | Probe::Unserved => Some(Outcome::Reset),
        _ => rewrite(probe, data_plane, family),
    }
}

/// Node ports as they are.
fn node_port(probe: Probe, data_plane: DataPlane, family: Family) -> Option<Outcome> {
    match (probe, data_plane) {
        // Where no rule of portgen takes part, a source port that was refused is IPVS's own business, and it takes its time.
        (Probe::ServedAgain, DataPlane::Ipvs) | (Probe::NodePort | Probe::OwnNodePort, _) => None,
        (Probe::Loopback, DataPlane::Iptables(_)) if family == Family::V4 => SEES_NODE,
        (_, DataPlane::Cilium) => stand_in(probe),
        _ => rewrite(probe, data_plane, family),
    }
}

/// The public number itself as the node port.
fn node_port_itself(probe: Probe, data_plane: DataPlane, family: Family) -> Option<Outcome> {
    match (probe, data_plane) {
        // kube-proxy masquerades what comes to a node port at any local address, and there every Service's is one.
        (Probe::OtherService, DataPlane::Ipvs) => SEES_NODE,
        _ => node_port(probe, data_plane, family),
    }
}

/// Addresses that the Service claims.
fn external_ips(probe: Probe, data_plane: DataPlane, family: Family) -> Option<Outcome> {
    match (probe, data_plane) {
        (Probe::NodePort | Probe::OwnNodePort, _) => None,
        (_, DataPlane::Cilium) => stand_in(probe),
        _ => rewrite(probe, data_plane, family),
    }
}

/// What Cilium's stand-in can be asked.
fn stand_in(probe: Probe) -> Option<Outcome> {
    match probe {
        Probe::Http | Probe::Https | Probe::Http3 | Probe::SecondClient => SEES_CLIENT,
        Probe::Fin => Some(Outcome::Whole),
        Probe::Rst => Some(Outcome::Reset),
        _ => None,
    }
}

/// A process in the node's network namespace.
fn host_network(probe: Probe, data_plane: DataPlane, family: Family) -> Option<Outcome> {
    match probe {
        // The stand-in serves nobody who starts in a pod.
        Probe::OtherService if data_plane == DataPlane::Cilium => None,
        Probe::Http | Probe::Https | Probe::Http3 | Probe::OtherNode | Probe::SecondClient => SEES_CLIENT,
        Probe::FromNode | Probe::OwnAddress => SEES_NODE,
        Probe::FromPod | Probe::FromOwnPod | Probe::PassingThrough | Probe::OtherService => SEES_POD,
        Probe::Loopback => SEES_LOOPBACK,
        Probe::NoChecksum => (family == Family::V4).then_some(Outcome::Whole),
        Probe::SmallPathDownload | Probe::SmallPathUpload | Probe::Fragments | Probe::Fin => Some(Outcome::Whole),
        Probe::Rst => Some(Outcome::Reset),
        _ => None,
    }
}

/// The same with a redirect to the process.
fn host_network_redirect(probe: Probe, data_plane: DataPlane, family: Family) -> Option<Outcome> {
    match (probe, data_plane) {
        // Beside IPVS the redirect keeps to the addresses that the pool names.
        (Probe::Loopback, DataPlane::Ipvs) => Some(Outcome::Refused),
        _ => host_network(probe, data_plane, family),
    }
}

fn host_network_sources(probe: Probe, data_plane: DataPlane, family: Family) -> Option<Outcome> {
    match probe {
        Probe::SecondClient | Probe::ListenerSecondClient => Some(Outcome::Timeout),
        Probe::Http | Probe::Https | Probe::Http3 => host_network(probe, data_plane, family),
        _ => None,
    }
}

/// A port of the node that is mapped to its pod.
fn host_port(probe: Probe, data_plane: DataPlane, family: Family) -> Option<Outcome> {
    if data_plane == DataPlane::Cilium {
        return stand_in(probe);
    }
    match probe {
        // portmap maps ::1 too, but no packet leaves the node with that source.
        Probe::Loopback if family == Family::V6 => Some(Outcome::Timeout),
        // Masqueraded, or the answer would not come back by the node.
        Probe::FromOwnPod | Probe::Loopback => SEES_NODE,
        _ => host_network(probe, data_plane, family),
    }
}

/// An address that is announced from one node.
fn load_balancer(probe: Probe, data_plane: DataPlane, family: Family) -> Option<Outcome> {
    if data_plane == DataPlane::Cilium {
        return stand_in(probe);
    }
    match probe {
        // Nobody is at the node's own address, and another node has no other way than the address.
        // Without a Service the address is nobody's either.
        Probe::OwnNodePort
        | Probe::OtherNode
        | Probe::Loopback
        | Probe::NodePort
        | Probe::SmallPathUpload
        | Probe::Unserved => None,
        _ => rewrite(probe, data_plane, family),
    }
}

fn load_balancer_local(probe: Probe, data_plane: DataPlane, family: Family) -> Option<Outcome> {
    // The address is on every node, so a node without a pod keeps its own connections, and IPVS says no to TCP alone
    // (the ports are asked in the order of their names: http, http3, https). One to itself keeps the address it was
    // made to.
    match (probe, data_plane, family) {
        (Probe::FromNode, DataPlane::Ipvs, Family::V4) => {
            return Some(Outcome::Differs("refused, timeout, refused".to_owned()));
        }
        (Probe::FromNode, DataPlane::Ipvs, Family::V6) => return Some(Outcome::Timeout),
        (Probe::OwnAddress, DataPlane::Ipvs, _) => return Some(Outcome::Answer(Source::Other)),
        _ => {}
    }
    match load_balancer(probe, data_plane, family)? {
        _ if matches!(probe, Probe::Replaced | Probe::ReplacedUdp) => None,
        _ if matches!(probe, Probe::Http | Probe::Https | Probe::Http3 | Probe::ServedAgain) => SEES_CLIENT,
        _ if probe == Probe::FromPod => SEES_POD,
        outcome => Some(outcome),
    }
}

/// Cilium serves node ports before netfilter could rewrite to one.
fn not_under_cilium(data_plane: DataPlane) -> Option<Attempt> {
    let attempt = Attempt { by_hand: ByHand::Elsewhere, probe: Probe::Http, meets: Outcome::Refused };
    (data_plane == DataPlane::Cilium).then_some(attempt)
}

/// kube-proxy serves node ports on 127.0.0.1 in its iptables mode only.
fn proxy_refused(data_plane: DataPlane) -> Option<Attempt> {
    let attempt = Attempt { by_hand: ByHand::Elsewhere, probe: Probe::Http, meets: Outcome::Reset };
    (!matches!(data_plane, DataPlane::Iptables(_))).then_some(attempt)
}

/// IPVS makes the claimed addresses of one node local to the others.
fn beside_ipvs(data_plane: DataPlane) -> Option<Attempt> {
    let attempt = Attempt { by_hand: ByHand::Elsewhere, probe: Probe::OtherNode, meets: Outcome::Timeout };
    (data_plane == DataPlane::Ipvs).then_some(attempt)
}

/// Where there is no Cilium, nobody takes up a Service of its class.
fn without_cilium(data_plane: DataPlane) -> Option<Attempt> {
    let attempt = Attempt { by_hand: ByHand::Pending, probe: Probe::Http, meets: Outcome::Timeout };
    (data_plane != DataPlane::Cilium).then_some(attempt)
}

/// The same at the nodes' own addresses, where nobody listens.
fn nodes_without_cilium(data_plane: DataPlane) -> Option<Attempt> {
    without_cilium(data_plane).map(|attempt| Attempt { meets: Outcome::Refused, ..attempt })
}

fn never(_: DataPlane) -> Option<Attempt> {
    None
}

#[expect(clippy::unnecessary_wraps, reason = "it is one of the functions of a case")]
fn recipe(data_plane: DataPlane) -> Option<Attempt> {
    const LINES: &str = "[Service]
ExecStart=/usr/sbin/iptables -t nat -I PREROUTING -p tcp --dport 80 -j REDIRECT --to-port 30080
ExecStart=/usr/sbin/iptables -t nat -I PREROUTING -p tcp --dport 443 -j REDIRECT --to-port 30443
ExecStart=/usr/sbin/ip6tables -t nat -I PREROUTING -p tcp --dport 80 -j REDIRECT --to-port 30080
ExecStart=/usr/sbin/ip6tables -t nat -I PREROUTING -p tcp --dport 443 -j REDIRECT --to-port 30443
";
    let by_hand = ByHand::Unit(LINES);
    Some(match data_plane {
        // IPVS finds a pod, without masquerading: one of another node cannot answer.
        DataPlane::Ipvs => Attempt { by_hand, probe: Probe::OtherNode, meets: Outcome::Timeout },
        _ => Attempt { by_hand, probe: Probe::Http, meets: Outcome::Refused },
    })
}

const fn case(
    form: Form,
    title: &'static str,
    exposure: &'static str,
    udp: bool,
    expected: fn(Probe, DataPlane, Family) -> Option<Outcome>,
    refused: fn(DataPlane) -> Option<Attempt>,
) -> Case {
    Case { form, title, exposure, udp, range: "30000-32767", kong: false, others: 0, expected, refused }
}

/// Every way there is.
pub const CASES: [Case; 24] = [
    case(Form::PortRewrite, "nodePortRedirect", "{strategy: nodePortRedirect}", true, rewrite, not_under_cilium),
    case(
        Form::PortRewrite,
        "nodePortRedirect, Local",
        "{strategy: nodePortRedirect, externalTrafficPolicy: Local}",
        true,
        rewrite_local,
        not_under_cilium,
    ),
    case(
        Form::PortRewrite,
        "nodePortRedirect, node port open",
        "{strategy: nodePortRedirect, directNodePort: allow}",
        true,
        rewrite_open,
        not_under_cilium,
    ),
    Case {
        others: 20,
        ..case(
            Form::PortRewrite,
            "nodePortRedirect, among 40 other ports",
            "{strategy: nodePortRedirect}",
            true,
            rewrite,
            not_under_cilium,
        )
    },
    case(
        Form::PortRewrite,
        "nodePortRedirect, allowFrom",
        "{strategy: nodePortRedirect, allowFrom: [192.0.2.0/26, \"2001:db8:1::/64\"]}",
        true,
        sources,
        not_under_cilium,
    ),
    case(
        Form::PortRewrite,
        "nodePortRedirect, allowFrom, node port open",
        "{strategy: nodePortRedirect, directNodePort: allow, allowFrom: [192.0.2.0/26, \"2001:db8:1::/64\"]}",
        true,
        sources_open,
        not_under_cilium,
    ),
    case(
        Form::PortRewrite,
        "nodePortRedirect, connectionsPerSource",
        "{strategy: nodePortRedirect, limits: {connectionsPerSource: 5}}",
        false,
        connections,
        not_under_cilium,
    ),
    case(
        Form::PortRewrite,
        "nodePortRedirect, newConnectionsPerSecond",
        "{strategy: nodePortRedirect, limits: {newConnectionsPerSecond: 1, burst: 10}}",
        false,
        rate,
        not_under_cilium,
    ),
    case(
        Form::SocketProxy,
        "nodePortRedirect, socketProxy",
        "{strategy: nodePortRedirect, mechanism: socketProxy}",
        false,
        proxy,
        proxy_refused,
    ),
    case(
        Form::NatRedirect,
        "nodePortRedirect, natRedirect",
        "{strategy: nodePortRedirect, mechanism: natRedirect}",
        false,
        |_, _, _| None,
        recipe,
    ),
    case(Form::NodePort, "nodePort", "{strategy: nodePort}", true, node_port, never),
    Case {
        range: "80-32767",
        ..case(
            Form::NodePortInRange,
            "nodePort, 80 itself in a wide range",
            "{strategy: nodePort}",
            true,
            node_port_itself,
            never,
        )
    },
    case(Form::ExternalIpsSpec, "externalIPs", "{strategy: externalIPs}", true, external_ips, beside_ipvs),
    case(
        Form::ExternalIpsStatus,
        "externalIPs, in the status",
        "{strategy: externalIPs, form: status}",
        true,
        external_ips,
        beside_ipvs,
    ),
    case(
        Form::HostNetworkRedirect,
        "hostNetwork, redirect",
        "{strategy: hostNetwork}",
        true,
        host_network_redirect,
        never,
    ),
    case(
        Form::HostNetworkDirect,
        "hostNetwork, direct",
        "{strategy: hostNetwork, bind: direct}",
        true,
        host_network,
        never,
    ),
    case(
        Form::HostNetworkRedirect,
        "hostNetwork, allowFrom",
        "{strategy: hostNetwork, allowFrom: [192.0.2.0/26, \"2001:db8:1::/64\"]}",
        true,
        host_network_sources,
        never,
    ),
    Case { kong: true, ..case(Form::HostPort, "hostPort", "{strategy: hostPort}", true, host_port, never) },
    case(
        Form::MetalLbL2,
        "metalLB",
        "{strategy: metalLB, mode: l2, addresses: [198.51.100.200-198.51.100.209, \"2001:db8:64::200-2001:db8:64::209\"]}",
        true,
        load_balancer,
        never,
    ),
    case(
        Form::MetalLbL2,
        "metalLB, Local",
        "{strategy: metalLB, mode: l2, externalTrafficPolicy: Local, addresses: [198.51.100.200-198.51.100.209, \"2001:db8:64::200-2001:db8:64::209\"]}",
        true,
        load_balancer_local,
        never,
    ),
    case(
        Form::MetalLbBgp,
        "metalLB, BGP",
        "{strategy: metalLB, mode: bgp, addresses: [198.51.100.200-198.51.100.209, \"2001:db8:64::200-2001:db8:64::209\"], bgp: {localASN: 64512, peers: {router: {address: 198.51.100.1, asn: 64513}, router-v6: {address: \"2001:db8:64::1\", asn: 64513}}}}",
        true,
        load_balancer,
        never,
    ),
    case(
        Form::CiliumL2,
        "ciliumLoadBalancer, layer 2",
        "{strategy: ciliumLoadBalancer, announce: l2, addresses: [198.51.100.200-198.51.100.209, \"2001:db8:64::200-2001:db8:64::209\"]}",
        true,
        load_balancer,
        without_cilium,
    ),
    case(
        Form::CiliumBgp,
        "ciliumLoadBalancer, BGP, Local",
        "{strategy: ciliumLoadBalancer, announce: bgp, externalTrafficPolicy: Local, addresses: [198.51.100.200-198.51.100.209, \"2001:db8:64::200-2001:db8:64::209\"], bgp: {localASN: 64512, peers: {router: {address: 198.51.100.1, asn: 64513}, router-v6: {address: \"2001:db8:64::1\", asn: 64513}}}}",
        true,
        load_balancer,
        without_cilium,
    ),
    case(
        Form::CiliumNode,
        "ciliumLoadBalancer, node",
        "{strategy: ciliumLoadBalancer, announce: node}",
        true,
        load_balancer,
        nodes_without_cilium,
    ),
];
