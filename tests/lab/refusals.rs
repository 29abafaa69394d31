//! What portgen refuses or never writes, built by hand and seen to fail: no refusal is superstition.
//!
//! What the matrix refuses on a data plane is built there. Here is the rest of what packets can show.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::data_plane::DataPlane;
use crate::ipvs;
use crate::net::{FAMILIES, Family, NODES};
use crate::node::{Tree, Variant};
use crate::scene::{Scene, spec};
use crate::traffic::{self, Gateway, IMPATIENCE, Outcome, PATIENCE, Transport};

/// Something that does not work.
pub struct Refusal {
    /// The rule that refuses it, or `never written`.
    pub rule: &'static str,
    /// What was built.
    pub built: &'static str,
    /// Builds it, and tells what happened; an error when it worked.
    pub show: fn() -> Result<String, String>,
}

/// Refusals that packets cannot show: the API server, the scheduler, Helm, the container runtime or a controller's
/// election decides them, or nothing would be written at all.
pub const OBJECTS: &[&str] = &[
    "aggregation-beyond-pool",
    "bfd-echo-refused",
    "bgp-misses-family",
    "bgp-multi-hop-inside",
    "bgp-peers-differ",
    "bgp-sessions-clash",
    "bgp-without-sessions",
    "chart-cannot-express",
    "cilium-gateway-unserved",
    "cilium-too-old",
    "cilium-value",
    "cloud-cannot-serve",
    "cloud-fields-contradict",
    "container-not-restricted",
    "external-ip-refused",
    "external-ips-miss-family",
    "field-of-another-cloud",
    "host-network-in-restricted-namespace",
    "ignored-value",
    "image-user",
    "iptables-missing-on-os",
    "k3s-component-fights",
    "load-balancer-ip-family",
    "load-balancer-ip-outside-pool",
    "local-under-cilium-l2",
    "metallb-too-old",
    "mode-not-available",
    "more-replicas-than-nodes",
    "node-count",
    "node-ipam-selector",
    "node-port-addresses",
    "node-port-out-of-range",
    "node-port-taken-twice",
    "node-port-unset",
    "os-without-node-files",
    "pool-address-refused",
    "pool-misses-family",
    "pool-without-labels",
    "pools-overlap",
    "port-taken-twice",
    "release-name",
    "replicas-reversed",
    "rolling-update-deadlock",
    "root-filesystem-written",
    "root-user",
    "same-nodes-in-two-pools",
    "shared-address-apart",
    "shared-address-refused",
    "sync-periods-reversed",
    "toleration-refused",
    "unknown-name",
    "unused-accept",
    "value-fights-strategy",
];

/// Refusals that the matrix shows, data plane by data plane.
pub const MATRIX: &[&str] =
    &["cilium-address-unserved", "external-ips-beside-ipvs", "redirect-under-cilium", "unreachable-mechanism"];

pub const REFUSALS: &[Refusal] = &[
    Refusal {
        rule: "announcer-without-pod",
        built: "an address announced from a node without a pod, under `Local`",
        show: announcer_without_pod,
    },
    Refusal {
        rule: "direct-bind-elsewhere",
        built: "`bind: direct` with a process that listens on 9080",
        show: direct_bind_elsewhere,
    },
    Refusal { rule: "host-port-unmapped", built: "pods with host ports that no plugin maps", show: host_port_unmapped },
    Refusal {
        rule: "pool-contains-node-address",
        built: "node1 announces node2's address; a client of node2",
        show: pool_contains_node_address,
    },
    Refusal {
        rule: "port-is-node-port",
        built: "a public port that is a node port: it is shut first",
        show: port_is_node_port,
    },
    Refusal {
        rule: "port-used-by-node",
        built: "a rewrite of 10250, where the kubelet listens",
        show: port_used_by_node,
    },
    Refusal {
        rule: "privileged-target-port",
        built: "a process with CAP_NET_BIND_SERVICE inheritable and bounding, as runtimes give it, binds 80",
        show: privileged_target_port,
    },
    Refusal { rule: "proxy-without-udp", built: "UDP 443 at a node with proxies", show: proxy_without_udp },
    Refusal { rule: "never written", built: "DNAT of port 80 to the ClusterIP", show: dnat_to_cluster_ip },
    Refusal {
        rule: "never written",
        built: "a jump from PREROUTING to KUBE-EXT-…, when kube-proxy deletes that chain",
        show: jump_to_a_kube_chain,
    },
    Refusal { rule: "never written", built: "`iptables-save` restored after a rollout", show: saved_rules },
];

const IPTABLES: DataPlane = DataPlane::Iptables(Variant::Nft);

fn must_be(expected: &Outcome, met: impl Fn(Family) -> Outcome) -> Result<String, String> {
    for family in FAMILIES {
        let outcome = met(family);
        if outcome != *expected {
            return Err(format!("{}: {outcome}, and not {expected}", family.name()));
        }
    }
    Ok(expected.to_string())
}

