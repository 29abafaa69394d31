//! `portgen migrate`: every ordered pair of strategies, the trees between them, and how they are told.

mod common;
#[path = "migrate/promises.rs"]
mod promises;

use std::fmt::Write as _;
use std::fs;

use common::{golden, portgen, root, stderr, stdout};
use portgen::chart::Charts;
use portgen::check;
use portgen::grammar::DnsLabel;
use portgen::input;
use portgen::migrate::{Migration, Step, What, migrate};
use portgen::output;
use portgen::plan::node::Way;
use portgen::plan::{self, Gateway, Plan, ServiceType};
use portgen::source::Source;

const EXPOSURES: [(&str, &str); 9] = [
    ("nodePortRedirect", "strategy: nodePortRedirect"),
    ("nodePort", "strategy: nodePort"),
    ("hostNetwork", "strategy: hostNetwork"),
    ("hostPort", "strategy: hostPort"),
    ("metalLB", "strategy: metalLB, addresses: [198.51.100.10-198.51.100.20, 2001:db8:5::10/128]"),
    (
        "ciliumLoadBalancer",
        "strategy: ciliumLoadBalancer, addresses: [198.51.100.30-198.51.100.40, 2001:db8:5::30/128]",
    ),
    ("cloudLoadBalancer", "strategy: cloudLoadBalancer, provider: aws"),
    ("externalIPs", "strategy: externalIPs"),
    ("externalIPs by status", "strategy: externalIPs, form: status"),
];

/// Changes within one strategy.
const WITHIN: [(&str, &str); 12] = [
    ("{strategy: nodePortRedirect}", "{strategy: nodePortRedirect, mechanism: socketProxy}"),
    ("{strategy: nodePortRedirect, mechanism: socketProxy}", "{strategy: nodePortRedirect}"),
    (
        "{strategy: nodePortRedirect, limits: {connectionsPerSource: 9}}",
        "{strategy: nodePortRedirect, directNodePort: allow}",
    ),
    ("{strategy: nodePortRedirect}", "{strategy: nodePortRedirect, externalTrafficPolicy: Local}"),
    ("{strategy: nodePortRedirect}", "{strategy: nodePortRedirect, sessionAffinity: ClientIP}"),
    ("{strategy: hostNetwork}", "{strategy: hostNetwork, bind: direct}"),
    ("{strategy: hostNetwork, bind: direct}", "{strategy: hostNetwork}"),
    ("{strategy: hostNetwork}", "{strategy: hostNetwork, allowFrom: [192.0.2.0/24, \"2001:db8:9::/48\"]}"),
    (
        "{strategy: metalLB, addresses: [198.51.100.10/32, 2001:db8:5::10/128]}",
        "{strategy: metalLB, addresses: [198.51.100.10/32, 2001:db8:5::10/128], mode: bgp, bgp: {localASN: 64500, peers: {tor: {address: 192.0.2.1, asn: 64501}, tor-v6: {address: \"2001:db8:64::1\", asn: 64501}}}}",
    ),
    (
        "{strategy: metalLB, addresses: [198.51.100.10/32, 2001:db8:5::10/128]}",
        "{strategy: metalLB, addresses: [198.51.100.11/32, 2001:db8:5::11/128]}",
    ),
    (
        "{strategy: metalLB, addresses: [198.51.100.10/32, 2001:db8:5::10/128]}",
        "{strategy: metalLB, addresses: [198.51.100.10-198.51.100.20, 2001:db8:5::10/128]}",
    ),
    ("{strategy: cloudLoadBalancer, provider: aws}", "{strategy: cloudLoadBalancer, provider: aws, internal: true}"),
];

/// Changes between addresses that Cilium or MetalLB announces.
const ANNOUNCED: [(&str, &str); 4] = [
    (
        "{strategy: metalLB, addresses: [198.51.100.10/32, 2001:db8:5::10/128], allowFrom: [192.0.2.0/24, \"2001:db8:9::/48\"]}",
        "{strategy: ciliumLoadBalancer, addresses: [198.51.100.30/32, 2001:db8:5::30/128]}",
    ),
    (
        "{strategy: metalLB, addresses: [198.51.100.10/32, 2001:db8:5::10/128]}",
        "{strategy: ciliumLoadBalancer, addresses: [198.51.100.10/32, 2001:db8:5::10/128]}",
    ),
    (
        "{strategy: ciliumLoadBalancer, addresses: [198.51.100.30/32, 2001:db8:5::30/128]}",
        "{strategy: ciliumLoadBalancer, addresses: [198.51.100.30/32, 2001:db8:5::30/128], interfaces: [eth0]}",
    ),
    (
        "{strategy: ciliumLoadBalancer, addresses: [198.51.100.30/32, 2001:db8:5::30/128]}",
        "{strategy: ciliumLoadBalancer, addresses: [198.51.100.30/32, 2001:db8:5::30/128], announce: bgp, bgp: {localASN: 64500, peers: {tor: {address: 192.0.2.1, asn: 64501}, tor-v6: {address: \"2001:db8:64::1\", asn: 64501}}}}",
    ),
];

