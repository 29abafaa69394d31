//! What is proven: every way to expose a gateway, on every data plane, in both families.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::data_plane::DataPlane;
use crate::net::{CLIENT2, FAMILIES, Family, Machine, NODES};
use crate::node::{Tree, Variant};
use crate::scene::{Kind, Scene, spec};
use crate::traffic::{self, Conversation, IMPATIENCE, Outcome, PATIENCE, Source, Transport};

/// A way to expose a gateway.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// Its name in the matrix.
    pub title: &'static str,
    /// The exposure of its spec.
    pub exposure: &'static str,
    /// Whether it carries UDP too.
    pub udp: bool,
    /// What each probe should meet; `None` where it asks nothing.
    pub expected: fn(Probe, DataPlane, Family) -> Option<Outcome>,
    /// Where portgen refuses it: how to build it all the same, and what a client then meets.
    pub refused: fn(DataPlane) -> Option<(ByHand, Outcome)>,
}

/// How to build what portgen refuses.
#[derive(Debug, Clone, Copy)]
pub enum ByHand {
    /// With the files it writes for kube-proxy's iptables mode.
    Elsewhere,
    /// With a unit of these lines.
    Unit(&'static str),
}

pub const DATA_PLANES: [DataPlane; 4] =
    [DataPlane::Iptables(Variant::Nft), DataPlane::Iptables(Variant::Legacy), DataPlane::Nftables, DataPlane::Cilium];

/// One thing to try. Clients stand in the order of their distance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Probe {
    Http,
    Https,
    Http3,
    OtherNode,
    SecondClient,
    FromNode,
    FromPod,
    FromOwnPod,
    OwnAddress,
    Loopback,
    PassingThrough,
    NodePort,
    NodePortUdp,
    NodePortSecondClient,
    ListenerSecondClient,
    SameSourcePort,
    SmallPathDownload,
    SmallPathUpload,
    Fragments,
    Fin,
    Rst,
    ConnectionsAtOnce,
    NewConnections,
    Replaced,
    ReplacedUdp,
    NoEndpoint,
}

/// In the order they run: the last ones change the endpoints.
pub const PROBES: [Probe; 26] = [
    Probe::Http,
    Probe::Https,
    Probe::Http3,
    Probe::OtherNode,
    Probe::SecondClient,
    Probe::FromNode,
    Probe::FromPod,
    Probe::FromOwnPod,
    Probe::OwnAddress,
    Probe::Loopback,
    Probe::PassingThrough,
    Probe::NodePort,
    Probe::NodePortUdp,
    Probe::NodePortSecondClient,
    Probe::ListenerSecondClient,
    Probe::SameSourcePort,
    Probe::SmallPathDownload,
    Probe::SmallPathUpload,
    Probe::Fragments,
    Probe::Fin,
    Probe::Rst,
    Probe::ConnectionsAtOnce,
    Probe::NewConnections,
    Probe::Replaced,
    Probe::ReplacedUdp,
    Probe::NoEndpoint,
];

