//! What a ConfigMap of MetalLB up to 0.12 says, as the objects that MetalLB reads since 0.13.

use serde_json::{Value, json};

use super::metallb::{bfd_profile, object};
use crate::input::config_map::{Advertisement, ConfigMap, NodeSelector, Peer, Pool};

/// The objects, in the order in which MetalLB can take them, and what to do besides applying them.
#[must_use]
pub fn converted(config: &ConfigMap) -> (Vec<Value>, Vec<String>) {
    let mut objects = Vec::new();
    let mut remarks = Vec::new();
    if !config.communities.is_empty() {
        let aliases: Vec<Value> =
            config.communities.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
        objects.push(object("v1beta1", "Community", "communities", &json!({"communities": aliases})));
    }
    objects.extend(config.bfd_profiles.iter().map(|(name, bfd)| bfd_profile(name.as_str(), bfd)));
    for (position, peer) in config.peers.iter().enumerate() {
        let name = format!("peer{}", position + 1);
        if peer.has_password {
            remarks.push(format!(
                "{name} had its password in the ConfigMap; put it into the Secret that the object names: kubectl -n {} create secret generic {name}-password --type=kubernetes.io/basic-auth --from-literal=password=…",
                config.namespace
            ));
        }
        objects.push(object("v1beta2", "BGPPeer", &name, &session(&name, peer)));
    }
    for pool in &config.pools {
        objects.push(object("v1beta1", "IPAddressPool", pool.name.as_str(), &addresses(pool)));
        objects.extend(announcements(pool));
    }
    for object in &mut objects {
        object["metadata"]["namespace"] = json!(config.namespace);
    }
    (objects, remarks)
}

fn addresses(pool: &Pool) -> Value {
    let mut spec = json!({"addresses": pool.addresses});
    if let Some(auto_assign) = pool.auto_assign {
        spec["autoAssign"] = json!(auto_assign);
    }
    if let Some(avoid) = pool.avoid_buggy_ips {
        spec["avoidBuggyIPs"] = json!(avoid);
    }
    spec
}

fn announcements(pool: &Pool) -> Vec<Value> {
    let name = pool.name.as_str();
    let Some(advertisements) = &pool.bgp else {
        return vec![object("v1beta1", "L2Advertisement", name, &json!({"ipAddressPools": [name]}))];
    };
    let default = [Advertisement::default()];
    let advertisements = if advertisements.is_empty() { &default[..] } else { advertisements };
    let announce = |(position, advertisement): (usize, &Advertisement)| {
        let mut spec = json!({"ipAddressPools": [name]});
        if let Some(length) = advertisement.aggregation_length {
            spec["aggregationLength"] = json!(length);
        }
        if let Some(length) = advertisement.aggregation_length_v6 {
            spec["aggregationLengthV6"] = json!(length);
        }
        if let Some(local_pref) = advertisement.local_pref {
            spec["localPref"] = json!(local_pref);
        }
        if !advertisement.communities.is_empty() {
            spec["communities"] = json!(advertisement.communities);
        }
        let own = if advertisements.len() == 1 { name.to_owned() } else { format!("{name}-{}", position + 1) };
        object("v1beta1", "BGPAdvertisement", &own, &spec)
    };
    advertisements.iter().enumerate().map(announce).collect()
}

fn session(name: &str, peer: &Peer) -> Value {
    let mut spec = json!({"myASN": peer.my_asn, "peerASN": peer.asn, "peerAddress": peer.address});
    let optional = [
        ("sourceAddress", peer.source_address.map(|address| json!(address))),
        ("peerPort", peer.port.map(|port| json!(port))),
        ("holdTime", peer.hold_time.as_ref().map(|time| json!(time))),
        ("keepaliveTime", peer.keepalive_time.as_ref().map(|time| json!(time))),
        ("routerID", peer.router_id.map(|id| json!(id))),
        ("passwordSecret", peer.has_password.then(|| json!({"name": format!("{name}-password")}))),
        ("bfdProfile", peer.bfd_profile.as_ref().map(|profile| json!(profile))),
        ("ebgpMultiHop", peer.ebgp_multi_hop.then(|| json!(true))),
    ];
    for (field, value) in optional {
        if let Some(value) = value {
            spec[field] = value;
        }
    }
    if !peer.node_selectors.is_empty() {
        spec["nodeSelectors"] = peer.node_selectors.iter().map(selector).collect();
    }
    spec
}

fn selector(selector: &NodeSelector) -> Value {
    let mut value = json!({});
    if !selector.labels.is_empty() {
        let labels: serde_json::Map<String, Value> =
            selector.labels.iter().map(|(key, value)| (key.to_string(), json!(value))).collect();
        value["matchLabels"] = Value::Object(labels);
    }
    if !selector.expressions.is_empty() {
        let expressions = selector.expressions.iter().map(|expression| {
            let mut value = json!({"key": expression.key, "operator": expression.operator});
            if !expression.values.is_empty() {
                value["values"] = json!(expression.values);
            }
            value
        });
        value["matchExpressions"] = expressions.collect();
    }
    value
}