/// Ways that keep others out of ports on the node.
const GUARDED: [(&str, &str); 5] = [
    (
        "{strategy: nodePortRedirect, allowFrom: [192.0.2.0/24, \"2001:db8:9::/48\"]}",
        "{strategy: hostNetwork, allowFrom: [192.0.2.0/24, \"2001:db8:9::/48\"]}",
    ),
    (
        "{strategy: nodePortRedirect, allowFrom: [192.0.2.0/24, \"2001:db8:9::/48\"]}",
        "{strategy: metalLB, addresses: [198.51.100.10/32, 2001:db8:5::10/128], allowFrom: [192.0.2.0/24, \"2001:db8:9::/48\"]}",
    ),
    ("{strategy: hostNetwork, allowFrom: [192.0.2.0/24, \"2001:db8:9::/48\"]}", "{strategy: nodePortRedirect}"),
    ("{strategy: nodePortRedirect}", "{strategy: hostNetwork, allowFrom: [192.0.2.0/24, \"2001:db8:9::/48\"]}"),
    (
        "{strategy: nodePortRedirect, externalTrafficPolicy: Local}",
        "{strategy: hostNetwork, limits: {connectionsPerSource: 9}}",
    ),
];

const PROXIES: [(&str, &str); 3] = [
    ("kube-proxy iptables", "{type: kube-proxy, mode: iptables}"),
    ("Cilium", "{type: cilium, version: \"1.19\", kubeProxyReplacement: true}"),
    ("kube-proxy IPVS", "{type: kube-proxy, mode: ipvs, strictARP: true}"),
];

fn spec(proxy: &str, exposure: &str) -> String {
    let addresses = "[192.0.2.11, 192.0.2.12, \"2001:db8:64::11\", \"2001:db8:64::12\"]";
    common::one_kong(proxy, "[IPv4, IPv6]", addresses, exposure)
}

/// The plan of a spec, or the rules that refuse it.
fn planned(spec: &str) -> Result<Plan, String> {
    let source = Source { path: "portgen.yaml".to_owned(), text: spec.to_owned() };
    let input = input::parse(source, &mut |_, _| Err("no bases".to_owned()));
    let spec = input.spec.unwrap_or_else(|| panic!("{:?}", input.findings));
    assert!(input.findings.is_empty(), "{:?}", input.findings);
    let plan = plan::build(&spec, &Charts::built_in(|_| true));
    let findings = check::inspect(&plan);
    if !check::refused(&findings) {
        return Ok(plan);
    }
    let errors = findings.iter().filter(|finding| finding.severity() == portgen::finding::Severity::Error);
    let mut rules: Vec<&str> = errors.map(|finding| finding.rule.name).collect();
    rules.dedup();
    Err(rules.join(", "))
}

fn kong() -> DnsLabel {
    "kong".parse().unwrap()
}

/// The Services that a plan has for the gateway.
fn services(plan: &Plan) -> Vec<&Gateway> {
    let main = &plan.gateways[&kong()];
    let beside = plan
        .beside
        .iter()
        .filter(|way| way.service.owner == plan::Owner::Portgen && way.service.name != main.service.name);
    std::iter::once(main).chain(beside).collect()
}

/// Whether somebody who connects to port 80 of a node finds a pod, as far as a plan says.
fn nodes_answer(plan: &Plan) -> bool {
    let gateway = &plan.gateways[&kong()];
    let target = gateway.ports.values().find(|port| port.port.get() == 80).unwrap().target_port;
    let served = |number| {
        services(plan).iter().any(|way| {
            way.needs.service_type != ServiceType::ClusterIp
                && way.ports.values().any(|port| port.node_port == Some(number))
        })
    };
    let doors = plan.nodes.values().flat_map(|node| &node.doors);
    match doors.clone().find(|door| door.is_public() && door.port.get() == 80).map(|door| door.way) {
        Some(Way::Rewrite { node_port, .. } | Way::Proxy { node_port, .. }) => served(node_port),
        Some(Way::Redirect { to }) => gateway.needs.host_network && target == to,
        Some(Way::Open | Way::Shut { .. } | Way::Guard { .. }) | None => {
            gateway.needs.host_network && target.get() == 80
                || gateway.needs.host_port
                || services(plan)
                    .iter()
                    .any(|way| !way.needs.external_ips.is_empty() || !way.needs.status_ips.is_empty())
        }
    }
}

