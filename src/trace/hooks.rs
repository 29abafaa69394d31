//! A netfilter hook of a node: whoever looks at a packet there, in the order of priorities.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Verdict;
use super::answer::Reply;
use super::netfilter::{self, Decision};
use super::packet::{Connection, Interface, Packet, Translated};
use super::walker::{Met, Walker, ending};
use super::world::Side;
use crate::grammar::Family;
use crate::output::node::iptables;
use crate::output::node::nft::{Chain, ChainKind, Hook, Match, Rule, Ruleset};

/// A hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Everything that comes in.
    Prerouting,
    /// What is for the node.
    Input,
    /// What goes through it.
    Forward,
    /// What it sends.
    Output,
    /// Everything that goes out.
    Postrouting,
}

impl Place {
    /// The hook's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Prerouting => "prerouting",
            Self::Input => "input",
            Self::Forward => "forward",
            Self::Output => "output",
            Self::Postrouting => "postrouting",
        }
    }

    /// Whether a chain of portgen hangs there.
    pub fn has(self, chain: &Chain) -> bool {
        match self {
            Self::Prerouting => chain.hook == Hook::Prerouting,
            Self::Input => chain.hook == Hook::Input,
            Self::Output => chain.hook == Hook::Output,
            Self::Postrouting => chain.hook == Hook::Postrouting,
            Self::Forward => false,
        }
    }
}

/// Whoever looks at a packet at a hook.
#[derive(Clone, Copy)]
enum Step<'a> {
    /// A chain of portgen, or the recipe that it refuses.
    Chain(&'a Ruleset, &'a Chain),
    /// Connection tracking.
    Tracking,
    /// portgen's limits.
    Limits,
    /// The network plugin's port map.
    Mapped,
    /// kube-proxy's choice of a pod, or its mark.
    Translate,
    /// kube-proxy's filter: what is served and has no pod.
    Filter,
    /// IPVS.
    Ipvs,
    /// kube-proxy's masquerading.
    Masquerade,
}

const TRACKING: i16 = -200;
const MANGLE: i16 = -150;
const DESTINATION_NAT: i16 = -100;
const FILTER: i16 = 0;
const SOURCE_NAT: i16 = 100;
/// IPVS looks at what a node sends just behind destination NAT, and at what it takes just before source NAT.
const IPVS: [i16; 2] = [-99, 98];