impl Probe {
    /// What it is, in the matrix.
    pub fn title(self) -> &'static str {
        match self {
            Self::Http => "client to TCP 80",
            Self::Https => "client to TCP 443",
            Self::Http3 => "client to UDP 443",
            Self::OtherNode => "client to a node without a gateway pod",
            Self::SecondClient => "a client outside `allowFrom`",
            Self::FromNode => "another node",
            Self::FromPod => "a pod of another node",
            Self::FromOwnPod => "the gateway's own pod",
            Self::OwnAddress => "the node to its own address",
            Self::Loopback => "the node to 127.0.0.1 or ::1",
            Self::PassingThrough => "a pod to port 80 of another machine",
            Self::NodePort => "client to the TCP node port",
            Self::NodePortUdp => "client to the UDP node port",
            Self::NodePortSecondClient => "a client outside `allowFrom` to the node port",
            Self::ListenerSecondClient => "a client outside `allowFrom` to the listener's own port",
            Self::SameSourcePort => "both ports from one source port",
            Self::SmallPathDownload => "download over a path of 1300 bytes",
            Self::SmallPathUpload => "upload over a path of 1300 bytes behind the node",
            Self::Fragments => "datagrams of 5,000 bytes, both ways",
            Self::Fin => "the gateway closes",
            Self::Rst => "the gateway resets",
            Self::ConnectionsAtOnce => "connections open at once, 5 allowed, 12 tried",
            Self::NewConnections => "connections in one burst of 10, 30 tried",
            Self::Replaced => "an open connection while its endpoint is replaced",
            Self::ReplacedUdp => "the next datagram after that",
            Self::NoEndpoint => "no endpoint at all",
        }
    }

    /// Runs it.
    fn run(self, scene: &mut Scene, family: Family, patience: Duration) -> Outcome {
        let probe = |from: &Machine, transport, to| traffic::probe(from, transport, to, patience);
        let at = |port| scene.at(0, family, port);
        let listener = |from: &Machine, transport, public| {
            let target = if scene.direct { public } else { public + 9_000 };
            traffic::probe_for(from, transport, at(public), target, patience)
        };
        let node_port = |port| SocketAddr::new(family.of(NODES[0]), port);
        let net = &scene.net;
        match self {
            Self::Http => listener(&net.client, Transport::Tcp, 80),
            Self::Https => listener(&net.client, Transport::Tcp, 443),
            Self::Http3 => listener(&net.client, Transport::Udp, 443),
            Self::OtherNode => probe(&net.client, Transport::Tcp, scene.at(1, family, 80)),
            Self::SecondClient => probe(&net.client2, Transport::Tcp, at(80)),
            Self::FromNode => probe(&net.nodes[1], Transport::Tcp, at(80)),
            Self::FromPod => probe(&net.pods[1], Transport::Tcp, at(80)),
            Self::FromOwnPod => probe(&net.pods[0], Transport::Tcp, at(80)),
            Self::OwnAddress => listener(&net.nodes[0], Transport::Tcp, 80),
            Self::Loopback => {
                let loopback: IpAddr = match family {
                    Family::V4 => Ipv4Addr::LOCALHOST.into(),
                    Family::V6 => Ipv6Addr::LOCALHOST.into(),
                };
                probe(&net.nodes[0], Transport::Tcp, SocketAddr::new(loopback, 80))
            }
            Self::PassingThrough => {
                let to = SocketAddr::new(family.of(CLIENT2), 80);
                traffic::probe_for(&net.pods[0], Transport::Tcp, to, 80, patience)
            }
            Self::NodePort => probe(&net.client, Transport::Tcp, node_port(30080)),
            Self::NodePortUdp => probe(&net.client, Transport::Udp, node_port(30443)),
            Self::NodePortSecondClient => probe(&net.client2, Transport::Tcp, node_port(30080)),
            Self::ListenerSecondClient => probe(&net.client2, Transport::Tcp, node_port(9080)),
            Self::SameSourcePort => {
                let talk = |to| Conversation::open_from(&net.client, 45_678, to, patience);
                match (talk(at(80)), talk(node_port(30080))) {
                    (Ok(mut first), Ok(mut second)) => match (first.who(), second.who()) {
                        (Ok(_), Ok(_)) => Outcome::Whole,
                        (Err(outcome), _) | (_, Err(outcome)) => outcome,
                    },
                    (Err(outcome), _) | (_, Err(outcome)) => outcome,
                }
            }
            Self::SmallPathDownload => transfer(&net.client2, at(80), patience, |open| open.get(400_000)),
            Self::SmallPathUpload => transfer(&net.client, scene.at(1, family, 80), patience, |open| open.put(400_000)),
            Self::Fragments => traffic::datagram(&net.client, at(443), 5_000, patience)
                .map_or_else(|outcome| outcome, |_| Outcome::Whole),
            Self::Fin => end(&net.client, at(80), patience, "bye"),
            Self::Rst => end(&net.client, at(80), patience, "abort"),
            Self::ConnectionsAtOnce => {
                let open: Vec<_> = together(12, || Conversation::open(&net.client, at(80), IMPATIENCE).ok());
                Outcome::Count(open.len())
            }
            Self::NewConnections => {
                let open =
                    together(30, || Conversation::open(&net.client, at(443), IMPATIENCE).ok().map(Conversation::abort));
                Outcome::Count(open.len())
            }
            Self::Replaced => {
                let (to, client) = (at(80), &scene.net.client);
                let open = Conversation::open(client, to, patience);
                scene.set_endpoints(&[1]);
                let stays = open.and_then(|mut open| open.who());
                let next = traffic::who(&scene.net.client, Transport::Tcp, to, patience);
                match (stays, next) {
                    (Ok(old), Ok(new)) if old.name == "pod1" && new.name == "pod2" => Outcome::Answer(old.source),
                    (Err(outcome), _) | (_, Err(outcome)) => outcome,
                    _ => Outcome::Stalled,
                }
            }
            Self::ReplacedUdp => match traffic::who(&scene.net.client, Transport::Udp, at(443), patience) {
                Ok(answer) if answer.name == "pod2" => Outcome::Answer(answer.source),
                Ok(_) => Outcome::Stalled,
                Err(outcome) => outcome,
            },
            Self::NoEndpoint => {
                scene.set_endpoints(&[]);
                traffic::probe(&scene.net.client, Transport::Tcp, scene.at(0, family, 80), patience)
            }
        }
    }
}