/// Whether clients of a way in find a pod after a step, as far as its plan and tree say.
fn answers(step: &Step, wanted: &Gateway) -> bool {
    let plan = &step.plan;
    let shut = |number| {
        plan.nodes.values().flat_map(|node| &node.doors).any(|door| match door.way {
            Way::Rewrite { node_port, direct } | Way::Proxy { node_port, direct } => node_port == number && !direct,
            Way::Shut { node_port } => node_port == number,
            _ => false,
        })
    };
    let file = |path: &str| step.tree.iter().find(|file| file.path == path).map(|file| file.text.as_str());
    let balanced = services(plan).iter().any(|way| {
        let annotated =
            wanted.needs.annotations.iter().all(|(key, value)| way.needs.annotations.get(key) == Some(value));
        way.needs.service_type == ServiceType::LoadBalancer
            && way.needs.load_balancer_class == wanted.needs.load_balancer_class
            && annotated
    });
    match wanted.strategy.name() {
        "nodePort" => wanted.ports.values().all(|port| {
            let number = port.node_port.unwrap();
            !shut(number)
                && services(plan).iter().any(|way| way.ports.values().any(|port| port.node_port == Some(number)))
        }),
        "metalLB" => balanced && file("metallb/kong.yaml").is_some(),
        "ciliumLoadBalancer" => {
            let named = format!("io.kubernetes.service.name: {}\n", wanted.service.name);
            balanced && file("cilium/objects/announce-kong.yaml").is_some_and(|text| text.contains(&named))
        }
        "cloudLoadBalancer" => balanced,
        "externalIPs" if !wanted.needs.status_ips.is_empty() && nodes_are_idle(plan) => {
            balanced && file("status/kong-edge.yaml").is_some()
        }
        _ => nodes_answer(plan),
    }
}

fn nodes_are_idle(plan: &Plan) -> bool {
    plan.nodes.values().all(|node| node.doors.is_empty())
}

/// What a migration is, in one line; panics where it is not well-formed.
fn followed(title: &str, old: &Plan, new: &Plan, migration: &Migration) -> String {
    let (from, to) = (&old.gateways[&kong()], &new.gateways[&kong()]);
    let target = output::render(new, &check::inspect(new)).unwrap();
    let last = migration.steps.last().unwrap();
    assert_eq!(last.tree, target, "{title}: the last tree is what the new spec renders");
    assert_eq!(migration.steps.iter().filter(|step| step.what == What::Finish).count(), 1, "{title}");
    let mut moved = !migration.steps.iter().any(|step| matches!(step.what, What::Move(..)));
    let stays = moved;
    let mut line = String::new();
    for step in &migration.steps {
        assert!(!check::refused(&check::inspect(&step.plan)), "{title}: {}", step.what);
        assert!(!step.checks.is_empty(), "{title}: {} has no check", step.what);
        let runs = !step.commands.is_empty() && !step.back.is_empty();
        assert!(runs || step.changes.is_empty(), "{title}: {}: {:?}", step.what, step.changes);
        moved |= matches!(step.what, What::Move(..));
        if migration.gaps().next().is_none() {
            if stays {
                assert!(answers(step, from) || answers(step, to), "{title}: nobody answers after {:?}", step.what);
            } else {
                let way = if moved { to } else { from };
                let name = way.strategy.name();
                assert!(answers(step, way), "{title}: {name} does not answer after {:?}", step.what);
            }
            if matches!(step.what, What::Move(..)) {
                let both = answers(step, from) && answers(step, to);
                assert!(both, "{title}: clients move between two ways that answer");
            }
        }
        let what = format!("{:?}", step.what);
        let gap = step.gaps.iter().map(|gap| format!(" (gap: {gap:?})")).collect::<Vec<_>>().concat();
        write!(line, "{}{}{gap}", if line.is_empty() { "" } else { ", " }, what.split('(').next().unwrap()).unwrap();
    }
    line
}

