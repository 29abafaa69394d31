//! A router that is named twice, or sessions that two gateways describe differently.

use crate::finding::{Finding, Place, Rule, Severity};
use crate::grammar::DnsLabel;
use crate::plan::{Announce, Announced, Bgp, BgpPeer, Gateway, Plan, Strategy};

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
        let mut routers: Vec<(&DnsLabel, &BgpPeer)> = Vec::new();
        for (name, peer) in &bgp.peers {
            let at = |name: &DnsLabel| Place::Value(gateway.exposure("bgp").key("peers").key(name).key("address"));
            if let Some((first, _)) = routers.iter().find(|(_, router)| router.address == peer.address) {
                let message = format!("`{name}` and `{first}` are the same router, and MetalLB holds one session with it");
                findings.push(
                    Finding::new(&RULE, at(name), message, "take one of them out").also(at(first), "the other one"),
                );
            }
            routers.push((name, peer));
        }
        let differing = earlier.iter().find_map(|other| Some((other.0, difference(plan, (gateway, bgp), *other)?)));
        if let Some((other, (place, also, message))) = differing {
            findings.push(
                Finding::new(&RULE, place, message, format!("write what `{}` says", other.name))
                    .also(also, "the other one"),
            );
        }
        earlier.push((gateway, bgp));
    }
}

fn difference(plan: &Plan, this: Sessions<'_>, other: Sessions<'_>) -> Option<(Place, Place, String)> {
    let at = |(gateway, _): Sessions<'_>| gateway.exposure("bgp");
    let (own, theirs) = (this.1.local_asn, other.1.local_asn);
    if own != theirs && (common_node(plan, this.0, other.0) || common_router(this.1, other.1)) {
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

/// Whether a node may announce for both; a pool without labels is every node.
fn common_node(plan: &Plan, this: &Gateway, other: &Gateway) -> bool {
    let pools = |gateway: &Gateway| {
        gateway.strategy.announced().map(|(announced, _)| announced.announce_from.clone()).unwrap_or_default()
    };
    let (own, theirs) = (pools(this), pools(other));
    let everywhere = |pool: &DnsLabel| plan.pools[pool].node_selector.is_empty();
    own.iter().any(|pool| theirs.contains(pool)) || own.iter().chain(&theirs).any(everywhere)
}

fn common_router(this: &Bgp, other: &Bgp) -> bool {
    this.peers.values().any(|peer| other.peers.values().any(|router| router.address == peer.address))
}