impl<'a> Walker<'a> {
    fn steps(&self, place: Place) -> Vec<(i16, Step<'a>)> {
        let world = self.world;
        let chains = world.ruleset.iter().chain(&world.recipe).flat_map(|ruleset| {
            ruleset.chains.iter().filter(|chain| place.has(chain)).map(move |chain| (ruleset, chain))
        });
        let mut steps: Vec<(i16, Step<'a>)> =
            chains.map(|(ruleset, chain)| (chain.priority, Step::Chain(ruleset, chain))).collect();
        steps.extend(match place {
            Place::Prerouting => vec![
                (TRACKING, Step::Tracking),
                (MANGLE, Step::Limits),
                (DESTINATION_NAT, Step::Mapped),
                (DESTINATION_NAT, Step::Translate),
            ],
            Place::Output => vec![
                (TRACKING, Step::Tracking),
                (DESTINATION_NAT, Step::Mapped),
                (DESTINATION_NAT, Step::Translate),
                (IPVS[0], Step::Ipvs),
                (FILTER, Step::Filter),
            ],
            Place::Input => vec![(FILTER, Step::Filter), (IPVS[1], Step::Ipvs)],
            Place::Forward => vec![(FILTER, Step::Filter)],
            Place::Postrouting => vec![(SOURCE_NAT, Step::Masquerade)],
        });
        steps.sort_by_key(|(priority, _)| *priority);
        steps
    }

    /// Walks a packet through a hook; `None` when it goes on.
    pub fn hook(&mut self, at: Side, place: Place, packet: &mut Packet) -> Option<Met> {
        for (priority, step) in self.steps(place) {
            // NAT is for the first packet, once: what came by the loopback has passed it on its way out.
            let nat_is_done = packet.translated != Translated::No || packet.came == Some(Interface::Loopback);
            let here = (place, priority);
            let met = match step {
                Step::Chain(_, chain) if chain.kind == ChainKind::Nat && nat_is_done => None,
                Step::Chain(ruleset, chain) => self.chain(at, here, (ruleset, chain), packet),
                Step::Tracking => self.tracked(at, here, packet),
                Step::Limits => self.limited(at, here, packet),
                Step::Mapped | Step::Translate if nat_is_done => None,
                Step::Mapped => self.mapped(at, here, packet),
                Step::Translate => self.translate(at, here, packet),
                Step::Filter => self.filter(at, here, packet),
                Step::Ipvs => self.ipvs(at, here, packet),
                Step::Masquerade => self.masquerade(at, here, packet),
            };
            if met.is_some() {
                return met;
            }
        }
        None
    }

    fn chain(
        &mut self,
        at: Side,
        (place, priority): (Place, i16),
        (ruleset, chain): (&Ruleset, &Chain),
        packet: &mut Packet,
    ) -> Option<Met> {
        let before = packet.clone();
        let world = self.world;
        let walked = netfilter::walk(ruleset, chain, packet, &|address| world.is_local(at, address));
        let redirected = match walked.decision {
            Decision::Redirect(port) => {
                packet.set_port(port.get());
                packet.translated = Translated::Nat;
                packet.destination = match (place, packet.family()) {
                    (Place::Output, Family::IPv4) => Ipv4Addr::LOCALHOST.into(),
                    (Place::Output, Family::IPv6) => Ipv6Addr::LOCALHOST.into(),
                    _ => world.node(at),
                };
                Some(port)
            }
            _ => None,
        };
        let copied = world.recipe.iter().any(|recipe| std::ptr::eq(recipe, ruleset));
        let owner =
            if copied { "the recipe, not portgen's".to_owned() } else { format!("portgen, chain {}", chain.name) };
        let matched = match walked.matched.as_slice() {
            [] => "no rule means it".to_owned(),
            rules => rules.iter().map(ToString::to_string).collect::<Vec<_>>().join(" / "),
        };
        let matched = if redirected.is_some() { format!("{matched}; no other NAT looks at it") } else { matched };
        self.hop(at.name(), (place.name(), Some(priority)), owner, matched, packet.changes_since(&before));
        match walked.decision {
            Decision::Accept | Decision::Redirect(_) => None,
            Decision::Drop => {
                let why = why_dropped(walked.matched.last().copied(), before.port());
                Some(Met { ending: ending(Verdict::Dropped, why), reply: Reply::None })
            }
            Decision::Reset => {
                let why = "nothing serves the node port, and chain refuse tells the sender".to_owned();
                Some(Met { ending: ending(Verdict::Refused, why), reply: Reply::Reset })
            }
        }
    }

    fn tracked(&mut self, at: Side, (place, priority): (Place, i16), packet: &mut Packet) -> Option<Met> {
        if packet.connection.is_none() {
            packet.connection = Some(Connection { port: packet.port(), zone: packet.zone });
            let noted = format!("notes {} → {} port {}", packet.source, packet.destination, packet.port());
            self.hop(at.name(), (place.name(), Some(priority)), "connection tracking", noted, Vec::new());
        }
        None
    }

    fn limited(&mut self, at: Side, (place, priority): (Place, i16), packet: &Packet) -> Option<Met> {
        let world = self.world;
        if packet.came == Some(Interface::Loopback) || !world.is_local(at, packet.destination) {
            return None;
        }
        let counts = |rule: &iptables::Rule| rule.protocol == packet.protocol() && rule.port.get() == packet.port();
        for limit in world.limits.iter().filter(|limit| counts(&limit.rule)) {
            let matched = format!("counts it, and drops none below the limit: {}", limit.line);
            self.hop(at.name(), (place.name(), Some(priority)), "portgen, limits", matched, Vec::new());
        }
        None
    }

    fn masquerade(&mut self, at: Side, (place, priority): (Place, i16), packet: &mut Packet) -> Option<Met> {
        if packet.marked {
            let before = packet.clone();
            packet.source = self.world.node(at);
            packet.masqueraded = true;
            // Where a port is mapped, no Service has marked it.
            let mapped = self.world.mapped.iter().any(|one| Some(&one.gateway) == packet.gateway.as_ref());
            let owner = if mapped { "port map".to_owned() } else { self.world.serves() };
            let changed = packet.changes_since(&before);
            self.hop(at.name(), (place.name(), Some(priority)), owner, "masquerades what it marked", changed);
        }
        None
    }
}

/// Why portgen drops a packet: the two reasons that it has.
fn why_dropped(rule: Option<&Rule>, port: u16) -> String {
    let by_source = |one: &Match| matches!(one, Match::SourceNotIn(..) | Match::Family(_));
    if rule.is_some_and(|rule| rule.matches.iter().any(by_source)) {
        return "its source is not in `allowFrom`".to_owned();
    }
    format!("port {port} is a node port, and shut: `directNodePort: deny`")
}

/// The loopback address of a family.
pub fn is_loopback(address: IpAddr, family: Family) -> bool {
    address.is_loopback() && Family::of(address) == family
}
