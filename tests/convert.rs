//! `portgen convert`: what an old ConfigMap says survives, what cannot survive is named with its place.

mod common;

use std::fs;
use std::process::Output;

use common::{portgen, stderr, stdout};
use serde_json::{Value, json};

fn config_map(config: &str) -> String {
    let config = config.replace('\n', "\n    ");
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{namespace: metallb, name: config}}\ndata:\n  config: |\n    {config}\n"
    )
}

fn run(command: &str, config: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("config.yaml"), config_map(config)).unwrap();
    portgen(folder.path(), &[command, "config.yaml"])
}

fn objects(output: &Output) -> Vec<Value> {
    assert_eq!(output.status.code(), Some(0), "{}", stderr(output));
    stdout(output)
        .split("\n---\n")
        .map(|text| portgen::source::compose(text, portgen::source::FileId(0)).unwrap().to_json())
        .collect()
}

const FULL: &str = "\
address-pools:
- name: edge
  protocol: bgp
  addresses: [192.0.2.0/28, 198.51.100.10-198.51.100.20]
  auto-assign: false
  avoid-buggy-ips: true
  bgp-advertisements:
  - {aggregation-length: 32, localpref: 100, communities: [no-export, '64512:1']}
  - {aggregation-length: 30}
- name: inner
  protocol: layer2
  addresses: ['2001:db8::/120']
peers:
- peer-address: 203.0.113.1
  peer-asn: 64513
  my-asn: 64512
  peer-port: 1179
  source-address: 203.0.113.2
  hold-time: 120s
  keepalive-time: 1m30s
  router-id: 203.0.113.3
  password: hunter2
  bfd-profile: fast
  ebgp-multihop: true
  node-selectors:
  - match-labels: {pool: edge}
    match-expressions:
    - {key: kubernetes.io/arch, operator: In, values: [amd64, arm64]}
bgp-communities: {no-export: '65535:65281'}
bfd-profiles:
- {name: fast, receive-interval: 100, minimum-ttl: 250, echo-mode: false}
";

#[test]
fn everything_that_can_be_said_is_said() {
    let output = run("convert", FULL);
    let objects = objects(&output);
    let named: Vec<String> = objects
        .iter()
        .map(|object| {
            assert_eq!(object["metadata"]["namespace"], "metallb");
            format!("{} {} {}", object["apiVersion"], object["kind"], object["metadata"]["name"]).replace('"', "")
        })
        .collect();
    let expected = [
        "metallb.io/v1beta1 Community communities",
        "metallb.io/v1beta1 BFDProfile fast",
        "metallb.io/v1beta2 BGPPeer peer1",
        "metallb.io/v1beta1 IPAddressPool edge",
        "metallb.io/v1beta1 BGPAdvertisement edge-1",
        "metallb.io/v1beta1 BGPAdvertisement edge-2",
        "metallb.io/v1beta1 IPAddressPool inner",
        "metallb.io/v1beta1 L2Advertisement inner",
    ];
    assert_eq!(named, expected);
    let specs: Vec<&Value> = objects.iter().map(|object| &object["spec"]).collect();
    assert_eq!(*specs[0], json!({"communities": [{"name": "no-export", "value": "65535:65281"}]}));
    assert_eq!(*specs[1], json!({"receiveInterval": 100, "echoMode": false, "minimumTtl": 250}));
    let peer = json!({
        "myASN": 64512,
        "peerASN": 64513,
        "peerAddress": "203.0.113.1",
        "sourceAddress": "203.0.113.2",
        "peerPort": 1179,
        "holdTime": "120s",
        "keepaliveTime": "1m30s",
        "routerID": "203.0.113.3",
        "passwordSecret": {"name": "peer1-password"},
        "bfdProfile": "fast",
        "ebgpMultiHop": true,
        "nodeSelectors": [{
            "matchLabels": {"pool": "edge"},
            "matchExpressions": [{"key": "kubernetes.io/arch", "operator": "In", "values": ["amd64", "arm64"]}],
        }],
    });
    assert_eq!(*specs[2], peer);
    let pool = json!({
        "addresses": ["192.0.2.0/28", "198.51.100.10-198.51.100.20"],
        "autoAssign": false,
        "avoidBuggyIPs": true,
    });
    assert_eq!(*specs[3], pool);
    let first = json!({
        "ipAddressPools": ["edge"],
        "aggregationLength": 32,
        "localPref": 100,
        "communities": ["no-export", "64512:1"],
    });
    assert_eq!(*specs[4], first);
    assert_eq!(*specs[5], json!({"ipAddressPools": ["edge"], "aggregationLength": 30}));
    assert_eq!(*specs[7], json!({"ipAddressPools": ["inner"]}));
}

