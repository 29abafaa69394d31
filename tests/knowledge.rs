//! The tables of what is known: complete, in agreement with the plan and the rules, and told everywhere alike.

mod common;

use std::collections::BTreeSet;
use std::fs;

use common::{golden, portgen, root, stderr, stdout};
use portgen::chart::Charts;
use portgen::check;
use portgen::finding::Severity;
use portgen::input;
use portgen::plan::knowledge::{
    DEPRECATIONS, Form, NodeFiles, Plane, SourceKept, TERMS, Verdict, cell, meaning, verdict,
};
use portgen::plan::{self, Plan, ServiceType};
use portgen::source::Source;

/// A spec with a form on a data plane, on nodes whose addresses are named.
fn spec(form: Form, service_proxy: &str) -> String {
    let exposure = match form {
        Form::PortRewrite => "{strategy: nodePortRedirect}",
        Form::SocketProxy => "{strategy: nodePortRedirect, mechanism: socketProxy}",
        Form::NatRedirect => "{strategy: nodePortRedirect, mechanism: natRedirect}",
        Form::NodePort | Form::NodePortInRange => "{strategy: nodePort}",
        Form::HostNetworkRedirect => "{strategy: hostNetwork}",
        Form::HostNetworkDirect => "{strategy: hostNetwork, bind: direct}",
        Form::HostPort => "{strategy: hostPort}",
        Form::MetalLbL2 => "{strategy: metalLB, addresses: [192.0.2.128/28]}",
        Form::MetalLbBgp => {
            "{strategy: metalLB, mode: bgp, addresses: [192.0.2.128/28], bgp: {localASN: 64512, peers: {router: {address: 192.0.2.1, asn: 64513}}}}"
        }
        Form::CiliumL2 => "{strategy: ciliumLoadBalancer, addresses: [192.0.2.128/28]}",
        Form::CiliumBgp => {
            "{strategy: ciliumLoadBalancer, announce: bgp, addresses: [192.0.2.128/28], bgp: {localASN: 64512, peers: {router: {address: 192.0.2.1, asn: 64513}}}}"
        }
        Form::CiliumNode => "{strategy: ciliumLoadBalancer, announce: node}",
        Form::CloudLoadBalancer => "{strategy: cloudLoadBalancer, provider: gcp}",
        Form::ExternalIpsSpec => "{strategy: externalIPs}",
        Form::ExternalIpsStatus => "{strategy: externalIPs, form: status}",
    };
    let range = if form == Form::NodePortInRange { "80-32767" } else { "30000-32767" };
    format!(
        "apiVersion: portgen/v1alpha1
kind: Cluster
metadata: {{name: known}}
cluster:
  kubernetesVersion: \"1.34\"
  serviceProxy: {service_proxy}
  ipFamilies: [IPv4]
  nodePortRange: {range}
  podSecurity: privileged
nodePools:
  edge:
    nodeSelector: {{example.com/pool: edge}}
    os: debian-12
    addresses: [192.0.2.11, 192.0.2.12]
gateways:
  kong:
    chart: kong
    namespace: kong-system
    nodePools: [edge]
    ports: {{http: {{port: 80}}}}
    exposure: {exposure}
"
    )
}

const IPTABLES: &str = "{type: kube-proxy, mode: iptables}";

const SERVICE_PROXIES: [(Plane, &str); 5] = [
    (Plane::Iptables, IPTABLES),
    (Plane::Nftables, "{type: kube-proxy, mode: nftables}"),
    (Plane::Ipvs, "{type: kube-proxy, mode: ipvs, strictARP: true}"),
    (Plane::Cilium, "{type: cilium, version: \"1.18\", kubeProxyReplacement: true}"),
    (Plane::CiliumBeside, "{type: cilium, version: \"1.18\", kubeProxyReplacement: false}"),
];

fn plan_of(text: String) -> Plan {
    let source = Source { path: "known.yaml".to_owned(), text };
    let input = input::parse(source, &mut |_, _| Err("no such file".to_owned()));
    assert!(input.findings.is_empty(), "{:?}", input.findings);
    plan::build(&input.spec.unwrap(), &Charts::built_in(|_| true))
}