fn transfer(
    from: &Machine,
    to: SocketAddr,
    patience: Duration,
    what: impl FnOnce(&mut Conversation) -> Outcome,
) -> Outcome {
    Conversation::open(from, to, patience).map_or_else(|outcome| outcome, |mut open| what(&mut open))
}

fn end(from: &Machine, to: SocketAddr, patience: Duration, verb: &str) -> Outcome {
    Conversation::open(from, to, patience).map_or_else(|outcome| outcome, |open| open.end(verb))
}

/// Tries something several times at once and keeps what came of it.
fn together<T: Send>(times: usize, what: impl Fn() -> Option<T> + Sync) -> Vec<T> {
    thread::scope(|scope| {
        let tries: Vec<_> = (0..times).map(|_| scope.spawn(&what)).collect();
        tries.into_iter().filter_map(|one| one.join().expect("a thread")).collect()
    })
}

/// What the probes of a case met on a data plane in one family.
pub type Met = BTreeMap<Probe, Outcome>;

/// What became of a case on a data plane.
#[derive(Debug, Clone)]
pub enum Cell {
    /// portgen writes it, and it carries packets.
    Works(BTreeMap<Family, Met>),
    /// portgen refuses it by this rule, and built by hand it meets this.
    Refused(String, BTreeMap<Family, Outcome>),
}

/// Runs a case on a data plane.
pub fn run(case: &Case, data_plane: DataPlane, kind: Kind) -> Result<Cell, String> {
    let spec = spec(data_plane, case.exposure, case.udp);
    let tree = match Tree::render(&spec) {
        Ok(tree) => Arc::new(tree),
        Err(report) => return refused(case, data_plane, kind, &report),
    };
    let scene = Scene::served(data_plane, kind, &spec);
    carry(case, scene, &tree, PATIENCE, |_, _| false).map(Cell::Works)
}

/// Loads a tree and sends every packet of a case through it.
fn carry(
    case: &Case,
    mut scene: Scene,
    tree: &Arc<Tree>,
    patience: Duration,
    enough: impl Fn(&Outcome, &Outcome) -> bool,
) -> Result<BTreeMap<Family, Met>, String> {
    scene.install(tree);
    let met = probe_all(case, &mut scene, patience, enough);
    judge(case, scene.data_plane, &met)?;
    match scene.net.wrong_checksums() {
        0 => Ok(met),
        wrong => Err(format!("{wrong} packets arrived with a wrong checksum")),
    }
}