/// A line for each pair of exposures.
fn table(proxy: &str, pairs: &[(String, String, String)]) -> String {
    let bridge = planned(&spec(proxy, "{strategy: nodePortRedirect}")).ok();
    let mut text = String::new();
    for (title, from, to) in pairs {
        let told = match (planned(&spec(proxy, from)), planned(&spec(proxy, to))) {
            (Err(rules), _) => format!("the old way is refused by {rules}"),
            (_, Err(rules)) => format!("the new way is refused by {rules}"),
            (Ok(old), Ok(new)) => {
                let migration =
                    migrate(&old, &new, bridge.as_ref(), &kong()).unwrap_or_else(|why| panic!("{title}: {why:?}"));
                followed(title, &old, &new, &migration)
            }
        };
        writeln!(text, "{title}: {told}").unwrap();
    }
    text
}

#[test]
fn every_pair_has_a_way_that_is_never_without_one() {
    let mut text = String::new();
    for (name, proxy) in PROXIES {
        writeln!(text, "{}# {name}", if text.is_empty() { "" } else { "\n" }).unwrap();
        let exposure = |fields: &str| format!("{{{fields}}}");
        let ordered = EXPOSURES.iter().flat_map(|from| EXPOSURES.iter().map(move |to| (from, to)));
        let pairs: Vec<_> = ordered
            .filter(|(from, to)| from.0 != to.0)
            .map(|(from, to)| (format!("{} to {}", from.0, to.0), exposure(from.1), exposure(to.1)))
            .collect();
        text += &table(proxy, &pairs);
    }
    let named = |pairs: &[(&str, &str)]| -> Vec<(String, String, String)> {
        pairs.iter().map(|(from, to)| (format!("{from} to {to}"), (*from).to_owned(), (*to).to_owned())).collect()
    };
    writeln!(text, "\n# within one strategy, and with ports on the node that are guarded").unwrap();
    text += &table(PROXIES[0].1, &named(&[&WITHIN[..], &GUARDED].concat()));
    writeln!(text, "\n# between addresses that are announced on Cilium").unwrap();
    text += &table(PROXIES[1].1, &named(&ANNOUNCED));
    golden(&root().join("tests/migrate/pairs.txt"), &text);
}

/// Runs `portgen migrate` over a spec in a folder of its own.
fn told(spec: &str, arguments: &[&str]) -> (tempfile::TempDir, std::process::Output) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("portgen.yaml"), spec).unwrap();
    let output = portgen(folder.path(), &[&["migrate"], arguments].concat());
    (folder, output)
}

const METAL: [&str; 4] = ["--to", "metalLB", "--set", "addresses=[198.51.100.10-198.51.100.20, '2001:db8:5::10/128']"];

#[test]
fn the_walked_pairs_are_told() {
    let (kube_proxy, cilium) = (PROXIES[0].1, PROXIES[1].1);
    let pool = "addresses=[198.51.100.30-198.51.100.40, '2001:db8:5::30/128']";
    for (name, proxy, exposure, arguments) in [
        ("node-port-redirect-to-metallb", kube_proxy, "{strategy: nodePortRedirect}", &METAL[..]),
        ("host-network-to-node-port-redirect", kube_proxy, "{strategy: hostNetwork}", &["--to", "nodePortRedirect"]),
        (
            "host-network-to-cilium-load-balancer",
            cilium,
            "{strategy: hostNetwork}",
            &["--to", "ciliumLoadBalancer", "--set", pool],
        ),
    ] {
        for (format, ending) in [("text", "txt"), ("markdown", "md"), ("json", "json")] {
            let arguments = [arguments, &["--format", format]].concat();
            let (_folder, output) = told(&spec(proxy, exposure), &arguments);
            assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
            golden(&root().join(format!("tests/migrate/{name}.{ending}")), &stdout(&output));
        }
    }
}

