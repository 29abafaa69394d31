//! What is written for Cilium, version by version: no value that the version does not read, no kind it does not have,
//! and no selector that takes in somebody else's Service.

mod common;

use std::collections::BTreeSet;
use std::fs;

use portgen::grammar::CiliumVersion;
use portgen::plan::cilium::{NEWEST, fault};
use serde_json::Value;

use common::{portgen, stdout};

fn documents(text: &str) -> Vec<Value> {
    text.split("\n---\n")
        .map(|text| portgen::source::compose(text, portgen::source::FileId(0)).unwrap().to_json())
        .collect()
}

/// A spec whose gateway is exposed this way under this version.
fn spec(version: u16, exposure: &str, more: &str) -> String {
    format!(
        "apiVersion: portgen/v1alpha1
kind: Cluster
metadata: {{name: c}}
cluster:
  kubernetesVersion: \"1.33\"
  serviceProxy: {{type: cilium, version: \"1.{version}\", kubeProxyReplacement: true{more}}}
  nodePortRange: 30000-32000
  ipFamilies: [IPv4]
nodePools:
  edge: {{nodeSelector: {{pool: edge}}, os: talos, count: 3}}
gateways:
  kong:
    chart: kong
    namespace: kong
    nodePools: [edge]
    ports:
      http: {{port: 80}}
    exposure: {exposure}
"
    )
}

/// The files below `cilium/`, or nothing where the spec is refused.
fn rendered(spec: &str) -> Option<Vec<(String, Vec<Value>)>> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("portgen.yaml"), spec).unwrap();
    let output = portgen(folder.path(), &["render"]);
    if output.status.code() == Some(1) {
        return None;
    }
    assert_eq!(output.status.code(), Some(0), "{spec}{}", stdout(&output));
    let below = folder.path().join("rendered/c/cilium");
    Some(
        common::files(&below)
            .into_iter()
            .map(|(name, path)| (name, documents(&fs::read_to_string(path).unwrap())))
            .collect(),
    )
}

fn leaves(prefix: &str, value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                leaves(&format!("{prefix}{}{key}", if prefix.is_empty() { "" } else { "." }), value, found);
            }
        }
        _ => found.push(prefix.to_owned()),
    }
}

const POOL: &str = "addresses: [192.0.2.0/28]";
const BGP: &str = "bgp: {localASN: 64512, peers: {tor: {address: 198.51.100.1, asn: 64513}}}";

#[test]
fn every_version_gets_what_it_reads() {
    let exposures = [
        (15, format!("{{strategy: ciliumLoadBalancer, {POOL}}}"), ""),
        (16, format!("{{strategy: ciliumLoadBalancer, announce: bgp, {POOL}, {BGP}}}"), ""),
        (16, "{strategy: ciliumLoadBalancer, announce: node}".to_owned(), ""),
        (16, "{strategy: nodePort}".to_owned(), ", gateway: {http: 80, https: 443}"),
        (16, "{strategy: nodePort}".to_owned(), ", gateway: {api: ingress, http: 80}"),
        (20, "{strategy: nodePort}".to_owned(), ", gateway: {api: ingress, http: 80, https: 443}"),
    ];
    for (since, exposure, more) in exposures {
        for version in 14..=NEWEST {
            let files = rendered(&spec(version, &exposure, more));
            assert_eq!(files.is_some(), version >= since, "{exposure} {more} under 1.{version}");
            let parsed: CiliumVersion = format!("1.{version}").parse().unwrap();
            for (name, documents) in files.into_iter().flatten() {
                if name == "values.yaml" {
                    let mut paths = Vec::new();
                    leaves("", &documents[0], &mut paths);
                    for path in paths {
                        assert_eq!(fault(&path, parsed), None, "1.{version} does not read {path}");
                    }
                }
                for document in
                    documents.iter().filter(|_| name != "objects/kustomization.yaml" && name != "values.yaml")
                {
                    let stable = document["kind"] != "CiliumL2AnnouncementPolicy" && version >= 18;
                    let expected = if stable { "cilium.io/v2" } else { "cilium.io/v2alpha1" };
                    assert_eq!(document["apiVersion"], expected, "{name} for 1.{version}");
                }
            }
        }
    }
}

