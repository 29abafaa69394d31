//! BGP by Cilium: what a gateway announces, and the sessions of the nodes that announce it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::{announced, object, service_selector, stable_since_18};
use crate::grammar::{Address, CiliumVersion, DnsLabel, Family};
use crate::plan::{Announce, Announced, BgpPeer, Gateway, Plan};

/// The label that joins sessions to advertisements.
const LABEL: &str = "portgen/gateway";

/// What of a gateway's Service its routers are told, with the attributes it has.
pub fn advertisement(gateway: &Gateway, announced: &Announced, version: CiliumVersion) -> Value {
    let mut entry = json!({
        "advertisementType": "Service",
        "service": {"addresses": ["LoadBalancerIP"]},
        // Without a selector nothing is announced.
        "selector": service_selector(&[gateway]),
    });
    let mut attributes = Map::new();
    if let Some(bgp) = &announced.bgp {
        let mut communities: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for community in &bgp.communities {
            match community.as_str().strip_prefix("large:") {
                Some(numbers) => communities.entry("large").or_default().push(numbers),
                None => communities.entry("standard").or_default().push(community.as_str()),
            }
        }
        if !communities.is_empty() {
            attributes.insert("communities".to_owned(), json!(communities));
        }
        if let Some(local_pref) = bgp.local_pref {
            attributes.insert("localPreference".to_owned(), json!(local_pref));
        }
    }
    if !attributes.is_empty() {
        entry["attributes"] = Value::Object(attributes);
    }
    let spec = json!({"advertisements": [entry]});
    let mut advertisement = object(stable_since_18(version), "CiliumBGPAdvertisement", gateway.name.as_str(), &spec);
    advertisement["metadata"]["labels"] = json!({LABEL: gateway.name});
    advertisement
}

/// A session of the nodes of one pool, and the gateways whose addresses it carries.
struct Session<'a> {
    name: String,
    peer: &'a BgpPeer,
    gateways: BTreeSet<&'a str>,
}

/// Sessions by the nodes' own number and the router's address.
type Sessions<'a> = BTreeMap<(u32, Address), Session<'a>>;

/// One configuration for each pool of nodes, since Cilium refuses a second one for the same node; gateways that
/// announce from the same nodes to the same router share the session.
pub fn sessions(plan: &Plan, version: CiliumVersion) -> Vec<Value> {
    let mut pools: BTreeMap<&DnsLabel, Sessions<'_>> = BTreeMap::new();
    for gateway in plan.ways() {
        let Some((announced, _)) = announced(gateway).filter(|(announced, _)| announced.how == Announce::Bgp) else {
            continue;
        };
        let Some(bgp) = &announced.bgp else { continue };
        for pool in &announced.announce_from {
            let sessions = pools.entry(pool).or_default();
            for (name, peer) in &bgp.peers {
                let session = sessions.entry((bgp.local_asn, peer.address)).or_insert_with(|| Session {
                    name: format!("{}.{name}", gateway.name),
                    peer,
                    gateways: BTreeSet::new(),
                });
                session.gateways.insert(gateway.name.as_str());
            }
        }
    }
    pools.into_iter().flat_map(|(pool, sessions)| of_pool(plan, pool, &sessions, version)).collect()
}

fn of_pool(plan: &Plan, pool: &DnsLabel, sessions: &Sessions<'_>, version: CiliumVersion) -> Vec<Value> {
    let api_version = stable_since_18(version);
    let mut objects = Vec::new();
    let mut instances: BTreeMap<u32, Vec<Value>> = BTreeMap::new();
    for ((local_asn, address), session) in sessions {
        let config = format!("{pool}.{}", session.name);
        instances.entry(*local_asn).or_default().push(json!({
            "name": session.name,
            "peerASN": session.peer.asn,
            "peerAddress": address,
            "peerConfigRef": {"name": config},
        }));
        objects.push(object(api_version, "CiliumBGPPeerConfig", &config, &peer_config(session)));
    }
    let instances: Vec<Value> = instances
        .into_iter()
        .map(|(asn, peers)| json!({"name": format!("as-{asn}"), "localASN": asn, "peers": peers}))
        .collect();
    let mut spec = json!({"bgpInstances": instances});
    let labels = &plan.pools[pool].node_selector;
    if !labels.is_empty() {
        spec["nodeSelector"] = json!({"matchLabels": labels});
    }
    objects.insert(0, object(api_version, "CiliumBGPClusterConfig", pool.as_str(), &spec));
    objects
}

fn peer_config(session: &Session<'_>) -> Value {
    // The other family's routes would have a next hop of this one, which few routers take.
    let afi = match Family::of(session.peer.address.0) {
        Family::IPv4 => "ipv4",
        Family::IPv6 => "ipv6",
    };
    let carried = json!({"key": LABEL, "operator": "In", "values": session.gateways});
    let family = json!({"afi": afi, "safi": "unicast", "advertisements": {"matchExpressions": [carried]}});
    let mut spec = json!({"transport": {"peerPort": session.peer.port}, "families": [family]});
    if session.peer.ebgp_multi_hop {
        // A number of hops here, a switch in a spec: as far as a packet gets.
        spec["ebgpMultihop"] = json!(255);
    }
    if let Some(secret) = &session.peer.password_secret {
        spec["authSecretRef"] = json!(secret);
    }
    spec
}
