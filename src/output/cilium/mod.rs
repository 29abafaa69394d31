//! Cilium's settings and objects: Helm values, pools of addresses, announcements by layer 2 and BGP.

mod bgp;
mod values;

pub use values::{lost_values, only_loses_values, values};

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::objects::join;
use crate::grammar::{AddressRange, CiliumVersion, DnsLabel, InterfaceName};
use crate::plan::{Announce, Announced, Gateway, Plan, Strategy};

/// The objects by file name, and the kustomization that lists them; nothing where Cilium announces nothing.
pub fn objects(plan: &Plan) -> Vec<(String, Vec<Value>)> {
    let Some(version) = plan.cluster.data_plane.cilium() else { return Vec::new() };
    let mut files: Vec<(String, Vec<Value>)> = Vec::new();
    for gateway in plan.ways().filter(|gateway| has_objects(gateway)) {
        join(&mut files, gateway_file(gateway), of_gateway(plan, gateway, version));
    }
    files.extend(shared(plan, version));
    if files.is_empty() {
        return files;
    }
    let resources: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    let kustomization = json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": resources,
    });
    files.push(("kustomization.yaml".to_owned(), vec![kustomization]));
    files
}

/// The file of one gateway's objects; no gateway's name gives the name of another file.
pub fn gateway_file(gateway: &Gateway) -> String {
    format!("announce-{}.yaml", gateway.name)
}

/// The files of what gateways share.
pub fn shared_files(plan: &Plan) -> Vec<String> {
    let version = plan.cluster.data_plane.cilium();
    version.into_iter().flat_map(|version| shared(plan, version)).map(|(name, _)| name).collect()
}

/// Whether a gateway has objects of its own here.
pub fn has_objects(gateway: &Gateway) -> bool {
    announced(gateway).is_some_and(|(announced, _)| announced.how != Announce::Node)
}

/// What Cilium announces for a gateway, and the key under which it shares its address.
fn announced(gateway: &Gateway) -> Option<(&Announced, Option<&DnsLabel>)> {
    match &gateway.strategy {
        Strategy::CiliumLoadBalancer { announced, sharing_key, .. } => Some((announced, sharing_key.as_ref())),
        _ => None,
    }
}

/// Pools of addresses that several gateways share, under the names of their keys, and sessions.
fn shared(plan: &Plan, version: CiliumVersion) -> Vec<(String, Vec<Value>)> {
    let mut by_key: BTreeMap<&DnsLabel, Vec<&Gateway>> = BTreeMap::new();
    for gateway in plan.ways().filter(|gateway| has_objects(gateway)) {
        let Some((_, Some(key))) = announced(gateway) else { continue };
        let sharing = by_key.entry(key).or_default();
        if sharing.iter().all(|known| known.service.name != gateway.service.name) {
            sharing.push(gateway);
        }
    }
    let mut files: Vec<(String, Vec<Value>)> = by_key
        .into_iter()
        .map(|(key, gateways)| (format!("shared-{key}.yaml"), vec![pool(&format!("shared.{key}"), &gateways, version)]))
        .collect();
    let sessions = bgp::sessions(plan, version);
    if !sessions.is_empty() {
        files.push(("bgp.yaml".to_owned(), sessions));
    }
    files
}

fn of_gateway(plan: &Plan, gateway: &Gateway, version: CiliumVersion) -> Vec<Value> {
    let Some((announced, key)) = announced(gateway) else { return Vec::new() };
    let mut objects = Vec::new();
    if key.is_none() {
        objects.push(pool(gateway.name.as_str(), &[gateway], version));
    }
    match announced.how {
        Announce::L2 => objects.extend(policies(plan, gateway, announced)),
        Announce::Bgp => objects.push(bgp::advertisement(gateway, announced, version)),
        // The nodes' own addresses need no object.
        Announce::Node => {}
    }
    objects
}

/// Pools and BGP left alpha in 1.18.
fn stable_since_18(version: CiliumVersion) -> &'static str {
    if version.at_least(18) { "v2" } else { "v2alpha1" }
}