#[test]
fn what_a_form_means_is_what_its_strategy_needs() {
    for form in Form::ALL {
        let plan = plan_of(spec(form, IPTABLES));
        let gateway = plan.gateways.values().next().unwrap();
        assert_eq!(Form::of(gateway), form);
        let (needs, meaning) = (&gateway.needs, meaning(form));
        assert_eq!(meaning.pod_security, needs.pod_security, "{form}");
        assert_eq!(meaning.one_pod_per_node, needs.host_network || needs.host_port, "{form}");
        assert_eq!(meaning.seamless_update, needs.rollout.max_unavailable == 0, "{form}");
        assert_eq!(meaning.source == SourceKept::Always, needs.policy.is_none(), "{form}");
        let node = plan.nodes.values().next();
        let files = match node {
            None => NodeFiles::None,
            Some(node) if node.needs_proxy() => NodeFiles::Proxy,
            Some(node) if node.unprivileged_port_start.is_some() => NodeFiles::Sysctl,
            Some(_) => NodeFiles::Rules,
        };
        assert_eq!(meaning.node_files, files, "{form}");
        let announced = gateway.strategy.announced().is_some();
        assert_eq!(
            meaning.components.contains("addresses of their own"),
            announced && form != Form::CiliumNode,
            "{form}"
        );
        assert!(form != Form::CloudLoadBalancer || needs.service_type == ServiceType::LoadBalancer);
    }
}

#[test]
fn the_rules_say_what_the_table_says() {
    for form in Form::ALL {
        for (plane, service_proxy) in SERVICE_PROXIES {
            let plan = plan_of(spec(form, service_proxy));
            let known = verdict(form, plan.cluster.data_plane, &plan.cluster.families);
            assert_eq!(known, cell(form, plane, &plan.cluster.families), "{form} on {}", plane.name());
            let findings = check::inspect(&plan);
            let says = |text: &str| findings.iter().any(|finding| finding.message.contains(text));
            let errors: Vec<&str> = findings
                .iter()
                .filter(|finding| finding.severity() == Severity::Error)
                .map(|finding| finding.rule.name)
                .collect();
            let place = format!("{form} on {}: {errors:?}", plane.name());
            match known {
                Verdict::Refused { reason, .. } => assert!(!errors.is_empty() && says(reason), "{place}"),
                Verdict::NotProven(reason) => assert!(errors.is_empty() && says(reason), "{place}"),
                Verdict::Works | Verdict::Documented(_) => {
                    assert!(errors.is_empty() && !says("is not proven"), "{place}");
                }
            }
        }
    }
}

#[test]
fn one_family_alone_can_be_another_cell() {
    let alone = spec(Form::SocketProxy, IPTABLES)
        .replace("[IPv4]", "[IPv6]")
        .replace("192.0.2.11, 192.0.2.12", "\"2001:db8::11\", \"2001:db8::12\"");
    let findings = check::inspect(&plan_of(alone));
    assert!(findings.iter().any(|finding| finding.message.contains("::1")), "{findings:?}");
}

#[test]
fn the_table_of_the_readme_is_the_table() {
    let text = fs::read_to_string(root().join("README.md")).unwrap();
    for form in Form::ALL {
        let label = match form.choice() {
            Some(choice) => format!("| `{}` ({choice}) |", form.strategy()),
            None => format!("| `{}` |", form.strategy()),
        };
        let row = text.lines().find_map(|line| line.strip_prefix(&label)).unwrap_or_else(|| panic!("{label}"));
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        for (said, plane) in cells.iter().zip(Plane::ALL) {
            assert_eq!(*said, cell(form, plane, &[]).word(), "{form} on {}", plane.name());
        }
        assert_eq!(cells[5], meaning(form).pod_security.as_str(), "{form}");
    }
}

#[test]
fn the_page_of_strategies_is_what_the_command_prints() {
    let page = stdout(&portgen(&root(), &["strategies", "--format", "markdown"]));
    let note = "\n<!-- Written by `PORTGEN_UPDATE=1 cargo test --test knowledge`; a change made here is lost. -->\n";
    golden(&root().join("docs/strategies.md"), &page.replacen('\n', &format!("\n{note}"), 1));
}

const CLUSTERS: [(&str, &[&str]); 3] = [
    ("iptables", &["--no-downtime"]),
    ("cilium", &["--spare-addresses", "--source-address"]),
    ("ipvs", &["--no-node-access", "--spare-addresses"]),
];

