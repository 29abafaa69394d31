//! MetalLB's objects: pools, announcements and BGP sessions, one set for each gateway.

use serde_json::{Value, json};

use super::objects::join;
use crate::grammar::{Address, DnsLabel};
use crate::plan::{Announce, Announced, Bfd, Bgp, Gateway, Plan, Strategy};

/// The namespace MetalLB runs in.
pub const NAMESPACE: &str = "metallb-system";

/// The objects by file name, and the kustomization that lists them; nothing without MetalLB.
pub fn objects(plan: &Plan) -> Vec<(String, Vec<Value>)> {
    let mut files: Vec<(String, Vec<Value>)> = Vec::new();
    for gateway in plan.ways().filter(|gateway| writes_objects(gateway)) {
        join(&mut files, format!("{}.yaml", gateway.name), of_gateway(plan, gateway));
    }
    if files.is_empty() {
        return files;
    }
    files.insert(0, ("namespace.yaml".to_owned(), vec![namespace(plan)]));
    let resources: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    let kustomization = json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": resources,
    });
    files.push(("kustomization.yaml".to_owned(), vec![kustomization]));
    files
}

/// Whether a gateway has objects of its own: not one without MetalLB, nor one that shares the address of another.
pub fn writes_objects(gateway: &Gateway) -> bool {
    matches!(gateway.strategy, Strategy::MetalLb { .. }) && gateway.pool == gateway.name
}

/// The speaker runs in the node's network namespace with raw sockets, and Helm labels no namespace.
fn namespace(plan: &Plan) -> Value {
    let version = format!("v{}", plan.cluster.version);
    let mut labels = serde_json::Map::new();
    for mode in ["enforce", "audit", "warn"] {
        labels.insert(format!("pod-security.kubernetes.io/{mode}"), json!("privileged"));
        labels.insert(format!("pod-security.kubernetes.io/{mode}-version"), json!(version));
    }
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}})
}

pub fn object(api_version: &str, kind: &str, name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": format!("metallb.io/{api_version}"),
        "kind": kind,
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": spec,
    })
}

fn of_gateway(plan: &Plan, gateway: &Gateway) -> Vec<Value> {
    let Strategy::MetalLb { announced: Announced { how, addresses, interfaces, announce_from, bgp, .. }, .. } =
        &gateway.strategy
    else {
        return Vec::new();
    };
    let name = gateway.name.as_str();
    let ranges: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    // No Service but the one that names the pool takes an address from it.
    let pool = json!({"addresses": ranges, "autoAssign": false});
    let mut objects = vec![object("v1beta1", "IPAddressPool", name, &pool)];
    let node_selectors = node_selectors(plan, announce_from);
    let mut advertisement = json!({"ipAddressPools": [name]});
    if !node_selectors.is_empty() {
        advertisement["nodeSelectors"] = json!(node_selectors);
    }
    match (how, bgp) {
        (Announce::L2 | Announce::Node, _) => {
            if !interfaces.is_empty() {
                advertisement["interfaces"] = json!(interfaces);
            }
            objects.push(object("v1beta1", "L2Advertisement", name, &advertisement));
        }
        (Announce::Bgp, Some(bgp)) => {
            let peers: Vec<String> = bgp.peers.values().map(|peer| session(plan, peer.address).name).collect();
            advertisement["peers"] = json!(peers);
            if !bgp.communities.is_empty() {
                advertisement["communities"] = json!(bgp.communities);
            }
            if let Some(local_pref) = bgp.local_pref {
                advertisement["localPref"] = json!(local_pref);
            }
            for (field, length) in ["aggregationLength", "aggregationLengthV6"].into_iter().zip(bgp.aggregation) {
                if let Some(length) = length {
                    advertisement[field] = json!(length);
                }
            }
            let profile = bgp.bfd.map(|bfd| bfd_profile(name, &bfd));
            objects.extend(profile);
            objects.extend(peers_of(plan, gateway, bgp));
            objects.push(object("v1beta1", "BGPAdvertisement", name, &advertisement));
        }
        // A rule has refused BGP without sessions.
        (Announce::Bgp, None) => {}
    }
    objects
}

/// A BFDProfile.
pub fn bfd_profile(name: &str, bfd: &Bfd) -> Value {
    let mut spec = json!(bfd);
    // The API spells what everyone writes TTL in its own way.
    if let Some(ttl) = spec.as_object_mut().and_then(|fields| fields.remove("minimumTTL")) {
        spec["minimumTtl"] = ttl;
    }
    object("v1beta1", "BFDProfile", name, &spec)
}

/// A session with a router: MetalLB refuses a second one from the same node, so gateways with a common router share it.
struct Session<'a> {
    name: String,
    owner: &'a DnsLabel,
    /// The pools of every gateway that announces over it.
    pools: Vec<DnsLabel>,
}

fn session(plan: &Plan, router: Address) -> Session<'_> {
    let mut session: Option<Session<'_>> = None;
    for gateway in plan.ways().filter(|gateway| writes_objects(gateway)) {
        let Strategy::MetalLb {
            announced: Announced { how: Announce::Bgp, bgp: Some(bgp), announce_from, .. }, ..
        } = &gateway.strategy
        else {
            continue;
        };
        let Some((peer, _)) = bgp.peers.iter().find(|(_, peer)| peer.address == router) else { continue };
        let session = session.get_or_insert_with(|| Session {
            name: format!("{}-{peer}", gateway.name),
            owner: &gateway.name,
            pools: Vec::new(),
        });
        for pool in announce_from {
            if !session.pools.contains(pool) {
                session.pools.push(pool.clone());
            }
        }
    }
    session.expect("the caller's own gateway has a session with this router")
}

fn peers_of<'a>(plan: &'a Plan, gateway: &'a Gateway, bgp: &'a Bgp) -> impl Iterator<Item = Value> + 'a {
    bgp.peers.values().filter_map(move |peer| {
        let session = session(plan, peer.address);
        if *session.owner != gateway.name {
            return None;
        }
        let mut spec = json!({
            "myASN": bgp.local_asn,
            "peerASN": peer.asn,
            "peerAddress": peer.address,
            "peerPort": peer.port,
        });
        if peer.ebgp_multi_hop {
            spec["ebgpMultiHop"] = json!(true);
        }
        if let Some(secret) = &peer.password_secret {
            spec["passwordSecret"] = json!({"name": secret});
        }
        if bgp.bfd.is_some() {
            spec["bfdProfile"] = json!(gateway.name);
        }
        let node_selectors = node_selectors(plan, &session.pools);
        if !node_selectors.is_empty() {
            spec["nodeSelectors"] = json!(node_selectors);
        }
        Some(object("v1beta2", "BGPPeer", &session.name, &spec))
    })
}

/// One selector for each pool; a pool without labels is every node, which no selector at all says best.
fn node_selectors(plan: &Plan, pools: &[DnsLabel]) -> Vec<Value> {
    let selectors: Vec<_> = pools.iter().map(|pool| &plan.pools[pool].node_selector).collect();
    if selectors.iter().any(|selector| selector.is_empty()) {
        return Vec::new();
    }
    selectors.into_iter().map(|selector| json!({"matchLabels": selector})).collect()
}