fn object(api_version: &str, kind: &str, name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": format!("cilium.io/{api_version}"),
        "kind": kind,
        "metadata": {"name": name},
        "spec": spec,
    })
}

/// No Service but those of these gateways takes an address from it.
fn pool(name: &str, gateways: &[&Gateway], version: CiliumVersion) -> Value {
    let mut blocks: Vec<Value> = Vec::new();
    for (announced, _) in gateways.iter().filter_map(|gateway| announced(gateway)) {
        for range in &announced.addresses {
            let block = block(*range);
            if !blocks.contains(&block) {
                blocks.push(block);
            }
        }
    }
    let spec = json!({
        "blocks": blocks,
        // Cilium 1.15 keeps the ends of a network back unless told otherwise.
        "allowFirstLastIPs": "Yes",
        "serviceSelector": service_selector(gateways),
    });
    object(stable_since_18(version), "CiliumLoadBalancerIPPool", name, &spec)
}

fn block(range: AddressRange) -> Value {
    if let Some(network) = range.network() {
        return json!({"cidr": network});
    }
    let (start, stop) = range.ends();
    json!({"start": start, "stop": stop})
}

/// Selects Services by what Cilium reads as labels of every Service.
fn service_selector(gateways: &[&Gateway]) -> Value {
    const NAME: &str = "io.kubernetes.service.name";
    const NAMESPACE: &str = "io.kubernetes.service.namespace";
    // Those that share an address stand in one namespace: a rule has seen to it.
    let namespace = gateways.first().map(|gateway| gateway.namespace.as_str());
    match gateways {
        [only] => json!({"matchLabels": {NAMESPACE: namespace, NAME: only.service.name}}),
        several => {
            let names: Vec<&str> = several.iter().map(|gateway| gateway.service.name.as_str()).collect();
            json!({
                "matchLabels": {NAMESPACE: namespace},
                "matchExpressions": [{"key": NAME, "operator": "In", "values": names}],
            })
        }
    }
}

/// One policy for each pool of nodes: a policy's selector has no "or".
fn policies(plan: &Plan, gateway: &Gateway, announced: &Announced) -> Vec<Value> {
    let policy = |name: &str, nodes: Option<Value>| {
        let mut spec = json!({"serviceSelector": service_selector(&[gateway]), "loadBalancerIPs": true});
        if let Some(nodes) = nodes {
            spec["nodeSelector"] = nodes;
        }
        if !announced.interfaces.is_empty() {
            spec["interfaces"] = json!(announced.interfaces.iter().map(exactly).collect::<Vec<_>>());
        }
        object("v2alpha1", "CiliumL2AnnouncementPolicy", name, &spec)
    };
    node_selectors(plan, &announced.announce_from)
        .into_iter()
        .map(|(pool, nodes)| match pool {
            Some(pool) => policy(&format!("{}.{pool}", gateway.name), nodes),
            None => policy(gateway.name.as_str(), nodes),
        })
        .collect()
}

/// The pools with their selectors; where one has no labels, every node, which no selector at all says.
fn node_selectors<'a>(plan: &Plan, pools: &'a [DnsLabel]) -> Vec<(Option<&'a DnsLabel>, Option<Value>)> {
    if pools.iter().any(|pool| plan.pools[pool].node_selector.is_empty()) {
        return vec![(None, None)];
    }
    let selector = |pool: &DnsLabel| json!({"matchLabels": plan.pools[pool].node_selector});
    pools.iter().map(|pool| (Some(pool), Some(selector(pool)))).collect()
}

/// The regular expression that matches this interface and no other.
fn exactly(interface: &InterfaceName) -> String {
    format!("^{}$", interface.as_str().replace('.', "\\."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_is_matched_by_itself_only() {
        assert_eq!(exactly(&"eth0.100".parse().unwrap()), r"^eth0\.100$");
        assert_eq!(exactly(&"br-lan_1".parse().unwrap()), "^br-lan_1$");
    }
}