#[test]
fn three_clusters_are_told_what_they_can_have() {
    for (name, flags) in CLUSTERS {
        let folder = root().join("tests/strategies");
        let spec = format!("{name}.yaml");
        let run = |more: &[&str]| {
            let arguments: Vec<&str> = ["strategies", &spec].iter().chain(flags).chain(more).copied().collect();
            let output = portgen(&folder, &arguments);
            assert_eq!(output.status.code(), Some(0), "{name}: {}", stderr(&output));
            stdout(&output)
        };
        let text = run(&[]);
        for line in text.lines() {
            assert!(line.chars().count() <= 100, "{line}");
        }
        golden(&folder.join(format!("{name}.txt")), &text);
        golden(&folder.join(format!("{name}.md")), &run(&["--format", "markdown"]));
        let json: serde_json::Value = serde_json::from_str(&run(&["--format", "json"])).unwrap();
        let forms = json["strategies"][0]["forms"].as_array().unwrap();
        assert_eq!(forms.len(), Form::ALL.len());
        for form in forms {
            // What is barred says why, and what needs a change says which.
            assert_eq!(form["here"] == "no", form["barred"].is_string(), "{form}");
            assert_eq!(
                form["here"] == "after a change",
                form["barred"].is_null() && form["changes"] != serde_json::json!([])
            );
        }
        let best = &json["strategies"][0]["best"];
        let chosen = forms.iter().find(|form| form["strategy"] == best["strategy"] && form["form"] == best["form"]);
        assert_ne!(chosen.unwrap()["here"], "no", "{name}");
    }
}

#[test]
fn a_situation_changes_what_fits() {
    let folder = root().join("tests/strategies");
    let best = |spec: &str, flags: &[&str]| {
        let arguments: Vec<&str> = ["strategies", spec, "--format", "json"].iter().chain(flags).copied().collect();
        let json: serde_json::Value = serde_json::from_str(&stdout(&portgen(&folder, &arguments))).unwrap();
        let best = &json["strategies"][0]["best"];
        format!("{} {}", best["strategy"].as_str().unwrap(), best["form"].as_str().unwrap_or_default())
    };
    assert_eq!(best("iptables.yaml", &[]), "nodePortRedirect portRewrite");
    assert_eq!(best("iptables.yaml", &["--own-load-balancer"]), "nodePort 30000 up");
    assert_eq!(best("iptables.yaml", &["--spare-addresses"]), "metalLB l2");
    assert_eq!(best("iptables.yaml", &["--spare-addresses", "--bgp"]), "metalLB bgp");
    assert_eq!(best("iptables.yaml", &["--cloud", "gcp"]), "cloudLoadBalancer ");
    assert_eq!(best("cilium.yaml", &["--spare-addresses"]), "ciliumLoadBalancer l2");
    // Cilium's layer 2 chooses a node without looking for a pod there.
    assert_eq!(best("cilium.yaml", &["--spare-addresses", "--source-address"]), "metalLB l2");
    // A flag without a spec says nothing of any cluster.
    assert_eq!(portgen(&folder, &["strategies", "--bgp"]).status.code(), Some(2));
}

