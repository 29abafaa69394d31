//! MetalLB's objects: pools, announcements and BGP sessions, one set for each gateway.

use serde_json::{Value, json};

use crate::grammar::DnsLabel;
use crate::plan::{Announce, Announced, Bgp, Gateway, Plan, Strategy};

/// The namespace MetalLB runs in.
pub const NAMESPACE: &str = "metallb-system";

/// The objects by file name, and the kustomization that lists them; nothing without MetalLB.
pub fn objects(plan: &Plan) -> Vec<(String, Vec<Value>)> {
    let mut files: Vec<(String, Vec<Value>)> = Vec::new();
    for gateway in plan.gateways.values() {
        if let Strategy::MetalLb { .. } = gateway.strategy {
            files.push((format!("{}.yaml", gateway.name), of_gateway(plan, gateway)));
        }
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

fn object(api_version: &str, kind: &str, name: &str, spec: &Value) -> Value {
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
            let peers: Vec<String> = bgp.peers.keys().map(|peer| peer_name(name, peer)).collect();
            advertisement["peers"] = json!(peers);
            if !bgp.communities.is_empty() {
                advertisement["communities"] = json!(bgp.communities);
            }
            if let Some(local_pref) = bgp.local_pref {
                advertisement["localPref"] = json!(local_pref);
            }
            objects.extend(peers_of(name, bgp, &node_selectors));
            objects.push(object("v1beta1", "BGPAdvertisement", name, &advertisement));
        }
        // A rule has refused BGP without sessions.
        (Announce::Bgp, None) => {}
    }
    objects
}

fn peer_name(gateway: &str, peer: &DnsLabel) -> String {
    format!("{gateway}-{peer}")
}

fn peers_of<'a>(gateway: &'a str, bgp: &'a Bgp, node_selectors: &'a [Value]) -> impl Iterator<Item = Value> + 'a {
    bgp.peers.iter().map(move |(name, peer)| {
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
        if !node_selectors.is_empty() {
            spec["nodeSelectors"] = json!(node_selectors);
        }
        object("v1beta2", "BGPPeer", &peer_name(gateway, name), &spec)
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
