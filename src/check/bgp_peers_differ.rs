//! Two gateways that describe their sessions with the same router, or from the same nodes, differently.

use crate::finding::{Finding, Place, Rule, Severity};
use crate::plan::{Announce, Announced, Bgp, Gateway, Plan, Strategy};

pub static RULE: Rule = Rule {
    name: "bgp-peers-differ",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("bgp_peers_differ.md"),
};

/// A gateway with its sessions.
type Sessions<'a> = (&'a Gateway, &'a Bgp);

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    let mut earlier: Vec<Sessions<'_>> = Vec::new();
    for gateway in plan.gateways.values().filter(|gateway| gateway.pool == gateway.name) {
        let Strategy::MetalLb { announced: Announced { how: Announce::Bgp, bgp: Some(bgp), .. }, .. } =
            &gateway.strategy
        else {
            continue;
        };
        let differing = earlier.iter().find_map(|other| Some((other.0, difference((gateway, bgp), *other)?)));
        if let Some((other, (place, also, message))) = differing {
            findings.push(
                Finding::new(&RULE, place, message, format!("write what `{}` says", other.name))
                    .also(also, "the other one"),
            );
        }
        earlier.push((gateway, bgp));
    }
}

fn difference(this: Sessions<'_>, other: Sessions<'_>) -> Option<(Place, Place, String)> {
    let at = |(gateway, _): Sessions<'_>| gateway.exposure("bgp");
    let (own, theirs) = (this.1.local_asn, other.1.local_asn);
    if own != theirs {
        let places = [this, other].map(|sessions| Place::Value(at(sessions).key("localASN")));
        let [place, also] = places;
        let message = format!("`localASN` is {own} here and {theirs} for `{}`; a node speaks for one", other.0.name);
        return Some((place, also, message));
    }
    for (name, peer) in &this.1.peers {
        let Some((known, router)) = other.1.peers.iter().find(|(_, router)| router.address == peer.address) else {
            continue;
        };
        if router != peer || this.1.bfd != other.1.bfd {
            return Some((
                Place::Value(at(this).key("peers").key(name)),
                Place::Value(at(other).key("peers").key(known)),
                format!(
                    "`{}` describes the router {} differently, and MetalLB holds one session with it",
                    other.0.name, peer.address
                ),
            ));
        }
    }
    None
}