fn http(scene: &Scene, family: Family, patience: std::time::Duration) -> Outcome {
    traffic::probe(&scene.net.client, Transport::Tcp, scene.at(0, family, 80), patience)
}

fn announcer_without_pod() -> Result<String, String> {
    let exposure = "{strategy: metalLB, mode: l2, externalTrafficPolicy: Local, addresses: [198.51.100.200-198.51.100.209, \"2001:db8:64::200-2001:db8:64::209\"]}";
    let mut scene = Scene::new(IPTABLES, &spec(IPTABLES, exposure, false));
    scene.set_endpoints(&[1]);
    must_be(&Outcome::Timeout, |family| http(&scene, family, IMPATIENCE))
}

fn direct_bind_elsewhere() -> Result<String, String> {
    let scene = Scene::new(IPTABLES, &spec(IPTABLES, "{strategy: hostNetwork, bind: direct}", false));
    let _gateway = Gateway::listen(&scene.net.nodes[0], "node1", &[(Transport::Tcp, 9080)]);
    must_be(&Outcome::Refused, |family| http(&scene, family, PATIENCE))
}

fn pool_contains_node_address() -> Result<String, String> {
    let scene = Scene::new(IPTABLES, &spec(IPTABLES, "{strategy: nodePortRedirect}", false));
    let _service = Gateway::listen(&scene.net.nodes[1], "node2", &[(Transport::Tcp, 7777)]);
    let (v4, v6) = NODES[1];
    let at = |family: Family| SocketAddr::new(family.of(NODES[1]), 7777);
    for family in FAMILIES {
        traffic::who(&scene.net.client, Transport::Tcp, at(family), PATIENCE).map_err(|outcome| outcome.to_string())?;
    }
    // Both machines answer who has the address; the router believes the last one.
    let mac = scene.net.nodes[0].sh("ip -br link show eth0 | awk '{print $3}'");
    let mac = mac.trim();
    scene.net.nodes[0].sh(&format!("ip addr add {v4}/32 dev eth0; ip addr add {v6}/128 dev eth0 nodad"));
    scene
        .net
        .router
        .sh(&format!("ip neigh replace {v4} lladdr {mac} dev br0; ip neigh replace {v6} lladdr {mac} dev br0"));
    must_be(&Outcome::Refused, |family| traffic::probe(&scene.net.client, Transport::Tcp, at(family), PATIENCE))
}

/// A scene with a tree whose rules were changed by hand.
fn changed(exposure: &str, change: impl Fn(&str) -> String) -> Scene {
    let spec = spec(IPTABLES, exposure, false);
    let tree = Tree::render(&spec).expect("it is accepted");
    tree.mutate("portgen/portgen.nft", change);
    let mut scene = Scene::new(IPTABLES, &spec);
    scene.install(&Arc::new(tree));
    scene
}

fn port_is_node_port() -> Result<String, String> {
    let scene = changed("{strategy: nodePortRedirect}", |text| {
        text.replace("tcp dport 80 counter tcp dport set 30080", "tcp dport 30080 counter tcp dport set 30080")
            .replace("tcp sport 30080 tcp sport set 80", "tcp sport 30080 tcp sport set 30080")
    });
    must_be(&Outcome::Timeout, |family| {
        traffic::probe(&scene.net.client, Transport::Tcp, scene.at(0, family, 30_080), IMPATIENCE)
    })
}

fn port_used_by_node() -> Result<String, String> {
    let scene = changed("{strategy: nodePortRedirect}", |text| {
        text.replace("tcp dport 80 ", "tcp dport 10250 ").replace("tcp sport set 80 ", "tcp sport set 10250 ")
    });
    let _kubelet = Gateway::listen(&scene.net.nodes[0], "kubelet", &[(Transport::Tcp, 10_250)]);
    for family in FAMILIES {
        let answer = traffic::who(&scene.net.client, Transport::Tcp, scene.at(0, family, 10_250), PATIENCE)
            .map_err(|outcome| outcome.to_string())?;
        if answer.name == "kubelet" {
            return Err(format!("{}: the kubelet still answers", family.name()));
        }
    }
    Ok("the gateway answers in the kubelet's place".to_owned())
}

fn privileged_target_port() -> Result<String, String> {
    let scene = Scene::new(IPTABLES, &spec(IPTABLES, "{strategy: nodePortRedirect}", false));
    let program = std::env::current_exe().expect("a path");
    // `noroot`: user 0 is nobody special, as user 1000 is.
    let command = format!(
        "setpriv --securebits=+noroot --bounding-set=-all,+net_bind_service --inh-caps=-all,+net_bind_service {} serve pod1 tcp:80",
        program.display()
    );
    match scene.net.pods[0].try_command(&["sh", "-c", &format!("timeout 2 {command}")], "").status.code() {
        // What the program ends with when it cannot bind; 124 is timeout's, for one that goes on.
        Some(1) => Ok("permission denied".to_owned()),
        other => Err(format!("it binds: {other:?}")),
    }
}

