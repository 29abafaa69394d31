//! Two listeners for one port of one node, or of one pod.

use std::collections::BTreeMap;

use crate::finding::{Finding, Place, Route, Rule, Severity};
use crate::plan::node::Way;
use crate::plan::{Gateway, OwnGateway, Plan, Protocol};

pub static RULE: Rule = Rule {
    name: "port-taken-twice",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("port_taken_twice.md"),
};

/// Who has a port, in words, and where that was written.
type Holder = (String, Route);

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    for gateway in plan.gateways.values() {
        let mut clients: BTreeMap<(Protocol, u16), Holder> = BTreeMap::new();
        let mut listeners: BTreeMap<(Protocol, u16), Holder> = BTreeMap::new();
        for (name, port) in &gateway.ports {
            let holder = |field: &str| (format!("`{name}` of `{}`", gateway.name), port.route.key(field));
            take(&mut clients, (port.protocol, port.port.get()), holder("port"), "", findings);
            let target = port.target_port.get();
            take(&mut listeners, (port.protocol, target), holder("targetPort"), "", findings);
        }
    }
    for pool in plan.pools.keys() {
        let mut taken: BTreeMap<(Protocol, u16), (Holder, &str)> = BTreeMap::new();
        let here = format!(" on the nodes of `{pool}`");
        for door in plan.nodes.get(pool).into_iter().flat_map(|node| &node.doors).filter(|door| door.is_public()) {
            let holder = |field: &str| (format!("`{}` of `{}`", door.name, door.gateway), door.route.key(field));
            let mut ports = vec![(door.port.get(), holder("port"))];
            if let Way::Redirect { to } = door.way {
                ports.push((to.get(), holder("targetPort")));
            }
            for (number, holder) in ports {
                between(&mut taken, (door.protocol, number), holder, door.gateway.as_str(), &here, findings);
            }
        }
        let own = plan.cluster.own_gateway.iter().filter(|own| own.pool.as_ref().is_none_or(|own| own == pool));
        for (field, port) in own.flat_map(OwnGateway::ports) {
            let holder = ("Cilium's own gateway".to_owned(), OwnGateway::route().key(field));
            // No gateway of a spec has an empty name.
            between(&mut taken, (Protocol::TCP, port.get()), holder, "", &here, findings);
        }
        for gateway in plan.gateways.values().filter(|gateway| gateway.needs.host_port && gateway.pools.contains(pool)) {
            for (name, port) in &gateway.ports {
                let holder = (format!("`{name}` of `{}`", gateway.name), port.route.key("port"));
                between(&mut taken, (port.protocol, port.port.get()), holder, gateway.name.as_str(), &here, findings);
            }
        }
        for gateway in plan.gateways.values().filter(|gateway| gateway.needs.host_network && gateway.pools.contains(pool)) {
            for extra in gateway.chart.profile.host_network_ports.iter().filter(|extra| extra.declared && !listens(gateway, extra)) {
                let holder = (format!("{} of `{}`", extra.what, gateway.name), gateway.exposure("strategy"));
                let protocol = if extra.protocol == "UDP" { Protocol::UDP } else { Protocol::TCP };
                between(&mut taken, (protocol, extra.port), holder, gateway.name.as_str(), &here, findings);
            }
        }
    }
}

/// Whether one of the spec's own listeners has taken the place of an extra port.
fn listens(gateway: &Gateway, extra: &crate::chart::ExtraPort) -> bool {
    use crate::plan::Slot;
    let slot = match extra.unless_listener.as_deref() {
        Some("http") => Slot::Http,
        Some("https") => Slot::Https,
        _ => return false,
    };
    gateway.ports.values().any(|port| port.slot == slot)
}

/// Takes a port within one gateway.
fn take(taken: &mut BTreeMap<(Protocol, u16), Holder>, key: (Protocol, u16), holder: Holder, place: &str, findings: &mut Vec<Finding>) {
    match taken.get(&key) {
        None => {
            taken.insert(key, holder);
        }
        Some(first) => findings.push(finding(key, first, &holder, place)),
    }
}

/// Takes a port among gateways; within one, [`take`] has said it already.
fn between<'a>(
    taken: &mut BTreeMap<(Protocol, u16), (Holder, &'a str)>,
    key: (Protocol, u16),
    holder: Holder,
    gateway: &'a str,
    place: &str,
    findings: &mut Vec<Finding>,
) {
    match taken.get(&key) {
        None => {
            taken.insert(key, (holder, gateway));
        }
        Some((first, other)) if *other != gateway => findings.push(finding(key, first, &holder, place)),
        Some(_) => {}
    }
}

fn finding((protocol, number): (Protocol, u16), first: &Holder, second: &Holder, place: &str) -> Finding {
    let word = crate::plan::protocol_word(protocol);
    Finding::new(
        &RULE,
        Place::Value(second.1.clone()),
        format!("{} and {} both take {word} port {number}{place}", first.0, second.0),
        "give one of them another port, or another pool",
    )
    .also(Place::Value(first.1.clone()), "taken here first")
}
