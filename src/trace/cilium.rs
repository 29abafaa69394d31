//! Cilium in kube-proxy's place: it serves Services before netfilter sees a packet, or before there is one.

use std::net::IpAddr;

use super::answer::Reply;
use super::packet::{Interface, Packet};
use super::proxy::no_pod_here;
use super::service;
use super::walker::{Met, Walker, ending};
use super::world::Side;
use super::{Ending, Verdict};
use crate::grammar::DnsLabel;
use crate::plan::DataPlane;

impl Walker<'_> {
    /// Whether Cilium stands in kube-proxy's place.
    pub fn replaced(&self) -> bool {
        matches!(self.world.data_plane, DataPlane::Cilium(_))
    }

    /// Where a packet comes in by the network.
    pub fn at_ingress(&mut self, at: Side, packet: &Packet) -> Option<Met> {
        if !self.replaced() || !matches!(packet.came, Some(Interface::Wire(_))) {
            return None;
        }
        let (matched, ended) = self.ingress(at, packet);
        self.hop(at.name(), ("ingress, before netfilter", None), self.world.serves(), matched, Vec::new());
        ended.map(|ending| Met { ending, reply: Reply::None })
    }

    /// What Cilium matches there, and how that ends; `None` when it leaves the packet to netfilter.
    fn ingress(&self, at: Side, packet: &Packet) -> (String, Option<Ending>) {
        let world = self.world;
        let own = packet.destination == world.node(at);
        if let Some(mapped) = self.mapping(at, packet).filter(|_| at == Side::Here) {
            let matched = format!("port {} of the node is mapped to the pod of {}", mapped.port, mapped.gateway);
            return (matched, Some(self.at_a_pod(&mapped.gateway, mapped.target, packet.source)));
        }
        let Some((position, frontend)) = service::asked(world, packet, own) else {
            return (format!("port {} of {} is no Service's", packet.port(), packet.destination), None);
        };
        let service = &world.services[position];
        let said = service.said(frontend);
        if service.keeps_out(frontend, packet.source) {
            let ending = ending(Verdict::Dropped, "its source is not in `allowFrom`");
            return (format!("{said}: loadBalancerSourceRanges"), Some(ending));
        }
        if world.home().is_none() {
            return (format!("{said} has no endpoints"), Some(no_endpoints()));
        }
        match service::pod(world, at, service, service.policy) {
            None => (format!("{said} has no endpoint on this node"), Some(no_pod_here())),
            Some(home) if home == at => {
                let ending = self.at_a_pod(&service.gateway, service.target, packet.source);
                (format!("{said}: a pod on this node, source kept"), Some(ending))
            }
            Some(_) => {
                let ending = self.at_a_pod(&service.gateway, service.target, world.node(at));
                (format!("{said}: a pod on another node, source the node's"), Some(ending))
            }
        }
    }

    /// Where a process of the cluster connects: the pod's address takes the place of the Service's.
    pub fn at_connect(&mut self, at: Side, packet: &Packet) -> Option<Ending> {
        let world = self.world;
        let to = packet.destination;
        let of_a_node = to.is_loopback() || [Side::Here, Side::There].iter().any(|side| world.node(*side) == to);
        let (position, frontend) = service::asked(world, packet, of_a_node)?;
        let service = &world.services[position];
        let said = service.said(frontend);
        let (matched, ended) = if world.home().is_none() {
            (format!("{said} has no endpoints"), no_endpoints())
        } else {
            let source = if packet.source.is_loopback() { world.node(at) } else { packet.source };
            let ending = self.at_a_pod(&service.gateway, service.target, source);
            (format!("{said}: the socket connects to the pod"), ending)
        };
        self.hop(at.name(), ("connect()", None), world.serves(), matched, Vec::new());
        Some(ended)
    }

    /// The end of a way on which netfilter has no part.
    fn at_a_pod(&self, gateway: &DnsLabel, port: u16, source: IpAddr) -> Ending {
        let verdict = Verdict::Arrives { gateway: gateway.clone(), port, sees: self.world.whose(source), source };
        ending(verdict, "Cilium serves it, and netfilter sees none of it")
    }
}

fn no_endpoints() -> Ending {
    ending(Verdict::Refused, "the Service has no endpoints")
}
