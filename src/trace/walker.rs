//! From machine to machine: who sends a packet, which node it comes to, who gets it there.

use std::net::Ipv4Addr;

use super::answer::Reply;
use super::hooks::Place;
use super::listeners::Role;
use super::packet::{Interface, Packet};
use super::world::{Side, World};
use super::{Ending, Flow, Hop, Origin, Pods, Question, Verdict};
use crate::plan::Protocol;

/// What came of a packet at a node, and what is sent back.
pub struct Met {
    /// How it ended.
    pub ending: Ending,
    /// What is sent back.
    pub reply: Reply,
}

/// How a packet begins its way at a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// It comes in.
    Comes,
    /// The node itself sends it.
    Starts,
}

/// A walk through a world.
pub struct Walker<'a> {
    /// The world.
    pub world: &'a World,
    /// Every step so far.
    pub hops: Vec<Hop>,
}

/// An ending without a page.
pub fn ending(verdict: Verdict, why: impl Into<String>) -> Ending {
    Ending { verdict, why: why.into(), page: None }
}

impl<'a> Walker<'a> {
    /// A walk that has not begun.
    pub fn new(world: &'a World) -> Self {
        Self { world, hops: Vec::new() }
    }

    /// Notes a step.
    pub fn hop(
        &mut self,
        machine: &'static str,
        (hook, priority): (&'static str, Option<i16>),
        owner: impl Into<String>,
        matched: impl Into<String>,
        changed: Vec<String>,
    ) {
        self.hops.push(Hop { machine, hook, priority, owner: owner.into(), matched: matched.into(), changed });
    }

    /// Sends the packet of a question.
    pub fn send(&mut self, question: &Question) -> (Flow, Ending) {
        let world = self.world;
        let (to, port) = (question.destination.address, question.destination.port.get());
        let own = |side: Side| if world.is_local(side, to) { to } else { world.node(side) };
        let (sender, side, source, came) = match question.origin {
            Origin::Client => ("a client", Side::Here, world.client(), Some(world.wire())),
            Origin::Node => ("the node itself", Side::Here, own(Side::Here), None),
            Origin::OtherNode => ("another node", Side::There, own(Side::There), None),
            Origin::Pod => ("a pod of the node", Side::Here, world.pod(Side::Here), Some(Interface::Pod)),
            Origin::OtherPod => ("a pod of another node", Side::There, world.pod(Side::There), Some(Interface::Pod)),
            Origin::GatewayPod => {
                let home = world.home().unwrap_or(Side::Here);
                ("the gateway's own pod", home, world.gateway_pod(home), Some(Interface::Pod))
            }
        };
        let flow = Flow { sender, protocol: question.protocol, source, destination: to, port };
        let mut packet = Packet::new(question.protocol, source, to, port);
        packet.came = came;
        let page = world.page(question.protocol, port);
        if let Some((_, reason)) = world.unassigned.iter().find(|(address, _)| *address == to) {
            self.hop("network", ("route", None), "network", "nobody has the address", Vec::new());
            let why = format!("the Service stays without an address: {reason}");
            return (flow, Ending { page, ..ending(Verdict::Dropped, why) });
        }
        if question.origin == Origin::Client && world.is_announced(to) {
            let matched = world.announcer(to).unwrap_or("the network brings the address to a node");
            self.hop("network", ("route", None), "network", matched, Vec::new());
        }
        if question.origin == Origin::Client
            && let Some(ending) = self.balanced(&packet)
        {
            return (flow, Ending { page: ending.page.or(page), ..ending });
        }
        let connects = self.replaced() && question.origin != Origin::Client;
        let entry = if packet.came.is_some() { Entry::Comes } else { Entry::Starts };
        let ending = if connects { self.at_connect(side, &packet) } else { None };
        let ending = ending.unwrap_or_else(|| self.visit(side, packet, entry));
        (flow, Ending { page: ending.page.or(page), ..ending })
    }

    /// Walks a packet through a node, and what is sent back through it again.
    pub fn visit(&mut self, at: Side, mut packet: Packet, entry: Entry) -> Ending {
        let asked = packet.clone();
        let met = match entry {
            Entry::Comes => self.comes(at, &mut packet),
            Entry::Starts => self.starts(at, &mut packet),
        };
        self.answered(at, entry, &asked, &packet, met)
    }

    fn comes(&mut self, at: Side, packet: &mut Packet) -> Met {
        if let Some(met) = self.at_ingress(at, packet) {
            return met;
        }
        if let Some(met) = self.hook(at, Place::Prerouting, packet) {
            return met;
        }
        if self.world.is_local(at, packet.destination) {
            return self.takes(at, packet);
        }
        let passed = self.hook(at, Place::Forward, packet).or_else(|| self.hook(at, Place::Postrouting, packet));
        passed.unwrap_or_else(|| self.deliver(at, packet))
    }

    fn starts(&mut self, at: Side, packet: &mut Packet) -> Met {
        let way = |walker: &Self, packet: &Packet| {
            if walker.world.is_local(at, packet.destination) { Interface::Loopback } else { walker.world.wire() }
        };
        packet.leaves = Some(way(self, packet));
        if let Some(met) = self.hook(at, Place::Output, packet) {
            return met;
        }
        packet.leaves = Some(way(self, packet));
        if let Some(met) = self.hook(at, Place::Postrouting, packet) {
            return met;
        }
        if !self.world.is_local(at, packet.destination) {
            return self.deliver(at, packet);
        }
        packet.came = Some(Interface::Loopback);
        match self.hook(at, Place::Prerouting, packet) {
            Some(met) => met,
            None => self.takes(at, packet),
        }
    }

    /// The node itself is meant.
    fn takes(&mut self, at: Side, packet: &mut Packet) -> Met {
        if let Some(met) = self.hook(at, Place::Input, packet) {
            return met;
        }
        if !self.world.is_local(at, packet.destination) {
            // IPVS has chosen a pod.
            return match self.hook(at, Place::Postrouting, packet) {
                Some(met) => met,
                None => self.deliver(at, packet),
            };
        }
        self.process(at, packet)
    }

    /// Whoever listens on the node.
    fn process(&mut self, at: Side, packet: &Packet) -> Met {
        let world = self.world;
        let port = packet.port();
        let hears = |role: &Role| match role {
            Role::Gateway => true,
            Role::Proxy { interface, families, .. } => {
                families.contains(&packet.family())
                    && interface
                        .as_ref()
                        .is_none_or(|own| packet.came.as_ref().and_then(Interface::name) == Some(own.as_str()))
            }
        };
        let found = world
            .processes
            .iter()
            .find(|one| one.protocol == packet.protocol() && one.port == port && hears(&one.role));
        let Some(process) = found else {
            self.hop(
                at.name(),
                ("socket", None),
                "kernel",
                format!("nothing of the spec listens on port {port}"),
                Vec::new(),
            );
            let reply = match packet.protocol() {
                Protocol::TCP => Reply::Reset,
                Protocol::UDP => Reply::Refusal,
            };
            return Met {
                ending: ending(Verdict::Refused, format!("nothing of the spec listens on port {port} of the node")),
                reply,
            };
        };
        match &process.role {
            Role::Gateway => {
                let matched = format!("{} listens on port {port} of the node", process.gateway);
                self.hop(at.name(), ("socket", None), "process", matched, Vec::new());
                let verdict = Verdict::Arrives {
                    gateway: process.gateway.clone(),
                    port,
                    sees: world.whose(packet.source),
                    source: packet.source,
                };
                Met { ending: ending(verdict, "the process listens in the node's own network"), reply: Reply::Process }
            }
            Role::Proxy { to, line, .. } => {
                self.hop(at.name(), ("socket", None), "proxy", format!("ExecStart={line}"), Vec::new());
                Met { ending: self.proxied(at, *to), reply: Reply::Process }
            }
        }
    }

    /// The connection that a proxy on the node opens.
    fn proxied(&mut self, at: Side, to: u16) -> Ending {
        let loopback = Ipv4Addr::LOCALHOST.into();
        let packet = Packet::new(Protocol::TCP, loopback, loopback, to);
        let mut inner = Walker::new(self.world.over_ipv4());
        let met = inner.visit(at, packet, Entry::Starts);
        self.hops.append(&mut inner.hops);
        match met.verdict {
            Verdict::Refused => {
                ending(Verdict::Reset, format!("the proxy has accepted by then, and hangs up: {}", met.why))
            }
            _ => met,
        }
    }

    /// Out of the node: to its pods, to the other node, or away.
    fn deliver(&mut self, at: Side, packet: &Packet) -> Met {
        let world = self.world;
        if let Some(side) = world.pod_at(packet.destination) {
            return if side == at { self.pod(at, packet) } else { self.next(side, packet) };
        }
        let other = at.other();
        if packet.destination == world.node(other) {
            return self.next(other, packet);
        }
        if world.is_announced(packet.destination) {
            if at == Side::There {
                return self.next(Side::Here, packet);
            }
            let why = format!("no Service takes port {} of {}", packet.port(), packet.destination);
            return Met { ending: ending(Verdict::Dropped, why), reply: Reply::None };
        }
        if let Some(balancer) = world.balancers.iter().find(|one| one.address == packet.destination) {
            let why =
                format!("it leaves the cluster for {}'s load balancer: `--from client` walks on", balancer.gateway);
            let verdict = Verdict::Passes { sees: world.whose(packet.source) };
            return Met { ending: ending(verdict, why), reply: Reply::Behind };
        }
        let why = format!("it is for {}, which is no machine of the spec", packet.destination);
        let verdict = Verdict::Passes { sees: world.whose(packet.source) };
        Met { ending: ending(verdict, why), reply: Reply::Behind }
    }

    fn next(&mut self, side: Side, packet: &Packet) -> Met {
        let ending = self.visit(side, packet.on_the_next_machine(self.world.wire()), Entry::Comes);
        let reply = if matches!(ending.verdict, Verdict::Arrives { .. }) { Reply::Behind } else { Reply::None };
        Met { ending, reply }
    }

    /// Into the pod of a gateway.
    pub fn pod(&mut self, at: Side, packet: &Packet) -> Met {
        let world = self.world;
        let port = packet.port();
        let Some(gateway) = packet.gateway.clone().filter(|_| packet.destination == world.gateway_pod(at)) else {
            let why = format!("{} is a pod that is no gateway's", packet.destination);
            return Met { ending: ending(Verdict::Refused, why), reply: Reply::None };
        };
        let matched = format!("{gateway} listens on port {port}");
        self.hop("pod", ("socket", None), "process", matched, Vec::new());
        let sees = world.whose(packet.source);
        let verdict = Verdict::Arrives { gateway, port, sees, source: packet.source };
        let why = if packet.masqueraded { "the node masqueraded the connection" } else { "nobody changed its source" };
        Met { ending: ending(verdict, why), reply: Reply::Behind }
    }

    /// Whether there are Services, but no pod behind them.
    pub fn without_endpoints(&self) -> bool {
        self.world.pods == Pods::Nowhere
    }
}
