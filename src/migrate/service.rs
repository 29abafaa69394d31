//! The Service that is both ways in, where one can be.

use super::mix::Side;
use crate::grammar::{Address, AddressRange};
use crate::plan::{Announced, Gateway, Owner, ServiceType, TrafficPolicy};

/// Whether the one is the other with more addresses to choose from: the Service keeps the one it has.
pub fn widened(old: Side<'_>, new: Side<'_>) -> bool {
    let (a, b) = (old.gateway, new.gateway);
    let (Some((was, who)), Some((is, whom))) = (a.strategy.announced(), b.strategy.announced()) else { return false };
    let rest = Announced { addresses: is.addresses.clone(), ..was.clone() };
    let same_service = a.service.owner == b.service.owner && a.needs.load_balancer_class == b.needs.load_balancer_class;
    who == whom && same_service && !was.same_pool(is) && rest.same_as(is) && cover(&is.addresses, &was.addresses)
}

/// Whether ranges hold all addresses of others.
pub fn cover(ranges: &[AddressRange], others: &[AddressRange]) -> bool {
    others.iter().all(|other| {
        let (first, last) = other.ends();
        ranges.iter().any(|range| range.contains(first) && range.contains(last))
    })
}

/// The addresses that somebody announces for a gateway, and who.
fn announced(gateway: &Gateway) -> Option<(&[AddressRange], &[Address], &'static str)> {
    let (announced, who) = gateway.strategy.announced()?;
    Some((&announced.addresses, &announced.load_balancer_ips, who))
}

/// Whether both have the same addresses to give, in whoever's pools.
pub fn share_addresses(old: Side<'_>, new: Side<'_>) -> bool {
    let (Some((theirs, _, who)), Some((ours, _, whom))) = (announced(old.gateway), announced(new.gateway)) else {
        return false;
    };
    who != whom && theirs.iter().any(|range| ours.iter().any(|other| range.overlaps(*other)))
}

/// The Service that is both: one object that has everything of the two, or the chart's where they are two objects.
pub fn both(old: Side<'_>, new: Side<'_>) -> Option<Gateway> {
    let (a, b) = (old.gateway, new.gateway);
    let idle = |gateway: &Gateway| {
        gateway.needs.service_type == ServiceType::ClusterIp && gateway.needs.external_ips.is_empty()
    };
    if idle(a) || idle(b) {
        return Some(if idle(a) { b } else { a }.clone());
    }
    let (theirs, ours) = (announced(a), announced(b));
    // One address is announced for one Service only.
    let one_address = theirs.is_some() && theirs == ours;
    let overlap = theirs.is_some_and(|(theirs, ..)| {
        ours.is_some_and(|(ours, ..)| theirs.iter().any(|range| ours.iter().any(|other| range.overlaps(*other))))
    });
    let taken: Vec<u16> = old.node_ports().collect();
    if a.service.owner != b.service.owner {
        let clash = new.node_ports().any(|port| taken.contains(&port));
        return (!clash && !overlap).then(|| if a.service.owner == Owner::Chart { a } else { b }.clone());
    }
    let load_balancers = [a, b].map(|gateway| gateway.needs.service_type == ServiceType::LoadBalancer);
    let ports: Vec<u16> = new.node_ports().collect();
    let same = a.strategy.name() == b.strategy.name() && a.needs.load_balancer_class == b.needs.load_balancer_class;
    let one_balancer = same && (one_address || theirs.is_none() && a.needs.annotations == b.needs.annotations);
    let two_node_ports = !taken.is_empty() && !ports.is_empty() && taken != ports;
    if two_node_ports || load_balancers == [true, true] && !one_balancer {
        return None;
    }
    let mut one = b.clone();
    let (from, to) = (&a.needs, &b.needs);
    one.needs.service_type = match (load_balancers, from.service_type, to.service_type) {
        ([false, false], ServiceType::NodePort, _) | ([false, false], _, ServiceType::NodePort) => {
            ServiceType::NodePort
        }
        ([false, false], ..) => ServiceType::ClusterIp,
        _ => ServiceType::LoadBalancer,
    };
    one.needs.load_balancer_class = from.load_balancer_class.or(to.load_balancer_class);
    one.needs.no_node_ports = (from.no_node_ports || to.no_node_ports) && taken.is_empty() && ports.is_empty();
    one.needs.annotations.extend(from.annotations.clone());
    one.needs.annotations.extend(to.annotations.clone());
    one.needs.external_ips.extend(from.external_ips.iter().filter(|address| !to.external_ips.contains(address)));
    one.needs.status_ips.extend(from.status_ips.iter().filter(|address| !to.status_ips.contains(address)));
    if one.needs.source_ranges.is_empty() {
        one.needs.source_ranges.clone_from(&from.source_ranges);
    }
    if from.policy != to.policy {
        // Every node has to answer for both.
        one.needs.policy = Some(TrafficPolicy::Cluster);
    }
    if ports.is_empty() {
        for (name, port) in &mut one.ports {
            port.node_port = a.ports[name].node_port;
        }
    }
    Some(one)
}