#[test]
fn addresses_in_a_status_are_written_and_taken_out_by_a_command() {
    const WRITTEN: &str =
        "kubectl -n gw patch service kong-edge --subresource=status --type=merge --patch-file status/kong-edge.yaml";
    const CLEARED: &str = r#"kubectl -n gw patch service kong-edge --subresource=status --type=merge -p '{"status":{"loadBalancer":{"ingress":null}}}'"#;
    let walked = |from: &str, to: &str| {
        let [old, new, bridge] =
            [from, to, "{strategy: nodePortRedirect}"].map(|exposure| planned(&spec(PROXIES[0].1, exposure)).unwrap());
        migrate(&old, &new, Some(&bridge), &kong()).unwrap().steps
    };
    let (claim, status) = ("{strategy: externalIPs}", "{strategy: externalIPs, form: status}");
    let position = |step: &Step, command: &str| step.commands.iter().position(|known| known.starts_with(command));
    for from in [claim, "{strategy: hostNetwork}", "{strategy: nodePort}"] {
        let steps = walked(from, status);
        let first = position(&steps[0], WRITTEN).unwrap_or_else(|| panic!("{from}: {:?}", steps[0].commands));
        assert!(position(&steps[0], "kubectl apply --server-side -k manifests") < Some(first), "{from}");
        assert!(!steps.iter().any(|step| position(step, CLEARED).is_some()), "{from}");
    }
    // The Service stays: its addresses go before it stops being one that may have them.
    let steps = walked(status, claim);
    let last = steps.last().unwrap();
    let cleared = position(last, CLEARED).unwrap_or_else(|| panic!("{:?}", last.commands));
    assert!(Some(cleared) < position(last, "kubectl apply --server-side -k manifests"));
    // Made anew, it has lost them. What takes long comes before it goes.
    let cloud = walked("{strategy: cloudLoadBalancer, provider: aws}", status);
    let made = position(&cloud[0], WRITTEN).unwrap_or_else(|| panic!("{:?}", cloud[0].commands));
    assert!(position(&cloud[0], "kubectl -n gw delete service kong-edge") < Some(made));
    let cilium = "{strategy: ciliumLoadBalancer, addresses: [198.51.100.10/32, 2001:db8:5::10/128]}";
    let [old, new] = [cilium, status].map(|exposure| planned(&spec(PROXIES[1].1, exposure)).unwrap());
    let replaced = &migrate(&old, &new, None, &kong()).unwrap().steps[0];
    let restarted = "kubectl -n kube-system rollout status daemonset/cilium";
    assert!(position(replaced, "kubectl -n gw delete service kong-edge").is_some());
    assert_eq!(position(replaced, restarted), None, "Cilium keeps what it had");
    let replaced = &migrate(&new, &old, None, &kong()).unwrap().steps[0];
    let restarted = position(replaced, restarted);
    assert!(restarted.is_some() && restarted < position(replaced, "kubectl -n gw delete service kong-edge"));
}