fn host_port_unmapped() -> Result<String, String> {
    let scene = Scene::new(IPTABLES, &spec(IPTABLES, "{strategy: nodePort}", false));
    must_be(&Outcome::Refused, |family| {
        traffic::probe(&scene.net.client, Transport::Tcp, SocketAddr::new(family.of(NODES[0]), 80), PATIENCE)
    })
}

fn proxy_without_udp() -> Result<String, String> {
    let spec = spec(IPTABLES, "{strategy: nodePortRedirect, mechanism: socketProxy}", false);
    let mut scene = Scene::new(IPTABLES, &spec);
    scene.install(&Arc::new(Tree::render(&spec)?));
    must_be(&Outcome::Refused, |family| {
        traffic::probe(&scene.net.client, Transport::Udp, scene.at(0, family, 443), PATIENCE)
    })
}

fn dnat_to_cluster_ip() -> Result<String, String> {
    let scene = Scene::new(IPTABLES, &spec(IPTABLES, "{strategy: nodePortRedirect}", false));
    let (v4, v6) = scene.services[0].cluster_ip;
    scene.net.nodes[0].sh(&format!(
        "iptables-nft -t nat -I PREROUTING -d {} -p tcp --dport 80 -j DNAT --to-destination {v4}:80
         ip6tables-nft -t nat -I PREROUTING -d {} -p tcp --dport 80 -j DNAT --to-destination [{v6}]:80",
        NODES[0].0, NODES[0].1
    ));
    must_be(&Outcome::Timeout, |family| http(&scene, family, IMPATIENCE))
}

fn jump_to_a_kube_chain() -> Result<String, String> {
    let scene = Scene::new(IPTABLES, &spec(IPTABLES, "{strategy: nodePortRedirect}", false));
    let node = &scene.net.nodes[0];
    let chains = node.sh("iptables-nft -t nat -S | sed -n 's/^-N \\(KUBE-EXT-.*\\)/\\1/p'");
    let chain = chains.lines().next().ok_or("kube-proxy made no such chain")?;
    node.sh(&format!("iptables-nft -t nat -I PREROUTING -p tcp --dport 80 -j {chain}"));
    // What kube-proxy writes when the Service is gone.
    let deletion = format!("*nat\n:{chain} - [0:0]\n-F KUBE-NODEPORTS\n-X {chain}\nCOMMIT\n");
    let output = node.try_command(&["iptables-nft-restore", "-w", "30", "--noflush"], &deletion);
    if output.status.success() {
        return Err("kube-proxy deletes the chain all the same".to_owned());
    }
    Ok("kube-proxy's iptables-restore fails from then on".to_owned())
}

fn saved_rules() -> Result<String, String> {
    let mut scene = Scene::new(IPTABLES, &spec(IPTABLES, "{strategy: nodePortRedirect}", false));
    let saved = scene.net.nodes[0].sh("iptables-nft-save");
    scene.set_endpoints(&[1]);
    scene.net.nodes[0].command(&["iptables-nft-restore"], &saved);
    let to = SocketAddr::new(Family::V4.of(NODES[0]), 30_080);
    let answer = traffic::who(&scene.net.client, Transport::Tcp, to, PATIENCE).map_err(|met| met.to_string())?;
    if answer.name != "pod1" {
        return Err(format!("{} answers, as it should", answer.name));
    }
    Ok("connections go to the pod that was replaced".to_owned())
}

/// Every rule that refuses is shown somewhere, or is about objects that never become packets.
pub fn complete() -> Result<(), String> {
    let mut shown: Vec<&str> =
        REFUSALS.iter().map(|refusal| refusal.rule).filter(|rule| *rule != "never written").collect();
    shown.extend(OBJECTS.iter().chain(MATRIX));
    let (errors, warnings): (Vec<_>, Vec<_>) =
        portgen::check::rules().partition(|rule| rule.severity == portgen::finding::Severity::Error);
    // Beside IPVS a warning is shown as well.
    let beside_ipvs = ipvs::REFUSALS.map(|(rule, ..)| rule).into_iter();
    shown.extend(beside_ipvs.filter(|shown| warnings.iter().all(|rule| rule.name != *shown)));
    shown.sort_unstable();
    shown.dedup();
    let mut refusing: Vec<&str> = errors.iter().map(|rule| rule.name).collect();
    refusing.sort_unstable();
    if shown == refusing {
        return Ok(());
    }
    let missing: Vec<_> = refusing.iter().filter(|rule| !shown.contains(rule)).collect();
    let gone: Vec<_> = shown.iter().filter(|rule| !refusing.contains(rule)).collect();
    Err(format!("neither shown nor named as beyond packets: {missing:?}; shown, and no longer a rule: {gone:?}"))
}
