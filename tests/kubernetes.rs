//! Every manifest and every securityContext, strictly against the Kubernetes types: a field they do not have is an error.

mod common;

use k8s_openapi::api::apps::v1::DeploymentStrategy;
use k8s_openapi::api::autoscaling::v2::MetricSpec;
use k8s_openapi::api::core::v1::{
    Affinity, Namespace, PodSecurityContext, SecurityContext, Service, Toleration, TopologySpreadConstraint,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Reads a value as a type and refuses every field the type does not have.
fn strict<T: DeserializeOwned>(value: &Value, what: &str) -> T {
    let mut unknown = Vec::new();
    let read = serde_ignored::deserialize(value.clone(), |path| unknown.push(path.to_string()))
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(unknown.is_empty(), "{what}: unknown fields {unknown:?}");
    read
}

fn documents(text: &str) -> Vec<Value> {
    text.split("\n---\n")
        .map(|text| portgen::source::compose(text, portgen::source::FileId(0)).unwrap().to_json())
        .collect()
}

#[test]
fn manifests_are_what_kubernetes_takes() {
    let mut kinds = std::collections::BTreeSet::new();
    for (name, path) in common::rendered() {
        if !name.contains("/manifests/") && !name.contains("/metallb/") || !name.ends_with(".yaml") {
            continue;
        }
        for document in documents(&std::fs::read_to_string(path).unwrap()) {
            let kind = document["kind"].as_str().unwrap().to_owned();
            match (document["apiVersion"].as_str().unwrap(), kind.as_str()) {
                ("v1", "Namespace") => {
                    let namespace: Namespace = strict(&document, &name);
                    let labels = namespace.metadata.labels.unwrap();
                    for mode in ["enforce", "audit", "warn"] {
                        assert!(labels.contains_key(&format!("pod-security.kubernetes.io/{mode}")), "{name}");
                        assert!(
                            labels[&format!("pod-security.kubernetes.io/{mode}-version")].starts_with("v1."),
                            "{name}"
                        );
                    }
                }
                ("v1", "Service") => {
                    let service: Service = strict(&document, &name);
                    assert!(!service.spec.unwrap().ports.unwrap().is_empty(), "{name}");
                }
                ("kustomize.config.k8s.io/v1beta1", "Kustomization") => {}
                ("metallb.io/v1beta1", "IPAddressPool" | "L2Advertisement" | "BGPAdvertisement" | "BFDProfile")
                | ("metallb.io/v1beta2", "BGPPeer") => {
                    metal_lb(&document, &kind, &name);
                }
                (version, kind) => panic!("{name}: what is {version} {kind}?"),
            }
            kinds.insert(kind);
        }
    }
    for kind in
        ["Namespace", "Service", "IPAddressPool", "L2Advertisement", "BGPAdvertisement", "BGPPeer", "BFDProfile"]
    {
        assert!(kinds.contains(kind), "no {kind} was checked");
    }
}

/// Annotations that nobody reads change nothing and say nothing: each is one that its controller documents.
#[test]
fn a_cloud_is_told_what_its_controller_reads() {
    let told = |variant: &str, service: &str| -> Value {
        let suffix = format!("{variant}/manifests/service-{service}-edge.yaml");
        let (name, path) = common::rendered().into_iter().find(|(name, _)| name.ends_with(&suffix)).expect(&suffix);
        let service = documents(&std::fs::read_to_string(path).unwrap()).remove(0);
        assert_eq!(service["spec"]["type"], "LoadBalancer", "{name}");
        service
    };
    let aws = told("cloud-aws", "apisix");
    assert_eq!(aws["spec"]["loadBalancerClass"], "service.k8s.aws/nlb");
    assert_eq!(aws["spec"]["allocateLoadBalancerNodePorts"], false);
    let beta = |name: &str| format!("service.beta.kubernetes.io/{name}");
    let expected: Vec<(String, &str)> = [
        ("aws-load-balancer-attributes", "load_balancing.cross_zone.enabled=true"),
        ("aws-load-balancer-eip-allocations", "eipalloc-0123456789abcdef0,eipalloc-0123456789abcdef1"),
        ("aws-load-balancer-enable-prefix-for-ipv6-source-nat", "on"),
        ("aws-load-balancer-enable-tcp-udp-listener", "true"),
        ("aws-load-balancer-ip-address-type", "dualstack"),
        ("aws-load-balancer-nlb-target-type", "ip"),
        ("aws-load-balancer-scheme", "internet-facing"),
        ("aws-load-balancer-subnets", "subnet-0123456789abcdef0,subnet-0123456789abcdef1"),
        ("aws-load-balancer-target-group-attributes", "preserve_client_ip.enabled=true"),
    ]
    .map(|(name, value)| (beta(name), value))
    .to_vec();
    let annotations = |service: &Value| -> Vec<(String, String)> {
        let map = service["metadata"]["annotations"].as_object().cloned().unwrap_or_default();
        map.into_iter().map(|(name, value)| (name, value.as_str().unwrap().to_owned())).collect()
    };
    let expected: Vec<(String, String)> = expected.into_iter().map(|(name, value)| (name, value.to_owned())).collect();
    assert_eq!(annotations(&aws), expected);

    let gcp = told("cloud-gcp", "apisix");
    assert_eq!(gcp["spec"]["loadBalancerClass"], "networking.gke.io/l4-regional-external");
    assert_eq!(told("cloud-gcp", "kong")["spec"]["loadBalancerClass"], "networking.gke.io/l4-regional-internal");
    let azure = annotations(&told("cloud-azure", "kong"));
    let expected = [
        ("azure-load-balancer-internal", "true"),
        ("azure-load-balancer-internal-subnet", "edge"),
        ("azure-load-balancer-ipv4", "10.0.0.10"),
        ("azure-load-balancer-ipv6", "fd00::10"),
    ]
    .map(|(name, value)| (beta(name), value.to_owned()));
    assert_eq!(azure, expected);
}

/// What kind and k3s read: kind refuses a field it does not know, k3s a flag it does not know.
#[test]
fn places_to_try_are_told_what_they_read() {
    let read = |suffix: &str| -> Value {
        let (_, path) = common::rendered().into_iter().find(|(name, _)| name.ends_with(suffix)).expect(suffix);
        documents(&std::fs::read_to_string(path).unwrap()).remove(0)
    };
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    for cluster in ["kind-claimed", "kind-redirect", "kind-metallb"] {
        let config = read(&format!("{cluster}/kind/cluster.yaml"));
        assert_eq!((&config["apiVersion"], &config["kind"]), (&"kind.x-k8s.io/v1alpha4".into(), &"Cluster".into()));
        for key in keys(&config) {
            let known = [
                "apiVersion",
                "kind",
                "name",
                "networking",
                "nodes",
                "kubeadmConfigPatches",
                "kubeadmConfigPatchesJSON6902",
            ];
            assert!(known.contains(&key.as_str()), "{cluster}: {key}");
        }
        for key in keys(&config["networking"]) {
            assert!(["ipFamily", "kubeProxyMode", "disableDefaultCNI"].contains(&key.as_str()), "{cluster}: {key}");
        }
    }
    let redirect = read("kind-redirect/kind/cluster.yaml");
    assert_eq!(redirect["networking"], serde_json::json!({"ipFamily": "dual", "kubeProxyMode": "nftables"}));
    // Nine nodes, but two pods: a third container would serve nobody.
    let nodes = redirect["nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), 3);
    let port = |number: u16| {
        serde_json::json!({
            "containerPort": number, "hostPort": number, "listenAddress": "127.0.0.1", "protocol": "TCP",
        })
    };
    assert_eq!(nodes[1]["extraPortMappings"], serde_json::json!([port(80), port(443)]));
    assert_eq!(nodes[1]["labels"], serde_json::json!({"pool": "edge"}));
    assert!(nodes[2].get("extraPortMappings").is_none());
    let patch = redirect["kubeadmConfigPatchesJSON6902"][0]["patch"].as_str().unwrap();
    let patch: Value = serde_json::from_str(patch).unwrap();
    assert_eq!(patch[0]["value"]["value"], "20000-32767");

    let metallb = read("kind-metallb/kind/cluster.yaml");
    // A kubelet does not start with the other label, and its node would never join.
    assert_eq!(metallb["nodes"][1]["labels"], serde_json::json!({"pool": "edge"}));
    let patches: Vec<Value> = metallb["kubeadmConfigPatches"]
        .as_array()
        .unwrap()
        .iter()
        .map(|text| documents(text.as_str().unwrap()).remove(0))
        .collect();
    assert_eq!(patches[0]["ipvs"]["strictARP"], true);
    assert_eq!(patches[1]["apiServer"]["extraArgs"]["service-node-port-range"], "20000-32767");

    // Cilium's own gateway listens on the nodes of its pool; the addresses of the other are none of a container's.
    let claimed = read("kind-claimed/kind/cluster.yaml");
    let nodes = claimed["nodes"].as_array().unwrap();
    let mapped: Vec<_> = nodes.iter().map(|node| &node["extraPortMappings"][0]["hostPort"]).collect();
    assert_eq!(mapped, [&Value::Null, &Value::Null, &Value::Null, &8080.into()], "{claimed}");

    let arguments = serde_json::json!([
        "proxy-mode=ipvs",
        "ipvs-strict-arp=true",
        "nodeport-addresses=10.0.0.0/8,192.0.2.0/24",
        "ipvs-min-sync-period=500ms",
        "ipvs-sync-period=20s",
    ]);
    assert_eq!(
        read("k3s-metallb/k3s/config.yaml"),
        serde_json::json!({"disable+": ["servicelb"], "kube-proxy-arg+": arguments})
    );
    assert_eq!(read("k3s-metallb/k3s/agent.yaml"), serde_json::json!({"kube-proxy-arg+": arguments}));
    assert_eq!(
        read("k3s-cilium/k3s/config.yaml"),
        serde_json::json!({
            "disable+": ["traefik"],
            "flannel-backend": "none",
            "disable-network-policy": true,
            "disable-kube-proxy": true,
        })
    );
}

/// What a README tells to run, and what it shows of its cluster.
#[test]
fn a_readme_tells_what_its_cluster_needs() {
    let readme = |cluster: &str| -> String {
        let readme = format!("{cluster}/README.md");
        let (_, path) = common::rendered().into_iter().find(|(name, _)| *name == readme).expect(&readme);
        std::fs::read_to_string(path).unwrap()
    };
    let in_order = |cluster: &str, told: &[&str]| {
        let text = readme(cluster);
        let mut from = 0;
        for told in told {
            let found = text[from..].find(told).unwrap_or_else(|| panic!("{cluster}: no `{told}` from {from}: {text}"));
            from += found + told.len();
        }
    };
    // The objects of a step need their types, which a new cluster does not have.
    in_order(
        "kind-metallb",
        &[
            "kubectl label node kind-metallb-worker kind-metallb-worker2 node-role.kubernetes.io/edge=\n",
            "helm install metallb metallb ",
            "kindest/node:v1.33.",
            "kubectl apply --server-side -k metallb",
        ],
    );
    in_order(
        "metallb-bgp",
        &[
            "helm install metallb metallb ",
            "-n metallb-system create secret generic tor-password --type=kubernetes.io/basic-auth --from-file=password=/dev/stdin",
            "kubectl apply --server-side -k metallb",
            "for HOST in 203.0.113.1 '[2001:db8:5::1]'; do",
            "http://$HOST:80/",
        ],
    );
    in_order(
        "cilium-bgp",
        &[
            "-n kube-system create secret generic tor-password --from-file=password=/dev/stdin",
            "kubectl apply --server-side -k cilium/objects",
        ],
    );
    assert_eq!(readme("cilium-bgp").matches("create secret").count(), 1, "two gateways share the session");
    in_order(
        "kind-claimed",
        &[
            "| Cilium's own (Cilium 1.20) | Envoy in the nodes' network | TCP 8080, nodes of inner | everyone |",
            "kubectl label node kind-claimed-worker3 k8s.io/pool=inner\n",
            "route replace 198.51.100.11 via",
            "kind-claimed-worker)",
            "-6 route replace 2001:db8::11 via",
            "Envoy listens on the nodes at port 8080,",
            "for HOST in 198.51.100.11 198.51.100.12 '[2001:db8::11]'; do",
        ],
    );
    in_order(
        "k3s-cilium",
        &[
            "helm install cilium cilium ",
            "k8sServiceHost=127.0.0.1 --set k8sServicePort=6444",
            "helm upgrade cilium cilium ",
        ],
    );
    in_order("k3s-metallb", &["kubectl label node node.example.net node-role.kubernetes.io/edge=\n"]);
    in_order(
        "node-port-wide",
        &[
            "get configmap kubeadm-config",
            "init phase control-plane apiserver --config /etc/kubernetes/kubeadm-config.yaml",
            "init phase upload-config kubeadm --config /etc/kubernetes/kubeadm-config.yaml",
        ],
    );
    in_order("cloud-aws-older", &["behind it are the spec's `privateAddresses`"]);
    in_order("cloud-aws", &["behind it are the Elastic IPs", "curl -4 ", "curl -6 "]);
    // No interface bounds what the network plugin maps; node files look at them.
    assert!(!readme("host-port").contains("eth0"));
    in_order("host-port", &["warning `field-without-effect` at `nodePools.edge.interfaces`"]);
    in_order("socket-proxy", &["nodes of edge (eth0, bond0.100)"]);
}

/// The fields of MetalLB's current types (0.16), as its API reference names them.
fn metal_lb(document: &Value, kind: &str, name: &str) {
    let known: &[&str] = match kind {
        "IPAddressPool" => &["addresses", "autoAssign", "avoidBuggyIPs", "serviceAllocation"],
        "L2Advertisement" => {
            &["ipAddressPools", "ipAddressPoolSelectors", "nodeSelectors", "interfaces", "serviceSelectors"]
        }
        "BGPAdvertisement" => &[
            "aggregationLength",
            "aggregationLengthV6",
            "localPref",
            "communities",
            "ipAddressPools",
            "ipAddressPoolSelectors",
            "nodeSelectors",
            "peers",
            "serviceSelectors",
        ],
        "BFDProfile" => &[
            "receiveInterval",
            "transmitInterval",
            "detectMultiplier",
            "echoInterval",
            "echoMode",
            "passiveMode",
            "minimumTtl",
        ],
        _ => &[
            "myASN",
            "peerASN",
            "dynamicASN",
            "peerAddress",
            "interface",
            "peerPort",
            "sourceAddress",
            "holdTime",
            "keepaliveTime",
            "connectTime",
            "routerID",
            "nodeSelectors",
            "password",
            "passwordSecret",
            "bfdProfile",
            "ebgpMultiHop",
            "vrf",
            "enableGracefulRestart",
            "localASN",
            "dualStackAddressFamily",
        ],
    };
    for field in document["spec"].as_object().unwrap().keys() {
        assert!(known.contains(&field.as_str()), "{name}: {kind} has no field {field}");
    }
    assert_eq!(document["metadata"]["namespace"], "metallb-system", "{name}");
}

/// The parts of Helm values that a chart copies into pods verbatim.
#[test]
fn values_hold_what_pods_take() {
    let mut seen = 0;
    for (name, path) in common::rendered() {
        if !name.contains("/helm/") {
            continue;
        }
        seen += 1;
        let values = documents(&std::fs::read_to_string(path).unwrap()).remove(0);
        let kong = values.get("proxy").is_some();
        let (pod, container) = if kong {
            ("securityContext", "containerSecurityContext")
        } else {
            ("podSecurityContext", "securityContext")
        };
        let mut context = values[container].clone();
        // Kong's own switch, which its template takes out again.
        context.as_object_mut().unwrap().remove("enabled");
        let container: SecurityContext = strict(&context, &name);
        let pod: PodSecurityContext = strict(&values[pod], &name);
        restricted(&pod, &container, &name);
        let _: DeploymentStrategy = strict(&values["updateStrategy"], &name);
        let _: Option<Vec<Toleration>> = optional(&values, "tolerations", &name);
        let _: Option<Affinity> = optional(&values, "affinity", &name);
        let _: Option<Vec<TopologySpreadConstraint>> = optional(&values, "topologySpreadConstraints", &name);
        if let Some(metrics) = values.pointer("/autoscaling/metrics") {
            let _: Vec<MetricSpec> = strict(metrics, &name);
        }
    }
    assert!(seen >= common::EXAMPLES.len());
}

/// A port that nobody maps is refused at the node, whatever the rest says.
#[test]
fn mapped_ports_stand_at_their_listeners() {
    let (_, path) = common::rendered().into_iter().find(|(name, _)| name == "host-port/helm/kong.values.yaml").unwrap();
    let values = documents(&std::fs::read_to_string(path).unwrap()).remove(0);
    assert_eq!(values["proxy"]["type"], "ClusterIP");
    assert_eq!(
        (&values["proxy"]["http"]["hostPort"], &values["proxy"]["http"]["containerPort"]),
        (&80.into(), &8000.into())
    );
    assert_eq!(
        (&values["proxy"]["tls"]["hostPort"], &values["proxy"]["tls"]["containerPort"]),
        (&443.into(), &8443.into())
    );
    let datagrams = &values["udpProxy"]["stream"][0];
    assert_eq!((&datagrams["hostPort"], &datagrams["containerPort"]), (&53.into(), &5353.into()));
    // A new pod fits on a node only after the old one.
    assert_eq!(values["updateStrategy"]["rollingUpdate"]["maxSurge"], 0);
}

fn optional<T: DeserializeOwned>(values: &Value, key: &str, name: &str) -> Option<T> {
    values.get(key).map(|value| strict(value, &format!("{name}: {key}")))
}

/// Pod Security `restricted`, as far as it speaks of security contexts.
fn restricted(pod: &PodSecurityContext, container: &SecurityContext, name: &str) {
    assert_eq!(container.allow_privilege_escalation, Some(false), "{name}");
    let capabilities = container.capabilities.as_ref().unwrap_or_else(|| panic!("{name}: no capabilities"));
    assert_eq!(capabilities.drop.as_deref(), Some(["ALL".to_owned()].as_slice()), "{name}");
    assert!(capabilities.add.as_ref().is_none_or(Vec::is_empty), "{name}");
    assert_eq!(container.run_as_non_root, Some(true), "{name}");
    assert!(container.run_as_user.is_some_and(|user| user > 0), "{name}");
    let profile = container.seccomp_profile.as_ref().or(pod.seccomp_profile.as_ref());
    assert_eq!(profile.map(|profile| profile.type_.as_str()), Some("RuntimeDefault"), "{name}");
    assert!(container.privileged.is_none_or(|privileged| !privileged), "{name}");
}

/// A large cluster of the years in which every change was written whole gathers changes; no other one does.
#[test]
fn kube_proxy_gathers_changes_where_it_writes_all_of_them() {
    let config = |version: &str, endpoints: u32, said: &str| {
        let folder = tempfile::tempdir().unwrap();
        let spec = format!(
            "apiVersion: portgen/v1alpha1\nkind: Cluster\nmetadata: {{name: large}}\n\
             cluster: {{kubernetesVersion: \"{version}\", endpoints: {endpoints}, serviceProxy: {{type: kube-proxy, mode: iptables{said}}}, ipFamilies: [IPv4]}}\n\
             nodePools: {{edge: {{nodeSelector: {{pool: edge}}, os: debian-12, count: 3}}}}\n\
             gateways: {{kong: {{chart: kong, namespace: kong, nodePools: [edge], ports: {{http: {{port: 80}}}}, exposure: {{strategy: nodePortRedirect}}}}}}\n"
        );
        std::fs::write(folder.path().join("portgen.yaml"), spec).unwrap();
        let output = common::portgen(folder.path(), &["render"]);
        assert_eq!(output.status.code(), Some(0), "{}", common::stdout(&output));
        let text = std::fs::read_to_string(folder.path().join("rendered/large/kube-proxy/config.yaml")).ok()?;
        documents(&text)[0]["iptables"]["minSyncPeriod"].as_str().map(str::to_owned)
    };
    assert_eq!(config("1.26", 5_000, "").as_deref(), Some("10s"));
    assert_eq!(config("1.26", 5_000, ", minSyncPeriod: 3s").as_deref(), Some("3s"));
    assert_eq!(config("1.26", 500, ""), None);
    assert_eq!(config("1.27", 5_000, ""), None);
}
