//! A plan in the shape of a spec: every default filled in, and itself a spec that gives the same tree.

use serde_json::{Map, Value, json};

use super::helm::policy_word;
use super::manifests::level_word;
use crate::plan::{
    Bgp, Bind, Cni, DataPlane, DirectNodePort, Gateway, Limits, Mechanism, MetalLbMode, Plan, Pool, Replicas,
    ServiceType, Slot, Strategy, protocol_word,
};

/// The spec that says everything.
#[must_use]
pub fn resolved(plan: &Plan) -> Value {
    let cluster = &plan.cluster;
    let proxy = match cluster.data_plane {
        DataPlane::KubeProxy(mode) => {
            json!({"type": "kube-proxy", "mode": mode.to_string(), "strictARP": cluster.strict_arp})
        }
        DataPlane::Cilium(version) => json!({"type": "cilium", "version": version, "kubeProxyReplacement": true}),
        DataPlane::CiliumBeside(version, mode) => {
            json!({"type": "cilium", "version": version, "kubeProxyReplacement": false, "mode": mode.to_string()})
        }
    };
    let cni = match cluster.cni {
        Cni::Cilium => "cilium",
        Cni::Calico => "calico",
        Cni::Flannel => "flannel",
        Cni::Other => "other",
    };
    let pools: Map<String, Value> = plan.pools.iter().map(|(name, value)| (name.to_string(), pool(value))).collect();
    let gateways: Map<String, Value> =
        plan.gateways.iter().map(|(name, value)| (name.to_string(), gateway(value))).collect();
    json!({
        "apiVersion": "portgen/v1alpha1",
        "kind": "Cluster",
        "metadata": {"name": plan.name},
        "cluster": {
            "kubernetesVersion": cluster.version,
            "serviceProxy": proxy,
            "cni": cni,
            "nodePortRange": cluster.node_port_range,
            "ipFamilies": cluster.families,
            "podSecurity": level_word(cluster.pod_security),
        },
        "nodePools": pools,
        "gateways": gateways,
    })
}

fn pool(pool: &Pool) -> Value {
    let mut value = json!({
        "nodeSelector": pool.node_selector,
        "tolerations": pool.tolerations,
        "os": pool.os.name(),
        "interfaces": pool.interfaces,
    });
    if let Some(count) = pool.nodes() {
        value["count"] = json!(count);
    }
    value["addresses"] = json!(pool.addresses);
    value
}

fn gateway(gateway: &Gateway) -> Value {
    let ports: Map<String, Value> = gateway
        .ports
        .iter()
        .map(|(name, port)| {
            let mut value = json!({"port": port.port, "targetPort": port.target_port});
            if let (Some(node_port), ServiceType::NodePort) = (port.node_port, gateway.needs.service_type) {
                value["nodePort"] = json!(node_port);
            }
            value["protocol"] = json!(protocol_word(port.protocol));
            value["tls"] = json!(matches!(port.slot, Slot::Https | Slot::Http3));
            (name.to_string(), value)
        })
        .collect();
    let replicas = match gateway.replicas {
        Replicas::Fixed(count) => json!(count),
        Replicas::Scaled { min, max, cpu_utilization } => {
            json!({"min": min, "max": max, "cpuUtilization": cpu_utilization})
        }
    };
    let accept: Vec<Value> =
        gateway.accept.iter().map(|accept| json!({"rule": accept.rule, "reason": accept.reason})).collect();
    json!({
        "chart": {"name": gateway.chart.profile.name, "version": gateway.chart_version, "release": gateway.release},
        "namespace": gateway.namespace,
        "nodePools": gateway.pools,
        "ports": ports,
        "replicas": replicas,
        "exposure": exposure(&gateway.strategy),
        "security": {
            "runAsUser": gateway.security.run_as_user,
            "runAsGroup": gateway.security.run_as_group,
            "readOnlyRootFilesystem": gateway.security.read_only_root_filesystem,
        },
        "values": gateway.values,
        "accept": accept,
    })
}

fn exposure(strategy: &Strategy) -> Value {
    let mut value = json!({"strategy": strategy.name()});
    match strategy {
        Strategy::NodePortRedirect { mechanism, allow_from, limits, direct_node_port, policy } => {
            value["mechanism"] = json!(match mechanism {
                Mechanism::PortRewrite => "portRewrite",
                Mechanism::SocketProxy => "socketProxy",
                Mechanism::NatRedirect => "natRedirect",
            });
            value["allowFrom"] = json!(allow_from);
            add_limits(&mut value, *limits);
            value["directNodePort"] = json!(match direct_node_port {
                DirectNodePort::Deny => "deny",
                DirectNodePort::Allow => "allow",
            });
            value["externalTrafficPolicy"] = json!(policy_word(*policy));
        }
        Strategy::HostNetwork { bind, allow_from, limits } => {
            value["bind"] = json!(match bind {
                Bind::Redirect => "redirect",
                Bind::Direct => "direct",
            });
            value["allowFrom"] = json!(allow_from);
            add_limits(&mut value, *limits);
        }
        Strategy::MetalLb { mode, addresses, load_balancer_ips, interfaces, announce_from, bgp, policy, .. } => {
            value["mode"] = json!(match mode {
                MetalLbMode::L2 => "l2",
                MetalLbMode::Bgp => "bgp",
            });
            value["addresses"] = json!(addresses);
            if !load_balancer_ips.is_empty() {
                value["loadBalancerIP"] = json!(load_balancer_ips);
            }
            value["interfaces"] = json!(interfaces);
            value["announceFrom"] = json!(announce_from);
            if let Some(bgp) = bgp {
                value["bgp"] = sessions(bgp);
            }
            value["externalTrafficPolicy"] = json!(policy_word(*policy));
        }
    }
    value
}

fn add_limits(value: &mut Value, limits: Option<Limits>) {
    let Some(limits) = limits else { return };
    let mut written = Map::new();
    if let Some(connections) = limits.connections {
        written.insert("connectionsPerSource".to_owned(), json!(connections));
    }
    if let Some(rate) = limits.rate {
        written.insert("newConnectionsPerSecond".to_owned(), json!(rate));
        written.insert("burst".to_owned(), json!(limits.burst));
    }
    value["limits"] = Value::Object(written);
}

fn sessions(bgp: &Bgp) -> Value {
    let peers: Map<String, Value> = bgp
        .peers
        .iter()
        .map(|(name, peer)| {
            let mut value = json!({
                "address": peer.address,
                "asn": peer.asn,
                "port": peer.port,
                "ebgpMultiHop": peer.ebgp_multi_hop,
            });
            if let Some(secret) = &peer.password_secret {
                value["passwordSecret"] = json!(secret);
            }
            (name.to_string(), value)
        })
        .collect();
    let mut value = json!({"localASN": bgp.local_asn, "peers": peers, "communities": bgp.communities});
    if let Some(local_pref) = bgp.local_pref {
        value["localPref"] = json!(local_pref);
    }
    value
}