/// Runs a case with one file of its tree changed, until the first thing goes wrong; gives what that was.
pub fn run_changed(case: &Case, data_plane: DataPlane, file: &str, change: fn(&str) -> String) -> Option<String> {
    let spec = spec(data_plane, case.exposure, case.udp);
    let tree = Tree::render(&spec).expect("it is accepted");
    tree.mutate(file, change);
    // A fault shows in what does not come: waiting long for it proves no more.
    let patience = Duration::from_millis(1_500);
    carry(case, Scene::new(data_plane, &spec), &Arc::new(tree), patience, |met, expected| met != expected).err()
}

/// Builds by hand what portgen refuses: what it writes where it does not, or the rules that people copy.
fn refused(case: &Case, data_plane: DataPlane, kind: Kind, report: &str) -> Result<Cell, String> {
    let rule = report.split(['[', ']']).nth(1).ok_or_else(|| report.to_owned())?;
    let (by_hand, expected) = (case.refused)(data_plane).ok_or_else(|| format!("nobody expects this:\n{report}"))?;
    let elsewhere = spec(DataPlane::Iptables(Variant::Nft), "{strategy: nodePortRedirect}", case.udp);
    let (spec, tree) = match by_hand {
        ByHand::Elsewhere => {
            let spec = self::spec(DataPlane::Iptables(Variant::Nft), case.exposure, case.udp);
            let tree = Tree::render(&spec).map_err(|report| format!("not even elsewhere:\n{report}"))?;
            (spec, tree)
        }
        ByHand::Unit(lines) => (elsewhere, Tree::by_hand(&[("systemd/system/portgen.service", lines)])),
    };
    let mut scene = Scene::served(data_plane, kind, &spec);
    scene.install(&Arc::new(tree));
    let mut met = BTreeMap::new();
    for family in FAMILIES {
        let patience = if expected == Outcome::Timeout { IMPATIENCE } else { PATIENCE };
        let outcome = Probe::Http.run(&mut scene, family, patience);
        if outcome != expected {
            return Err(format!("{} built by hand: {outcome}, and not {expected}", family.name()));
        }
        met.insert(family, outcome);
    }
    Ok(Cell::Refused(rule.to_owned(), met))
}

fn probe_all(
    case: &Case,
    scene: &mut Scene,
    patience: Duration,
    enough: impl Fn(&Outcome, &Outcome) -> bool,
) -> BTreeMap<Family, Met> {
    let mut met: BTreeMap<Family, Met> = BTreeMap::new();
    for family in FAMILIES {
        for probe in PROBES {
            let Some(expected) = (case.expected)(probe, scene.data_plane, family) else { continue };
            // What should stay away is not waited for as long as what should come.
            let patience = if expected == Outcome::Timeout { IMPATIENCE } else { patience };
            let outcome = probe.run(scene, family, patience);
            let enough = enough(&outcome, &expected);
            met.entry(family).or_default().insert(probe, outcome);
            if enough {
                return met;
            }
        }
        if scene.services.len() > 1 {
            scene.set_endpoints(&[0]);
        }
    }
    met
}

