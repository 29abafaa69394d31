//! Every rule's page is its test: the flagged spec gives this finding and no other, the mended one gives none.

mod common;

use portgen::chart::Charts;
use portgen::check;
use portgen::finding::{Finding, Rule, Severity};
use portgen::input::{self, rules};
use portgen::plan;
use portgen::source::{FileId, Source, compose};
use serde_json::Value;

fn section<'a>(page: &'a str, title: &str) -> Option<&'a str> {
    let rest = page.split(&format!("\n## {title}\n")).nth(1)?;
    let (_, rest) = rest.split_once("```yaml\n")?;
    Some(rest.split("```").next().unwrap_or_default())
}

/// RFC 7386, as `extends` does it.
fn merge(below: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *below = patch.clone();
        return;
    };
    if !below.is_object() {
        *below = Value::Object(serde_json::Map::new());
    }
    let map = below.as_object_mut().unwrap();
    for (key, value) in patch {
        if value.is_null() {
            map.remove(key);
        } else {
            merge(map.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

fn findings(text: String) -> Vec<Finding> {
    let source = Source { path: "page.yaml".to_owned(), text };
    let input = input::parse(source, &mut |_, _| Err("no such file".to_owned()));
    let mut findings = input.findings;
    if let Some(spec) = &input.spec {
        findings.extend(check::inspect(&plan::build(spec, &Charts::built_in(|_| true))));
    }
    findings
}

/// The page's fragment laid over the base; JSON is YAML.
fn laid_over(fragment: &str, page: &str) -> String {
    let json = |text: &str| compose(text, FileId(0)).unwrap_or_else(|faults| panic!("{page}: {faults:?}")).to_json();
    let mut spec = json(include_str!("../src/check/base.yaml"));
    merge(&mut spec, &json(fragment));
    spec.to_string()
}

fn weighs(rule: &Rule, finding: &Finding) -> bool {
    finding.severity() >= Severity::Warning || (finding.rule == rule && finding.accepted.is_none())
}

#[test]
fn every_flagged_spec_gives_its_finding_and_every_mended_one_none() {
    let all = rules::ALL.iter().copied().chain(check::rules());
    for rule in all {
        let raw = rule.name.starts_with("yaml-");
        let text = |title: &str| {
            let fragment = section(rule.page, title).unwrap_or_else(|| panic!("{} has no `{title}`", rule.name));
            if raw { fragment.to_owned() } else { laid_over(fragment, rule.name) }
        };
        // A fragment of YAML is no whole spec: what else it lacks is beside the point.
        let mut flagged = findings(text("Flagged"));
        flagged.retain(|finding| !raw || finding.rule.name.starts_with("yaml-"));
        let named: Vec<&str> =
            flagged.iter().filter(|finding| weighs(rule, finding)).map(|finding| finding.rule.name).collect();
        assert!(!named.is_empty(), "{}: the flagged spec is not flagged", rule.name);
        assert!(named.iter().all(|name| *name == rule.name), "{}: the flagged spec gives {named:?}", rule.name);
        let mended: Vec<String> = findings(text("Mended"))
            .iter()
            .filter(|finding| if raw { finding.rule.name.starts_with("yaml-") } else { weighs(rule, finding) })
            .map(|finding| format!("{}: {}", finding.rule.name, finding.message))
            .collect();
        assert!(mended.is_empty(), "{}: the mended spec gives {mended:?}", rule.name);
    }
}

#[test]
fn every_page_has_its_head_and_is_reached() {
    let mut names: Vec<&str> =
        rules::ALL.iter().map(|rule| rule.name).chain(check::rules().map(|rule| rule.name)).collect();
    for rule in rules::ALL.iter().copied().chain(check::rules()) {
        assert!(rule.page.starts_with(&format!("# {}\n\n", rule.name)), "{}", rule.name);
        let sentence = rule.page.lines().nth(2).unwrap();
        assert!(sentence.ends_with('.') && sentence.len() > 20, "{}: {sentence}", rule.name);
    }
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count, "a code is never given twice");
    for folder in ["src/check", "src/input/rules"] {
        for (name, _) in common::files(&common::root().join(folder)) {
            let Some(stem) = name.strip_suffix(".md") else { continue };
            assert!(names.contains(&stem.replace('_', "-").as_str()), "{folder}/{name} belongs to no rule");
        }
    }
    for (name, page) in plan::STRATEGY_PAGES {
        assert!(page.starts_with(&format!("# {name}\n\n")), "{name}");
    }
}

#[test]
fn the_base_has_no_findings() {
    let found: Vec<String> = findings(include_str!("../src/check/base.yaml").to_owned())
        .iter()
        .map(|finding| finding.message.clone())
        .collect();
    assert!(found.is_empty(), "{found:?}");
}

/// Two gateways on the nodes of one pool, at whose addresses clients arrive; whether they are in each other's way.
fn two_takers(service_proxy: &str, kong: &str, apisix: &str, ports: &str) -> Vec<String> {
    let gateway = |exposure: &str| {
        format!(
            "chart: kong, namespace: kong-system, nodePools: [edge], replicas: 3, ports: {ports}, exposure: {exposure}"
        )
    };
    let spec = format!(
        "apiVersion: portgen/v1alpha1
kind: Cluster
metadata: {{name: c}}
cluster: {{kubernetesVersion: \"1.33\", serviceProxy: {service_proxy}, nodePortRange: 80-32767, ipFamilies: [IPv4], podSecurity: privileged, cni: calico}}
nodePools:
  edge:
    nodeSelector: {{pool: edge}}
    os: debian-12
    interfaces: [eth0]
    addresses: [198.51.100.11, 198.51.100.12, 198.51.100.13]
gateways:
  kong: {{{}}}
  {}
",
        gateway(kong),
        if apisix.is_empty() { String::new() } else { format!("second: {{{}}}", gateway(apisix)) },
    );
    let findings = findings(spec.clone());
    assert!(!findings.is_empty(), "one family is a note at least: {spec}");
    findings
        .into_iter()
        .filter(|finding| finding.severity() == Severity::Error)
        .map(|finding| {
            assert_eq!(finding.rule.name, "port-taken-twice", "{spec}{}", finding.message);
            finding.message
        })
        .collect()
}

#[test]
fn a_port_has_one_taker() {
    const IPTABLES: &str = "{type: kube-proxy, mode: iptables}";
    const CILIUM: &str = "{type: cilium, version: \"1.20\", kubeProxyReplacement: true}";
    const OWN_GATEWAY: &str =
        "{type: cilium, version: \"1.20\", kubeProxyReplacement: true, gateway: {nodePool: edge}}";
    const HTTP: &str = "{http: {port: 80}}";
    const AT_80: &str = "{http: {port: 80, nodePort: 80}}";
    const UDP: &str = "{http: {port: 8080}, dns: {port: 80, targetPort: 5353, protocol: UDP}}";
    const NODE: &str = "{strategy: ciliumLoadBalancer, announce: node}";
    const CLAIMED: &str = "{strategy: externalIPs}";
    const ELSEWHERE: &str = "{strategy: externalIPs, addresses: [192.0.2.9]}";
    const CHOSEN: &str = "{strategy: metalLB, addresses: [192.0.2.8/29], loadBalancerIP: 192.0.2.9}";
    const OTHER: &str = "{strategy: metalLB, addresses: [192.0.2.8/29], loadBalancerIP: 192.0.2.10}";
    const REDIRECT: &str = "{strategy: nodePortRedirect}";
    const HOST_NETWORK: &str = "{strategy: hostNetwork}";
    const HOST_PORT: &str = "{strategy: hostPort}";
    const NODE_PORT: &str = "{strategy: nodePort}";
    for (service_proxy, kong, second, ports) in [
        (OWN_GATEWAY, NODE, "", HTTP),
        (OWN_GATEWAY, CLAIMED, "", HTTP),
        (OWN_GATEWAY, NODE_PORT, "", AT_80),
        (CILIUM, NODE, NODE, HTTP),
        (CILIUM, NODE, HOST_NETWORK, HTTP),
        (CILIUM, NODE, CLAIMED, HTTP),
        (IPTABLES, ELSEWHERE, ELSEWHERE, HTTP),
        (IPTABLES, NODE_PORT, HOST_NETWORK, AT_80),
        (IPTABLES, NODE_PORT, HOST_PORT, AT_80),
        (IPTABLES, CLAIMED, REDIRECT, HTTP),
        (IPTABLES, CLAIMED, HOST_NETWORK, HTTP),
        (IPTABLES, CLAIMED, HOST_PORT, HTTP),
        (IPTABLES, CHOSEN, ELSEWHERE, HTTP),
    ] {
        let said = two_takers(service_proxy, kong, second, ports);
        assert_eq!(said.len(), 1, "{service_proxy} {kong} {second}: {said:?}");
    }
    for (service_proxy, kong, second, ports) in [
        (OWN_GATEWAY, NODE, "", "{http: {port: 8080}}"),
        (OWN_GATEWAY, NODE, "", UDP),
        (OWN_GATEWAY, ELSEWHERE, "", HTTP),
        (IPTABLES, ELSEWHERE, CLAIMED, HTTP),
        (IPTABLES, ELSEWHERE, HOST_NETWORK, HTTP),
        (IPTABLES, CHOSEN, HOST_NETWORK, HTTP),
        (IPTABLES, OTHER, ELSEWHERE, HTTP),
    ] {
        let said = two_takers(service_proxy, kong, second, ports);
        assert!(said.is_empty(), "{service_proxy} {kong} {second}: {said:?}");
    }
}

#[test]
fn a_value_of_cilium_undoes_nothing() {
    let spec = |more: &str, exposure: &str| {
        format!(
            "apiVersion: portgen/v1alpha1
kind: Cluster
metadata: {{name: c}}
cluster:
  kubernetesVersion: \"1.33\"
  serviceProxy: {{type: cilium, version: \"1.20\", kubeProxyReplacement: true, {more}}}
  ipFamilies: [IPv4]
nodePools:
  edge: {{nodeSelector: {{pool: edge}}, os: talos, addresses: [198.51.100.11, 198.51.100.12, 198.51.100.13]}}
gateways:
  kong: {{chart: kong, namespace: kong-system, nodePools: [edge], ports: {{http: {{port: 80}}}}, exposure: {exposure}}}
"
        )
    };
    let l2 = "{strategy: ciliumLoadBalancer, addresses: [192.0.2.0/28]}";
    let node_port = "{strategy: nodePort}";
    let envoy = "gateway: {api: ingress}, values: {envoy: {securityContext: {capabilities:";
    for (more, exposure, expected) in [
        (format!("{envoy} {{keepCapNetBindService: false, envoy: [NET_ADMIN]}}}}}}}}"), node_port, 2),
        (format!("{envoy} {{envoy: [NET_ADMIN, SYS_ADMIN, NET_BIND_SERVICE, BPF]}}}}}}}}"), node_port, 0),
        ("gateway: {api: gatewayAPI}, values: {gatewayAPI: {enabled: false}}".to_owned(), node_port, 1),
        ("gateway: {api: gatewayAPI}, values: {envoy: {enabled: false}}".to_owned(), node_port, 1),
        ("gateway: {api: gatewayAPI}, values: {envoy: null, l7Proxy: false}".to_owned(), node_port, 2),
        ("values: {enableLBIPAM: false}".to_owned(), l2, 1),
        ("values: {l2announcements: {enabled: true, leaseDuration: 10s}}".to_owned(), l2, 0),
        ("values: {l2announcements: {enabled: true}}".to_owned(), node_port, 1),
        ("values: {enableLBIPAM: false}".to_owned(), node_port, 0),
        ("values: {k8sClientRateLimit: {qps: 1, burst: 100}}".to_owned(), l2, 1),
        ("values: {ipv4: {enabled: false}, ipv6: {enabled: false}}".to_owned(), node_port, 1),
        ("values: {nodePort: {addresses: [10.0.0.0/8]}}".to_owned(), node_port, 1),
        ("values: {nodePort: {addresses: [198.51.100.0/24]}}".to_owned(), node_port, 0),
        ("values: {nodePort: {addresses: [10.0.0.0/8]}}".to_owned(), "{strategy: cloudLoadBalancer, provider: aws}", 1),
        ("values: {kubeproxyreplacement: true, l2podannouncements: {enabled: true}, foo: 1}".to_owned(), l2, 3),
        ("values: {l2NeighDiscovery: {refreshPeriod: 30s}}".to_owned(), l2, 1),
    ] {
        let found = findings(spec(&more, exposure));
        let said: Vec<&str> = found
            .iter()
            .filter(|finding| finding.severity() == Severity::Error)
            .map(|finding| {
                assert_eq!(finding.rule.name, "cilium-value", "{more}: {}", finding.message);
                finding.message.as_str()
            })
            .collect();
        assert_eq!(said.len(), expected, "{more}: {said:?}");
    }
}

#[test]
fn a_rule_holds_where_its_page_shows_another_case() {
    const CILIUM_17: &str = "{type: cilium, version: \"1.17\", kubeProxyReplacement: true}";
    const CILIUM_18: &str = "{type: cilium, version: \"1.18\", kubeProxyReplacement: true}";
    const IPTABLES: &str = "{type: kube-proxy, mode: iptables}";
    const BGP: &str = "{strategy: ciliumLoadBalancer, announce: bgp, addresses: [\"2001:db8::/124\"], bgp: {localASN: 64512, peers: {tor: {address: \"2001:db8:1::1\", asn: 64513}}}}";
    const LOCAL: &str = "{strategy: externalIPs, addresses: [\"2001:db8::9\"], externalTrafficPolicy: Local}";
    const CLUSTER: &str = "{strategy: externalIPs, addresses: [\"2001:db8::9\"]}";
    for (service_proxy, replicas, exposure, rule, told) in [
        (CILIUM_17, 2, BGP, "bgp-router-id", true),
        (CILIUM_18, 2, BGP, "bgp-router-id", false),
        (IPTABLES, 2, LOCAL, "node-without-pod", true),
        (IPTABLES, 3, LOCAL, "node-without-pod", false),
        (IPTABLES, 2, CLUSTER, "node-without-pod", false),
        (IPTABLES, 2, "{strategy: hostNetwork}", "node-without-listener", true),
        (IPTABLES, 3, "{strategy: hostNetwork}", "node-without-listener", false),
    ] {
        let spec = format!(
            "apiVersion: portgen/v1alpha1
kind: Cluster
metadata: {{name: c}}
cluster: {{kubernetesVersion: \"1.33\", serviceProxy: {service_proxy}, ipFamilies: [IPv6], podSecurity: privileged}}
nodePools:
  edge: {{nodeSelector: {{pool: edge}}, os: debian-12, interfaces: [eth0], count: 3}}
gateways:
  kong: {{chart: kong, namespace: kong-system, nodePools: [edge], replicas: {replicas}, ports: {{http: {{port: 80}}}}, exposure: {exposure}}}
"
        );
        let found = findings(spec.clone());
        let rules: Vec<&str> = found.iter().map(|finding| finding.rule.name).collect();
        assert!(found.iter().all(|finding| finding.severity() < Severity::Error), "{spec}{rules:?}");
        assert_eq!(rules.contains(&rule), told, "{spec}{rules:?}");
    }
}