#[test]
fn a_gateway_is_not_told_what_is_wrong_with_another() {
    let scratch = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(root().join("tests/strategies/iptables.yaml")).unwrap();
    let (head, gateway) = text.split_once("gateways:\n").unwrap();
    let other =
        gateway.replace("kong:\n    chart", "other:\n    chart").replace("80}", "1080}").replace("443,", "1443,");
    let other = other.replace("strategy: nodePortRedirect", "strategy: nodePortRedirect, mechanism: natRedirect");
    fs::write(scratch.path().join("portgen.yaml"), format!("{head}gateways:\n{gateway}{other}")).unwrap();
    let output = portgen(scratch.path(), &["strategies", "portgen.yaml", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    let [kong, other] = json["strategies"].as_array().unwrap().as_slice() else { panic!("{json}") };
    assert_eq!((&kong["gateway"], &other["gateway"]), (&"kong".into(), &"other".into()));
    assert_eq!((&kong["forms"][0]["here"], &kong["forms"][0]["now"]), (&"possible".into(), &true.into()));
    assert_eq!(other["forms"][2]["now"], true);
    assert_eq!(other["best"]["form"], "portRewrite");
}

#[test]
fn programs_read_every_cell() {
    let text = stdout(&portgen(&root(), &["strategies", "--format", "json"]));
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let forms = json["strategies"][0]["forms"].as_array().unwrap();
    assert_eq!(forms.len(), Form::ALL.len());
    for (told, form) in forms.iter().zip(Form::ALL) {
        for plane in Plane::ALL {
            let known = &told["dataPlanes"][plane.name()];
            assert_eq!(known["verdict"], cell(form, plane, &[]).word());
            let alone = cell(form, plane, &[portgen::grammar::Family::IPv6]);
            assert_eq!(known["inIPv6Alone"].is_object(), alone != cell(form, plane, &[]), "{form}");
        }
    }
    assert_eq!(json["strategies"][0]["ends"].as_array().unwrap().len(), DEPRECATIONS.len());
}

#[test]
fn every_word_has_a_page_and_one_meaning() {
    let mut called = BTreeSet::new();
    for term in TERMS {
        let page = term.page;
        assert!(page.starts_with(&format!("# {}\n\n", term.name)), "{}", term.name);
        let sentence = page.lines().nth(2).unwrap();
        assert!(sentence.ends_with('.') && sentence.len() > 40, "{}: {sentence}", term.name);
        for part in [
            "\n## How a packet travels\n",
            "\n## What breaks, and how it looks\n",
            "\n## Verify\n",
            "```sh\n",
            "\n## Sources\n",
        ] {
            assert!(page.contains(part), "{} has no `{}`", term.name, part.trim());
        }
        for name in std::iter::once(&term.name).chain(term.aliases) {
            assert_eq!(TERMS.iter().filter(|other| other.is_called(name)).count(), 1, "{name}");
            assert!(called.insert(*name), "{name}");
        }
        for line in page
            .lines()
            .filter(|line| !line.starts_with('|') && !line.starts_with("kubectl") && !line.contains("https://"))
        {
            assert!(line.chars().count() <= 130, "{}: {line}", term.name);
        }
    }
    for end in DEPRECATIONS {
        for topic in end.topics {
            let known = TERMS.iter().any(|term| term.name == *topic)
                || Form::ALL.iter().any(|form| form.strategy() == *topic)
                || check::rules().any(|rule| rule.name == *topic);
            assert!(known, "{topic}");
        }
    }
}

#[test]
fn every_strategy_names_its_sources() {
    for (name, page) in plan::STRATEGY_PAGES {
        let (_, sources) = page.split_once("\n## Sources\n").unwrap_or_else(|| panic!("{name} has no sources"));
        assert!(sources.contains("- "), "{name}");
    }
}

#[test]
fn pages_name_pages_that_exist() {
    let strategies = plan::STRATEGY_PAGES.iter().map(|(_, page)| *page);
    let rules = check::rules().map(|rule| rule.page);
    for page in TERMS.iter().map(|term| term.page).chain(strategies).chain(rules) {
        for topic in page.split("`portgen explain ").skip(1).filter_map(|rest| rest.split('`').next()) {
            let output = portgen(&root(), &["explain", topic]);
            assert_eq!(output.status.code(), Some(0), "{topic}: {}", stderr(&output));
        }
    }
}

#[test]
fn a_word_is_found_by_whatever_it_is_called() {
    let first = |topic: &str| {
        let output = portgen(&root(), &["explain", topic]);
        assert_eq!(output.status.code(), Some(0), "{topic}: {}", stderr(&output));
        stdout(&output)
    };
    for (asked, title) in [
        ("eTP", "# externalTrafficPolicy\n"),
        ("SNAT", "# masquerade\n"),
        ("gratuitous ARP", "# layer-2-announcement\n"),
        ("ip-unprivileged-port-start", "# low-ports\n"),
        ("ipvs", "# IPVS\n"),
        ("nodePort", "# nodePort\n"),
        ("socketProxy", "# nodePortRedirect\n"),
        ("NodePort", "# NodePort\n"),
        ("term/nodePort", "# NodePort\n"),
        ("strategy/nodePort", "# nodePort\n"),
        ("rule/single-replica", "# single-replica\n"),
        ("kind", "# local-cluster\n"),
        ("k3s", "# local-cluster\n"),
        ("127.0.0.1", "# localhost\n"),
    ] {
        assert!(first(asked).starts_with(title), "{asked}");
    }
    assert!(first("nodePort").contains("See also the term: `portgen explain term/NodePort`"));
    assert!(first("NodePort").contains("See also the strategy: `portgen explain strategy/nodePort`"));
    let page = first("nodePortRedirect");
    assert!(
        page.contains("| nodePortRedirect (socketProxy) | works | refused | refused | refused | not proven |"),
        "{page}"
    );
    assert!(first("externalIPs").contains("KEP-5707"));
    for (asked, near) in [("masquerad", "masquerade"), ("nodPort", "nodePort"), ("strictAPR", "strictARP")] {
        let output = portgen(&root(), &["explain", asked]);
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains(&format!("did you mean `{near}`?")), "{}", stderr(&output));
    }
}