/// The Services that a selector takes in, by name.
fn selected(selector: &Value, name: &str) -> BTreeSet<String> {
    assert!(selector["matchLabels"]["io.kubernetes.service.namespace"].is_string(), "{name}: {selector}");
    let one = selector["matchLabels"]["io.kubernetes.service.name"].as_str().map(str::to_owned);
    let several = selector["matchExpressions"].as_array().into_iter().flatten().flat_map(|expression| {
        assert_eq!(expression["key"], "io.kubernetes.service.name", "{name}");
        expression["values"].as_array().unwrap().iter().map(|value| value.as_str().unwrap().to_owned())
    });
    let all: BTreeSet<String> = one.into_iter().chain(several).collect();
    assert!(!all.is_empty(), "{name}: {selector} takes in every Service");
    all
}

#[test]
fn objects_serve_their_own_services_only() {
    let mut kinds = BTreeSet::new();
    let services: BTreeSet<String> = common::rendered()
        .into_iter()
        .filter_map(|(name, _)| Some(name.split("/manifests/service-").nth(1)?.strip_suffix(".yaml")?.to_owned()))
        .collect();
    for (name, path) in common::rendered() {
        if !name.contains("/cilium/objects/") || name.ends_with("kustomization.yaml") {
            continue;
        }
        for document in documents(&fs::read_to_string(path).unwrap()) {
            let kind = document["kind"].as_str().unwrap().to_owned();
            let spec = &document["spec"];
            let (known, selectors): (&[&str], Vec<&Value>) = match kind.as_str() {
                "CiliumLoadBalancerIPPool" => {
                    (&["blocks", "allowFirstLastIPs", "serviceSelector"], vec![&spec["serviceSelector"]])
                }
                "CiliumL2AnnouncementPolicy" => {
                    assert_eq!(spec["loadBalancerIPs"], true, "{name}: it announces nothing");
                    for interface in spec["interfaces"].as_array().into_iter().flatten() {
                        assert_eq!(interface, "^eth0\\.100$", "{name}");
                    }
                    (
                        &["serviceSelector", "nodeSelector", "interfaces", "loadBalancerIPs"],
                        vec![&spec["serviceSelector"]],
                    )
                }
                "CiliumBGPAdvertisement" => {
                    let all = spec["advertisements"].as_array().unwrap();
                    (&["advertisements"], all.iter().map(|one| &one["selector"]).collect())
                }
                "CiliumBGPClusterConfig" => (&["bgpInstances", "nodeSelector"], Vec::new()),
                "CiliumBGPPeerConfig" => (&["transport", "families", "ebgpMultihop", "authSecretRef"], Vec::new()),
                other => panic!("{name}: what is {other}?"),
            };
            for field in spec.as_object().unwrap().keys() {
                assert!(known.contains(&field.as_str()), "{name}: {kind} has no field {field}");
            }
            for selector in selectors {
                assert!(selected(selector, &name).is_subset(&services), "{name}: {selector}");
            }
            kinds.insert(kind);
        }
    }
    assert_eq!(kinds.len(), 5, "{kinds:?}");
}

#[test]
fn a_session_carries_the_gateways_of_its_pool() {
    let find = |end: &str| common::rendered().into_iter().find(|(name, _)| name.ends_with(end)).unwrap().1;
    let sessions = documents(&fs::read_to_string(find("cilium-bgp/cilium/objects/bgp.yaml")).unwrap());
    let carried = |name: &str| {
        let config = sessions.iter().find(|document| document["metadata"]["name"] == name).unwrap();
        config["spec"]["families"][0]["advertisements"]["matchExpressions"][0]["values"].clone()
    };
    // APISIX announces from `inner` only, and has its session with tor-1 in common with Kong there.
    assert_eq!(carried("edge.kong.tor-1"), serde_json::json!(["kong"]));
    let inner = serde_json::json!(["apisix", "fourth", "kong", "third"]);
    assert_eq!(carried("inner.apisix.tor-1"), inner);
    let nodes: Vec<&Value> = sessions.iter().filter(|document| document["kind"] == "CiliumBGPClusterConfig").collect();
    assert_eq!(nodes.len(), 2, "one for each pool: a node takes no second one");
    for config in nodes {
        let addresses: Vec<&Value> = config["spec"]["bgpInstances"][0]["peers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|peer| &peer["peerAddress"])
            .collect();
        let unique: BTreeSet<String> = addresses.iter().map(ToString::to_string).collect();
        assert_eq!(unique.len(), addresses.len(), "one session with each router");
    }
}
