//! Two takers for one port of one node, of one address, or of one pod.

use std::collections::BTreeMap;

use super::claims::{Claim, claims};
use crate::finding::{Finding, Place, Route, Rule, Severity};
use crate::plan::{Plan, Protocol, protocol_word};

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
            take(&mut clients, (port.protocol, port.port.get()), holder("port"), findings);
            let target = port.target_port.get();
            take(&mut listeners, (port.protocol, target), holder("targetPort"), findings);
        }
    }
    let claims = claims(plan);
    let mut earlier: BTreeMap<(Protocol, u16), Vec<&Claim>> = BTreeMap::new();
    for claim in &claims {
        let earlier = earlier.entry((claim.protocol, claim.port)).or_default();
        // Within a gateway it was said above.
        let mut others = earlier.iter().filter(|other| other.gateway != claim.gateway);
        if let Some((first, place)) = others.find_map(|other| Some((other, other.clash(claim, plan)?))) {
            findings.push(finding(claim, first, &place));
        }
        earlier.push(claim);
    }
}

fn finding(claim: &Claim, first: &Claim, place: &str) -> Finding {
    let key = (claim.protocol, claim.port);
    two(key, (&first.holder, &first.route), (&claim.holder, &claim.route), &format!(" {place}"))
}

/// Takes a port within one gateway.
fn take(taken: &mut BTreeMap<(Protocol, u16), Holder>, key: (Protocol, u16), holder: Holder, findings: &mut Vec<Finding>) {
    match taken.get(&key) {
        None => {
            taken.insert(key, holder);
        }
        Some((first, route)) => findings.push(two(key, (first, route), (&holder.0, &holder.1), "")),
    }
}

fn two((protocol, number): (Protocol, u16), first: (&str, &Route), second: (&str, &Route), place: &str) -> Finding {
    Finding::new(
        &RULE,
        Place::Value(second.1.clone()),
        format!("{} and {} both take {} port {number}{place}", first.0, second.0, protocol_word(protocol)),
        "give one of them another port, another address or another pool",
    )
    .also(Place::Value(first.1.clone()), "taken here first")
}
