//! A plan in the shape of a spec: every default filled in, and itself a spec that gives the same tree.

use serde_json::{Map, Value, json};

use crate::plan::{
    Announced, Bgp, Cloud, Cni, DataPlane, Gateway, Limits, Plan, Pool, Replicas, ServiceType, Slot, Strategy,
    protocol_word,
};

/// The spec that says everything.
#[must_use]
pub fn resolved(plan: &Plan) -> Value {
    let cluster = &plan.cluster;
    let mut proxy = match cluster.data_plane {
        DataPlane::KubeProxy(mode) => {
            json!({"type": "kube-proxy", "mode": mode.to_string(), "strictARP": cluster.strict_arp})
        }
        DataPlane::Cilium(version) => json!({"type": "cilium", "version": version, "kubeProxyReplacement": true}),
        DataPlane::CiliumBeside(version, mode) => {
            json!({
                "type": "cilium",
                "version": version,
                "kubeProxyReplacement": false,
                "mode": mode.to_string(),
                "strictARP": cluster.strict_arp,
            })
        }
    };
    if let Some(addresses) = &cluster.node_port_addresses {
        proxy["nodePortAddresses"] = json!(addresses);
    }
    for (field, period) in [("minSyncPeriod", &cluster.sync.min), ("syncPeriod", &cluster.sync.full)] {
        if let Some(period) = period {
            proxy[field] = json!(period);
        }
    }
    if let Some(gateway) = &cluster.own_gateway {
        let mut own = json!({"api": gateway.api});
        for (field, port) in gateway.ports() {
            own[field] = json!(port);
        }
        if let Some(pool) = &gateway.pool {
            own["nodePool"] = json!(pool);
        }
        proxy["gateway"] = own;
    }
    if cluster.data_plane.cilium().is_some() {
        proxy["values"] = json!(cluster.cilium_values);
    }
    let cni = match cluster.cni {
        Cni::Cilium => "cilium",
        Cni::Calico => "calico",
        Cni::Flannel => "flannel",
        Cni::Other => "other",
    };
    let pools: Map<String, Value> = plan.pools.iter().map(|(name, value)| (name.to_string(), pool(value))).collect();
    let gateways: Map<String, Value> =
        plan.gateways.iter().map(|(name, value)| (name.to_string(), gateway(value))).collect();
    let mut value = json!({
        "apiVersion": "portgen/v1alpha1",
        "kind": "Cluster",
        "metadata": {"name": plan.name},
        "cluster": {
            "kubernetesVersion": cluster.version,
            "serviceProxy": proxy,
            "cni": cni,
            "nodePortRange": cluster.node_port_range,
            "ipFamilies": cluster.families,
            "podSecurity": cluster.pod_security.as_str(),
        },
        "nodePools": pools,
        "gateways": gateways,
    });
    if let Some(endpoints) = cluster.endpoints {
        value["cluster"]["endpoints"] = json!(endpoints);
    }
    if let Some(distribution) = &cluster.distribution {
        value["cluster"]["distribution"] = json!(distribution);
    }
    if plan.gateways.values().any(|gateway| matches!(gateway.strategy, Strategy::MetalLb { .. })) {
        value["cluster"]["metalLB"] = json!({"version": cluster.metal_lb});
    }
    value
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
        Strategy::NodePortRedirect { mechanism, direct_node_port, .. } => {
            value["mechanism"] = json!(mechanism);
            value["directNodePort"] = json!(direct_node_port);
        }
        Strategy::HostNetwork { bind, .. } => value["bind"] = json!(bind),
        Strategy::HostPort { host_ip } => {
            if let Some(address) = host_ip {
                value["hostIP"] = json!(address);
            }
        }
        Strategy::MetalLb { announced, allow_shared_ip, .. } => {
            value["mode"] = json!(announced.how);
            add_announced(&mut value, announced);
            if let Some(key) = allow_shared_ip {
                value["allowSharedIP"] = json!(key);
            }
        }
        Strategy::CiliumLoadBalancer { announced, sharing_key, .. } => {
            value["announce"] = json!(announced.how);
            add_announced(&mut value, announced);
            if let Some(key) = sharing_key {
                value["sharingKey"] = json!(key);
            }
        }
        Strategy::CloudLoadBalancer { provider, internal, cloud, .. } => {
            value["provider"] = json!(provider);
            value["internal"] = json!(internal);
            add_cloud(&mut value, cloud);
        }
        Strategy::ExternalIps { addresses, form, .. } => {
            value["addresses"] = json!(addresses);
            value["form"] = json!(form);
        }
        Strategy::NodePort { .. } => {}
    }
    if strategy.takes_sources() {
        value["allowFrom"] = json!(strategy.allow_from());
    }
    add_limits(&mut value, strategy.limits());
    if let Some(traffic) = strategy.traffic() {
        value["externalTrafficPolicy"] = json!(traffic.policy);
        value["sessionAffinity"] = json!(traffic.affinity);
    }
    value
}

fn add_announced(value: &mut Value, announced: &Announced) {
    value["addresses"] = json!(announced.addresses);
    if !announced.load_balancer_ips.is_empty() {
        value["loadBalancerIP"] = json!(announced.load_balancer_ips);
    }
    value["interfaces"] = json!(announced.interfaces);
    value["announceFrom"] = json!(announced.announce_from);
    if let Some(bgp) = &announced.bgp {
        value["bgp"] = sessions(bgp);
    }
}

fn add_cloud(value: &mut Value, cloud: &Cloud) {
    match cloud {
        Cloud::Aws(aws) => {
            value["aws"] = json!({
                "controller": aws.controller,
                "targetType": aws.target_type,
                "crossZone": aws.cross_zone,
                "preserveClientIP": aws.preserve_client_ip,
                "subnets": aws.subnets,
                "eipAllocations": aws.eip_allocations,
                "privateAddresses": aws.private_addresses,
            });
        }
        Cloud::Gcp(gcp) => {
            value["gcp"] = json!({
                "addresses": gcp.addresses,
                "globalAccess": gcp.global_access,
                "networkTier": gcp.network_tier,
            });
            if let Some(subnet) = &gcp.subnet {
                value["gcp"]["subnet"] = json!(subnet);
            }
        }
        Cloud::Azure(azure) => {
            value["azure"] = json!({"privateAddresses": azure.private_addresses});
            for (field, name) in [
                ("publicIP", &azure.public_ip),
                ("publicIPv6", &azure.public_ipv6),
                ("resourceGroup", &azure.resource_group),
                ("subnet", &azure.subnet),
            ] {
                if let Some(name) = name {
                    value["azure"][field] = json!(name);
                }
            }
            if let Some(prefix) = &azure.public_ip_prefix {
                value["azure"]["publicIPPrefix"] = json!(prefix);
            }
        }
    }
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
    for (field, length) in ["aggregationLength", "aggregationLengthV6"].into_iter().zip(bgp.aggregation) {
        if let Some(length) = length {
            value[field] = json!(length);
        }
    }
    if let Some(bfd) = bgp.bfd {
        value["bfd"] = json!(bfd);
    }
    value
}