#[test]
fn a_password_is_never_printed() {
    let output = run("convert", FULL);
    assert!(!stdout(&output).contains("hunter2") && !stderr(&output).contains("hunter2"));
    assert!(stderr(&output).contains("create secret generic peer1-password"), "{}", stderr(&output));
}

#[test]
fn a_pool_without_advertisements_is_announced_all_the_same() {
    let output = run("convert", "address-pools: [{name: edge, protocol: bgp, addresses: [192.0.2.0/28]}]");
    let objects = objects(&output);
    assert_eq!(objects[1]["kind"], "BGPAdvertisement");
    assert_eq!(objects[1]["metadata"]["name"], "edge");
}

#[test]
fn what_cannot_be_converted_is_named_with_its_place() {
    for (config, line, reason) in [
        (
            "address-pools:\n- {name: My_Pool, protocol: layer2, addresses: [192.0.2.0/28]}",
            2,
            "`My_Pool` is not an object's name",
        ),
        ("address-pools:\n- name: a\n  protocol: l2\n  addresses: [192.0.2.0/28]", 3, "this is no protocol of MetalLB"),
        ("address-pools:\n- name: a\n  protocol: layer2", 2, "`addresses` is missing"),
        (
            "address-pools:\n- name: a\n  protocol: layer2\n  addresses:\n  - 192.0.2.1/28",
            5,
            "`192.0.2.1/28` is not an address range",
        ),
        ("peers:\n- {my-asn: 64512, peer-asn: 0, peer-address: 192.0.2.1}", 2, "`peer-asn` is out of bounds"),
        (
            "peers:\n- my-asn: 64512\n  peer-asn: 64513\n  peer-address: 192.0.2.1\n  hold-time: 90",
            5,
            "a text is wanted here",
        ),
        (
            "peers:\n- my-asn: 64512\n  peer-asn: 64513\n  peer-address: 192.0.2.1\n  bfd-profile: fast",
            5,
            "there is no profile `fast`",
        ),
        ("address-pools: []\npeer: []", 2, "MetalLB's ConfigMap has no `peer` here"),
        ("address-pools: [", 1, "error[yaml-syntax]"),
        (
            "address-pools:\n- name: edge\n  protocol: bgp\n  addresses: [192.0.2.0/28]\n  bgp-advertisements:\n  - aggregation-length: 24",
            6,
            "a /24 is wider than anything in `192.0.2.0/28`",
        ),
    ] {
        let output = run("convert", config);
        assert_eq!(output.status.code(), Some(1), "{config}");
        assert!(stdout(&output).is_empty(), "nothing is converted in part");
        let said = stderr(&output);
        assert!(said.contains(reason), "{config}: {said}");
        // The text starts on the sixth line of the file.
        assert!(said.contains(&format!("config.yaml:{}:", line + 5)), "{config}: {said}");
    }
}

#[test]
fn a_name_may_have_dots() {
    let pool = "address-pools:\n- {name: bgp.pool, protocol: layer2, addresses: [192.0.2.0/28]}";
    let objects = objects(&run("convert", pool));
    assert!(objects.iter().all(|object| object["metadata"]["name"] == "bgp.pool"), "{objects:?}");
}

#[test]
fn a_text_in_quotes_counts_its_own_lines() {
    let folder = tempfile::tempdir().unwrap();
    let text = "kind: ConfigMap\ndata: {config: \"peers:\\n- my-asn: x\"}\n";
    fs::write(folder.path().join("config.yaml"), text).unwrap();
    let said = stderr(&portgen(folder.path(), &["convert", "config.yaml"]));
    assert!(said.contains("config.yaml (data.config):2:"), "{said}");
}

#[test]
fn a_config_map_given_as_a_spec_is_recognised() {
    for command in ["check", "render"] {
        let output = run(command, FULL);
        assert_eq!(output.status.code(), Some(1));
        let said = format!("{}{}", stdout(&output), stderr(&output));
        assert!(said.contains("error[metallb-config-map]"), "{said}");
        assert!(said.contains("portgen convert"), "{said}");
    }
}

#[test]
fn anything_else_is_no_config_map() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("config.yaml"), "kind: ConfigMap\ndata: {other: text}\n").unwrap();
    let output = portgen(folder.path(), &["convert", "config.yaml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("is no ConfigMap of MetalLB"), "{}", stderr(&output));
}