#[test]
fn what_is_refused_says_why() {
    let (_folder, output) = told(&spec(PROXIES[1].1, "{strategy: hostNetwork}"), &["--to", "nodePortRedirect"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    golden(&root().join("tests/migrate/refused.txt"), &stdout(&output));
    let asked = |arguments: &[&str]| {
        let (_folder, output) = told(&spec(PROXIES[0].1, "{strategy: nodePortRedirect}"), arguments);
        assert_eq!(output.status.code(), Some(2), "{}", stdout(&output));
        stderr(&output)
    };
    assert!(asked(&["--to", "metalLB"]).contains("add --set 'addresses=[198.51.100.10-198.51.100.20]'"));
    assert!(asked(&["--to", "metallb"]).contains("did you mean `metalLB`?"));
    assert!(asked(&["--to", "hostNetwork", "--gateway", "apisix"]).contains("the spec has `kong`"));
    assert!(asked(&["--to", "hostNetwork", "--set", "allowFrom"]).contains("is no field with a value"));
    assert!(asked(&["--to", "hostNetwork", "--set", "a=1\n  b: 2"]).contains("on one line"));
    let twice = asked(&["--to", "metalLB", "--set", "addresses=[192.0.2.9/32]", "--set", "addresses=[192.0.2.8/32]"]);
    assert!(twice.contains("`addresses` is set twice"), "{twice}");
    assert!(asked(&["--to", "hostNetwork", "--step", "9"]).contains("the last one is"));
    let (_folder, same) = told(&spec(PROXIES[0].1, "{strategy: nodePortRedirect}"), &["--to", "nodePortRedirect"]);
    assert_eq!(same.status.code(), Some(0));
    assert!(stderr(&same).contains("nothing would change"), "{}", stderr(&same));
}

#[test]
fn on_k3s_its_load_balancer_is_off_while_another_one_has_the_service() {
    let k3s =
        |exposure| spec(PROXIES[0].1, exposure).replace("  podSecurity", "  distribution: {type: k3s}\n  podSecurity");
    let metallb = "{strategy: metalLB, addresses: [198.51.100.10/32, 2001:db8:5::10/128]}";
    let [redirect, metallb] =
        ["{strategy: nodePortRedirect}", metallb].map(|exposure| planned(&k3s(exposure)).unwrap());
    let off = |step: &Step| {
        let settings = step.tree.iter().find(|file| file.path == "k3s/config.yaml");
        settings.is_some_and(|settings| settings.text.contains("servicelb"))
    };
    let position = |step: &Step, word: &str| step.commands.iter().position(|command| command.contains(word));
    let there = migrate(&redirect, &metallb, None, &kong()).unwrap().steps;
    assert!(there.iter().all(off));
    assert!(
        position(&there[0], "systemctl restart k3s") < position(&there[0], "helm upgrade"),
        "{:?}",
        there[0].commands
    );
    let back = migrate(&metallb, &redirect, None, &kong()).unwrap().steps;
    let (last, before) = back.split_last().unwrap();
    assert!(before.iter().all(off) && !off(last));
    assert!(position(last, "helm upgrade") < position(last, "systemctl restart k3s"), "{:?}", last.commands);
}

#[test]
fn what_others_share_with_the_gateway_stays_where_it_is() {
    let shared = "{strategy: metalLB, addresses: [198.51.100.10/32, 2001:db8:5::10/128], allowSharedIP: web}";
    let other = format!(
        "  later:
    chart: kong
    namespace: later
    nodePools: [edge]
    ports:
      http: {{port: 1080}}
    replicas: 2
    exposure: {shared}
"
    );
    let both = spec(PROXIES[0].1, shared) + &other;
    let (_folder, output) = told(&both, &["--gateway", "kong", "--to", "nodePort"]);
    assert_eq!(output.status.code(), Some(1), "{}{}", stdout(&output), stderr(&output));
    assert!(stderr(&output).contains("`kong` as `later`"), "{}", stderr(&output));
    let (_folder, output) = told(&both, &["--gateway", "later", "--to", "nodePort"]);
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
    assert!(!stdout(&output).contains("ipaddresspool"), "the pool is still kong's: {}", stdout(&output));
}

#[test]
fn a_fault_of_what_was_set_is_shown_where_it_was_written() {
    let faulty = ["--to", "metalLB", "--set", "addresses=[198.51.100.300]"];
    let (_folder, output) = told(&spec(PROXIES[0].1, "{strategy: nodePortRedirect}"), &faulty);
    assert_eq!(output.status.code(), Some(1));
    let report = stdout(&output);
    assert!(report.contains("--> --to and --set:") && report.contains("addresses: [198.51.100.300]"), "{report}");
}

#[test]
fn each_step_is_written_and_the_last_is_what_the_new_spec_renders() {
    let old = spec(PROXIES[0].1, "{strategy: nodePortRedirect, allowFrom: [192.0.2.0/24, \"2001:db8:9::/48\"]}");
    let (folder, output) = told(&old, &[&METAL[..], &["--format", "json"]].concat());
    let plan: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let tree = |step: usize| {
        let number = step.to_string();
        let output = portgen(folder.path(), &[&["migrate"], &METAL[..], &["--step", &number]].concat());
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        common::files(&folder.path().join("rendered/lab"))
            .into_iter()
            .map(|(name, path)| (name, fs::read_to_string(path).unwrap()))
            .collect::<std::collections::BTreeMap<_, _>>()
    };
    let first = tree(0);
    assert_eq!(portgen(folder.path(), &["render", "--check"]).status.code(), Some(0), "step 0 is the old spec's tree");
    let steps = plan["steps"].as_array().unwrap();
    let mut before = first;
    for (number, step) in (1..).zip(steps) {
        let after = tree(number);
        let changed: Vec<&str> =
            step["changes"].as_array().unwrap().iter().map(|it| it["path"].as_str().unwrap()).collect();
        let own = |name: &str| name == "README.md" || name == ".portgen.lock";
        for name in before.keys().chain(after.keys()).filter(|name| !own(name)) {
            assert_eq!(before.get(name) != after.get(name), changed.contains(&name.as_str()), "step {number}: {name}");
        }
        before = after;
    }
    // The exposure that the last step says to write, allowFrom kept.
    let exposure = plan["exposure"].to_string();
    assert!(exposure.contains("allowFrom"), "{exposure}");
    fs::write(folder.path().join("portgen.yaml"), spec(PROXIES[0].1, &exposure)).unwrap();
    assert_eq!(portgen(folder.path(), &["render", "--check"]).status.code(), Some(0));
}
