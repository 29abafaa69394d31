//! Whoever serves Services in netfilter: kube-proxy in its three modes, and the network plugin's port map.
//!
//! What each of them matches is what the packet lab met; docs/trace.md says what it did not meet.

use super::answer::Reply;
use super::hooks::{Place, is_loopback};
use super::listeners::Mapped;
use super::packet::{Packet, Translated};
use super::service::{self, Frontend, Service};
use super::walker::{Met, Walker, ending};
use super::world::Side;
use super::{Ending, Verdict};
use crate::grammar::Family;
use crate::plan::{KubeProxyMode, Protocol, TrafficPolicy};

/// Where a step stands.
type Here = (Place, i16);

impl Walker<'_> {
    fn kube_proxy(&self) -> Option<KubeProxyMode> {
        self.world.data_plane.kube_proxy()
    }

    fn serves(&mut self, at: Side, (place, priority): Here, matched: String, changed: Vec<String>) {
        let owner = self.world.serves();
        self.hop(at.name(), (place.name(), Some(priority)), owner, matched, changed);
    }

    /// Whether kube-proxy serves node ports at the destination of a packet.
    fn node_ports_at(&self, at: Side, packet: &Packet) -> bool {
        let destination = packet.destination;
        if !self.world.node_ports_reach(destination) {
            return false;
        }
        match self.kube_proxy() {
            // There is no `route_localnet` for ::1.
            Some(KubeProxyMode::Iptables) => {
                destination == self.world.node(at) || is_loopback(destination, Family::IPv4)
            }
            // The node's first address of each family.
            Some(KubeProxyMode::Nftables | KubeProxyMode::Ipvs) => destination == self.world.node(at),
            None => false,
        }
    }

    /// NAT: the choice of a pod; beside IPVS the mark for masquerading alone.
    pub fn translate(&mut self, at: Side, here: Here, packet: &mut Packet) -> Option<Met> {
        let mode = self.kube_proxy()?;
        let world = self.world;
        let Some((position, frontend)) = service::asked(world, packet, self.node_ports_at(at, packet)) else {
            if let Some((position, frontend)) = service::asked(world, packet, world.is_local(at, packet.destination)) {
                let said = world.services[position].said(frontend);
                let why = if world.node_ports_reach(packet.destination) {
                    where_node_ports_are(mode)
                } else {
                    "`nodePortAddresses` leaves it out"
                };
                let matched = format!("{said} is not served at {}: {why}", packet.destination);
                self.serves(at, here, matched, Vec::new());
            }
            return None;
        };
        let service = &world.services[position];
        let said = service.said(frontend);
        if service.keeps_out(frontend, packet.source) {
            self.serves(at, here, format!("{said}: loadBalancerSourceRanges"), Vec::new());
            let why = "its source is not in `allowFrom`";
            return Some(Met { ending: ending(Verdict::Dropped, why), reply: Reply::None });
        }
        let local_policy = service.policy == TrafficPolicy::Local;
        if mode == KubeProxyMode::Ipvs {
            packet.marked = !local_policy;
            let mark = if packet.marked { "marked for masquerading" } else { "not masqueraded" };
            self.serves(at, here, format!("{said}: {mark}, left to IPVS"), Vec::new());
            return None;
        }
        let of_a_pod = world.pod_at(packet.source).is_some();
        let of_the_node = world.is_local(at, packet.source);
        let policy = if of_a_pod || of_the_node { TrafficPolicy::Cluster } else { service.policy };
        let Some(home) = service::pod(world, at, service, policy) else {
            self.serves(at, here, format!("{said}: no pod to choose, left to its filter"), Vec::new());
            return None;
        };
        packet.marked = !local_policy || of_the_node;
        self.choose(at, here, packet, (service, &said), home);
        None
    }

    /// Sends a packet to the pod of a Service.
    fn choose(&mut self, at: Side, here: Here, packet: &mut Packet, (service, said): (&Service, &str), home: Side) {
        let before = packet.clone();
        packet.destination = self.world.gateway_pod(home);
        packet.set_port(service.target);
        packet.gateway = Some(service.gateway.clone());
        // A pod that meets itself would see its own address.
        packet.marked |= packet.source == packet.destination;
        if packet.translated == Translated::No {
            packet.translated = match self.kube_proxy() {
                Some(KubeProxyMode::Ipvs) => Translated::Ipvs(before.port()),
                _ => Translated::Nat,
            };
        }
        let where_it_is = if home == at { "on this node" } else { "on another node" };
        let policy = match service.policy {
            TrafficPolicy::Cluster => "Cluster",
            TrafficPolicy::Local => "Local",
        };
        let matched = format!("{said}: externalTrafficPolicy {policy}, a pod {where_it_is}");
        self.serves(at, here, matched, packet.changes_since(&before));
    }

    /// kube-proxy's filter: what is asked for, and has no pod that may answer.
    pub fn filter(&mut self, at: Side, here: Here, packet: &Packet) -> Option<Met> {
        let mode = self.kube_proxy().filter(|mode| *mode != KubeProxyMode::Ipvs)?;
        if packet.translated != Translated::No {
            return None;
        }
        let world = self.world;
        let (position, frontend) = service::asked(world, packet, self.node_ports_at(at, packet))?;
        // What a node sends to an address of its own is looked at when it comes in; iptables leaves the rest alone.
        let looks = match (here.0, frontend) {
            (Place::Output, Frontend::NodePort(_)) => false,
            (Place::Output, _) => mode == KubeProxyMode::Nftables,
            _ => true,
        };
        if !looks {
            return None;
        }
        let said = world.services[position].said(frontend);
        if self.without_endpoints() {
            self.serves(at, here, format!("{said} has no endpoints: reject"), Vec::new());
            let why = "the Service has no endpoints";
            return Some(Met { ending: ending(Verdict::Refused, why), reply: Reply::Refusal });
        }
        self.serves(at, here, format!("{said} has no endpoint on this node: drop"), Vec::new());
        Some(Met { ending: no_pod_here(), reply: Reply::None })
    }

    /// IPVS, where a packet is for the node: every Service's address is one of its own.
    pub fn ipvs(&mut self, at: Side, here: Here, packet: &mut Packet) -> Option<Met> {
        let world = self.world;
        if self.kube_proxy() != Some(KubeProxyMode::Ipvs) || !world.is_local(at, packet.destination) {
            return None;
        }
        let (position, frontend) = service::asked(world, packet, self.node_ports_at(at, packet))?;
        let service = &world.services[position];
        let Some(home) = service::home(world, service) else {
            self.serves(at, here, format!("{} has no endpoints", service.said(frontend)), Vec::new());
            let why = "the Service has no endpoints";
            return Some(Met { ending: ending(Verdict::Refused, why), reply: Reply::Refusal });
        };
        let source = packet.source;
        self.choose(at, here, packet, (service, &service.said(frontend)), home);
        let seen = if packet.marked { world.node(at) } else { source };
        if home == at {
            return None;
        }
        if world.is_local(home, seen) {
            // Met with packets: what a node sends itself is refused over IPv4, where it is TCP.
            let tells = !packet.marked && (packet.family(), packet.protocol()) == (Family::IPv4, Protocol::TCP);
            let verdict = if tells { Verdict::Refused } else { Verdict::Dropped };
            let why = format!("IPVS makes {seen} an address of the pod's node as well, so no answer comes back");
            return Some(Met { ending: ending(verdict, why), reply: Reply::None });
        }
        if seen == world.node(at) || world.pod_at(seen) == Some(at) {
            return None;
        }
        let why = "IPVS sends it on without masquerading, so the pod's answer does not come back through this node";
        Some(Met { ending: ending(Verdict::Dropped, why), reply: Reply::None })
    }

    /// The port map of the network plugin, written when a pod starts.
    pub fn mapped(&mut self, at: Side, (place, priority): Here, packet: &mut Packet) -> Option<Met> {
        if self.replaced() || at != Side::Here {
            return None;
        }
        let mapped = self.mapping(at, packet)?;
        if is_loopback(packet.destination, Family::IPv6) {
            let matched = format!("port {} of the node is mapped to the pod of {}", mapped.port, mapped.gateway);
            self.hop(at.name(), (place.name(), Some(priority)), "port map", matched, Vec::new());
            let why = "no packet leaves the node with the source ::1";
            return Some(Met { ending: ending(Verdict::Dropped, why), reply: Reply::None });
        }
        let before = packet.clone();
        packet.destination = self.world.gateway_pod(at);
        packet.set_port(mapped.target);
        packet.gateway = Some(mapped.gateway.clone());
        packet.translated = Translated::Nat;
        packet.marked = packet.source == packet.destination || packet.source.is_loopback();
        let matched = format!("port {} of the node is mapped to the pod of {}", mapped.port, mapped.gateway);
        self.hop(at.name(), (place.name(), Some(priority)), "port map", matched, packet.changes_since(&before));
        None
    }

    /// The mapping that a packet to a node asks for.
    pub fn mapping(&self, at: Side, packet: &Packet) -> Option<&Mapped> {
        let world = self.world;
        // kube-proxy accepts what IPVS is to have before the port map, which stands behind it in the same chain.
        let of_ipvs = self.kube_proxy() == Some(KubeProxyMode::Ipvs) && service::asked(world, packet, false).is_some();
        let local = world.is_local(at, packet.destination) && !of_ipvs;
        world.mapped.iter().find(|one| {
            local
                && one.protocol == packet.protocol()
                && one.port == packet.port()
                && one.only.is_none_or(|only| only == packet.destination)
        })
    }
}

/// `Local` keeps what comes from outside on a node that has nobody for it.
pub fn no_pod_here() -> Ending {
    ending(Verdict::Dropped, "`externalTrafficPolicy: Local`, and no pod of the gateway is on this node")
}

/// Why a node port is not served at an address of the node.
fn where_node_ports_are(mode: KubeProxyMode) -> &'static str {
    match mode {
        KubeProxyMode::Iptables => "node ports are at the node's addresses and at 127.0.0.1, not at ::1",
        KubeProxyMode::Nftables => "node ports are at the node's primary addresses, never at the loopback",
        KubeProxyMode::Ipvs => "node ports are at the node's own addresses, never at the loopback",
    }
}