/// Whether everything met is what was expected; what is not is told.
fn judge(case: &Case, data_plane: DataPlane, met: &BTreeMap<Family, Met>) -> Result<(), String> {
    let mut wrong = Vec::new();
    for (&family, met) in met {
        for (&probe, outcome) in met {
            let expected = (case.expected)(probe, data_plane, family).expect("it was asked");
            if *outcome != expected {
                wrong.push(format!("{} {}: {outcome}, and not {expected}", family.name(), probe.title()));
            }
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

const fn answer(source: Source) -> Option<Outcome> {
    Some(Outcome::Answer(source))
}

/// A port rewrite with `externalTrafficPolicy: Cluster`.
fn rewrite(probe: Probe, _: DataPlane, _: Family) -> Option<Outcome> {
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
        | Probe::ReplacedUdp => answer(Source::Node),
        Probe::PassingThrough => answer(Source::Pod),
        Probe::Loopback | Probe::NoEndpoint => Some(Outcome::Refused),
        Probe::NodePort | Probe::NodePortUdp => Some(Outcome::Timeout),
        Probe::SmallPathDownload | Probe::SmallPathUpload | Probe::Fragments | Probe::Fin => Some(Outcome::Whole),
        Probe::Rst => Some(Outcome::Reset),
        _ => None,
    }
}

/// The same with `externalTrafficPolicy: Local`.
fn rewrite_local(probe: Probe, data_plane: DataPlane, family: Family) -> Option<Outcome> {
    match probe {
        Probe::Http | Probe::Https | Probe::Http3 => answer(Source::Client),
        Probe::FromPod => answer(Source::Pod),
        Probe::OtherNode => Some(Outcome::Timeout),
        // They go by way of the other node, which is silent.
        Probe::SmallPathUpload | Probe::Replaced | Probe::ReplacedUdp => None,
        _ => rewrite(probe, data_plane, family),
    }
}

/// The same with the node port open.
fn rewrite_open(probe: Probe, data_plane: DataPlane, family: Family) -> Option<Outcome> {
    match probe {
        Probe::NodePort | Probe::NodePortUdp => answer(Source::Node),
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
        Probe::NodePort => answer(Source::Node),
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
        Probe::Loopback => answer(Source::Node),
        Probe::Http3 | Probe::NodePortUdp | Probe::Fragments | Probe::ReplacedUdp => None,
        // The proxy has accepted by then, and hangs up.
        Probe::NoEndpoint => Some(Outcome::Reset),
        Probe::Rst => Some(Outcome::Whole),
        _ => rewrite(probe, data_plane, family),
    }
}

/// A process in the node's network namespace.
fn host_network(probe: Probe, _: DataPlane, _: Family) -> Option<Outcome> {
    match probe {
        Probe::Http | Probe::Https | Probe::Http3 | Probe::OtherNode | Probe::SecondClient => answer(Source::Client),
        Probe::FromNode | Probe::OwnAddress => answer(Source::Node),
        Probe::FromPod | Probe::FromOwnPod | Probe::PassingThrough => answer(Source::Pod),
        Probe::Loopback => answer(Source::Loopback),
        Probe::SmallPathDownload | Probe::SmallPathUpload | Probe::Fragments | Probe::Fin => Some(Outcome::Whole),
        Probe::Rst => Some(Outcome::Reset),
        _ => None,
    }
}

fn host_network_sources(probe: Probe, data_plane: DataPlane, family: Family) -> Option<Outcome> {
    match probe {
        Probe::SecondClient | Probe::ListenerSecondClient => Some(Outcome::Timeout),
        Probe::Http | Probe::Https | Probe::Http3 => host_network(probe, data_plane, family),
        _ => None,
    }
}

/// An address that is announced from one node.
fn load_balancer(probe: Probe, data_plane: DataPlane, family: Family) -> Option<Outcome> {
    if data_plane == DataPlane::Cilium {
        return match probe {
            Probe::Http | Probe::Https | Probe::Http3 | Probe::SecondClient => answer(Source::Client),
            Probe::Fin => Some(Outcome::Whole),
            Probe::Rst => Some(Outcome::Reset),
            _ => None,
        };
    }
    match probe {
        // Nobody is at the node's own address, and another node has no other way than the address.
        Probe::OtherNode | Probe::Loopback | Probe::NodePort | Probe::NodePortUdp | Probe::SmallPathUpload => None,
        _ => rewrite(probe, data_plane, family),
    }
}

fn load_balancer_local(probe: Probe, data_plane: DataPlane, family: Family) -> Option<Outcome> {
    match load_balancer(probe, data_plane, family)? {
        _ if matches!(probe, Probe::Replaced | Probe::ReplacedUdp) => None,
        _ if matches!(probe, Probe::Http | Probe::Https | Probe::Http3) => answer(Source::Client),
        _ if probe == Probe::FromPod => answer(Source::Pod),
        outcome => Some(outcome),
    }
}

/// Cilium serves node ports before netfilter could rewrite to one.
fn not_under_cilium(data_plane: DataPlane) -> Option<(ByHand, Outcome)> {
    (data_plane == DataPlane::Cilium).then_some((ByHand::Elsewhere, Outcome::Refused))
}

/// kube-proxy's nftables mode serves no node port on 127.0.0.1.
fn proxy_refused(data_plane: DataPlane) -> Option<(ByHand, Outcome)> {
    matches!(data_plane, DataPlane::Nftables | DataPlane::Cilium).then_some((ByHand::Elsewhere, Outcome::Reset))
}

fn never(_: DataPlane) -> Option<(ByHand, Outcome)> {
    None
}

fn recipe(_: DataPlane) -> Option<(ByHand, Outcome)> {
    const LINES: &str = "[Service]
ExecStart=/usr/sbin/iptables -t nat -I PREROUTING -p tcp --dport 80 -j REDIRECT --to-port 30080
ExecStart=/usr/sbin/ip6tables -t nat -I PREROUTING -p tcp --dport 80 -j REDIRECT --to-port 30080
";
    Some((ByHand::Unit(LINES), Outcome::Refused))
}

const fn case(
    title: &'static str,
    exposure: &'static str,
    udp: bool,
    expected: fn(Probe, DataPlane, Family) -> Option<Outcome>,
    refused: fn(DataPlane) -> Option<(ByHand, Outcome)>,
) -> Case {
    Case { title, exposure, udp, expected, refused }
}

/// Every way there is.
pub const CASES: [Case; 14] = [
    case("nodePortRedirect", "{strategy: nodePortRedirect}", true, rewrite, not_under_cilium),
    case(
        "nodePortRedirect, Local",
        "{strategy: nodePortRedirect, externalTrafficPolicy: Local}",
        true,
        rewrite_local,
        not_under_cilium,
    ),
    case(
        "nodePortRedirect, node port open",
        "{strategy: nodePortRedirect, directNodePort: allow}",
        true,
        rewrite_open,
        not_under_cilium,
    ),
    case(
        "nodePortRedirect, allowFrom",
        "{strategy: nodePortRedirect, allowFrom: [192.0.2.0/26, \"2001:db8:1::/64\"]}",
        true,
        sources,
        not_under_cilium,
    ),
    case(
        "nodePortRedirect, allowFrom, node port open",
        "{strategy: nodePortRedirect, directNodePort: allow, allowFrom: [192.0.2.0/26, \"2001:db8:1::/64\"]}",
        true,
        sources_open,
        not_under_cilium,
    ),
    case(
        "nodePortRedirect, connectionsPerSource",
        "{strategy: nodePortRedirect, limits: {connectionsPerSource: 5}}",
        false,
        connections,
        not_under_cilium,
    ),
    case(
        "nodePortRedirect, newConnectionsPerSecond",
        "{strategy: nodePortRedirect, limits: {newConnectionsPerSecond: 1, burst: 10}}",
        false,
        rate,
        not_under_cilium,
    ),
    case(
        "nodePortRedirect, socketProxy",
        "{strategy: nodePortRedirect, mechanism: socketProxy}",
        false,
        proxy,
        proxy_refused,
    ),
    case(
        "nodePortRedirect, natRedirect",
        "{strategy: nodePortRedirect, mechanism: natRedirect}",
        false,
        |_, _, _| None,
        recipe,
    ),
    case("hostNetwork, redirect", "{strategy: hostNetwork}", true, host_network, never),
    case("hostNetwork, direct", "{strategy: hostNetwork, bind: direct}", true, host_network, never),
    case(
        "hostNetwork, allowFrom",
        "{strategy: hostNetwork, allowFrom: [192.0.2.0/26, \"2001:db8:1::/64\"]}",
        true,
        host_network_sources,
        never,
    ),
    case(
        "metalLB",
        "{strategy: metalLB, mode: l2, addresses: [198.51.100.200-198.51.100.209, \"2001:db8:64::200-2001:db8:64::209\"]}",
        true,
        load_balancer,
        never,
    ),
    case(
        "metalLB, Local",
        "{strategy: metalLB, mode: l2, externalTrafficPolicy: Local, addresses: [198.51.100.200-198.51.100.209, \"2001:db8:64::200-2001:db8:64::209\"]}",
        true,
        load_balancer_local,
        never,
    ),
];
