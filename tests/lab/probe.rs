//! What clients try, one thing at a time.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::thread;
use std::time::Duration;

use crate::net::{CLIENT2, Family, Machine, NODES};
use crate::scene::Scene;
use crate::traffic::{self, Conversation, IMPATIENCE, Outcome, Transport};

/// One thing to try. Clients stand in the order of their distance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Probe {
    Http,
    Https,
    Http3,
    NoChecksum,
    OtherNode,
    SecondClient,
    FromNode,
    FromPod,
    FromOwnPod,
    OwnAddress,
    Loopback,
    PassingThrough,
    OtherService,
    NodePort,
    OwnNodePort,
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
    NodePortNoEndpoint,
    Unserved,
    ServedAgain,
}

/// In the order they run: the last ones change the endpoints.
pub const PROBES: [Probe; 31] = [
    Probe::Http,
    Probe::Https,
    Probe::Http3,
    Probe::NoChecksum,
    Probe::OtherNode,
    Probe::SecondClient,
    Probe::FromNode,
    Probe::FromPod,
    Probe::FromOwnPod,
    Probe::OwnAddress,
    Probe::Loopback,
    Probe::PassingThrough,
    Probe::OtherService,
    Probe::NodePort,
    Probe::OwnNodePort,
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
    Probe::NodePortNoEndpoint,
    Probe::Unserved,
    Probe::ServedAgain,
];

impl Probe {
    /// What it is, in the matrix.
    pub fn title(self) -> &'static str {
        match self {
            Self::Http => "client to TCP 80",
            Self::Https => "client to TCP 443",
            Self::Http3 => "client to UDP 443",
            Self::NoChecksum => "a UDP datagram without a checksum",
            Self::OtherNode => "client to a node without a gateway pod",
            Self::SecondClient => "a client outside `allowFrom`",
            Self::FromNode => "another node",
            Self::FromPod => "a pod of another node",
            Self::FromOwnPod => "the gateway's own pod",
            Self::OwnAddress => "the node to its own address",
            Self::Loopback => "the node to 127.0.0.1 or ::1",
            Self::PassingThrough => "a pod to port 80 of another machine",
            Self::OtherService => "a pod to port 80 of another Service",
            Self::NodePort => "client to the node port",
            Self::OwnNodePort => "the node to its own node port",
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
            Self::ReplacedUdp => "the next datagram of a socket while the endpoint is replaced",
            Self::NoEndpoint => "no endpoint at all",
            Self::NodePortNoEndpoint => "no endpoint at all, to the node port",
            Self::Unserved => "no Service at all",
            Self::ServedAgain => "the Service again, from the ports that were refused",
        }
    }

    /// Runs it.
    pub fn run(self, scene: &mut Scene, family: Family, patience: Duration) -> Outcome {
        let target = |public: u16| if scene.direct { public } else { public + 9_000 };
        // Every port there is must meet the same, and lead to its own listener.
        let every = |from: &Machine, to: &dyn Fn(u16) -> SocketAddr| {
            let probe = |&(transport, port): &(Transport, u16)| {
                traffic::probe_for(from, transport, to(port), target(port), patience)
            };
            Outcome::of_all(&scene.ports().iter().map(probe).collect::<Vec<_>>())
        };
        let at = |port| scene.at(0, family, port);
        let listener = |from: &Machine, transport, public| {
            traffic::probe_for(from, transport, at(public), target(public), patience)
        };
        let node_port = |port| SocketAddr::new(family.of(NODES[0]), port);
        let raw = |port: u16| node_port(port + 30_000);
        let net = &scene.net;
        match self {
            Self::Http => listener(&net.client, Transport::Tcp, 80),
            Self::Https => listener(&net.client, Transport::Tcp, 443),
            Self::Http3 => listener(&net.client, Transport::Udp, 443),
            Self::NoChecksum => traffic::without_checksum(&net.client, at(443), patience),
            Self::OtherNode => every(&net.client, &|port| scene.at(1, family, port)),
            Self::SecondClient => every(&net.client2, &at),
            Self::FromNode => every(&net.nodes[1], &at),
            Self::FromPod => every(&net.pods[1], &at),
            Self::FromOwnPod => every(&net.pods[0], &at),
            Self::OwnAddress => every(&net.nodes[0], &at),
            Self::Loopback => {
                let loopback: IpAddr = match family {
                    Family::V4 => Ipv4Addr::LOCALHOST.into(),
                    Family::V6 => Ipv6Addr::LOCALHOST.into(),
                };
                every(&net.nodes[0], &|port| SocketAddr::new(loopback, at(port).port()))
            }
            Self::PassingThrough => {
                let to = SocketAddr::new(family.of(CLIENT2), 80);
                traffic::probe_for(&net.pods[0], Transport::Tcp, to, 80, patience)
            }
            Self::OtherService => {
                traffic::probe_for(&net.pods[0], Transport::Tcp, scene.other_service(family), 7_000, patience)
            }
            Self::NodePort => every(&net.client, &raw),
            Self::OwnNodePort => every(&net.nodes[0], &raw),
            Self::NodePortSecondClient => every(&net.client2, &raw),
            Self::ListenerSecondClient => every(&net.client2, &|port| node_port(port + 9_000)),
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
            Self::Replaced
            | Self::ReplacedUdp
            | Self::NoEndpoint
            | Self::NodePortNoEndpoint
            | Self::Unserved
            | Self::ServedAgain => self.run_while_it_changes(scene, family, patience),
        }
    }

    /// Runs one that changes what is behind the Service, or the Service itself.
    fn run_while_it_changes(self, scene: &mut Scene, family: Family, patience: Duration) -> Outcome {
        let at = |port| scene.at(0, family, port);
        match self {
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
            Self::ReplacedUdp => {
                let to = at(443);
                let flow = traffic::Flow::open(&scene.net.client, to);
                let before = flow.and_then(|flow| flow.who(patience).map(|first| (flow, first)));
                let turned: &[usize] = if scene.services[0].endpoints == [1] { &[0] } else { &[1] };
                scene.set_endpoints(turned);
                match before.and_then(|(flow, first)| Ok((first, flow.who(patience)?))) {
                    Ok((first, next)) if first.name != next.name => Outcome::Answer(next.source),
                    Ok(_) => Outcome::Stalled,
                    Err(outcome) => outcome,
                }
            }
            Self::NodePortNoEndpoint => {
                scene.set_endpoints(&[]);
                let met = scene.ports().into_iter().map(|(transport, port)| {
                    let to = SocketAddr::new(family.of(NODES[0]), port + 30_000);
                    traffic::probe(&scene.net.client, transport, to, patience)
                });
                Outcome::of_all(&met.collect::<Vec<_>>())
            }
            Self::Unserved => scene.without_service(|scene| scene.met_from_kept_ports(family, patience)),
            Self::ServedAgain => {
                scene.set_endpoints(&[0]);
                scene.met_from_kept_ports(family, patience)
            }
            Self::NoEndpoint => {
                scene.set_endpoints(&[]);
                scene.met_from_kept_ports(family, patience)
            }
            _ => unreachable!("it changes nothing"),
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
