//! `portgen trace`: what it prints, how it ends, what it refuses to guess. Its verdicts are held against packets by the
//! lab (`tests/lab/traced.rs`).

mod common;

use std::fs;
use std::path::Path;
use std::process::Output;

use common::{golden, portgen, root, stderr, stdout};
use portgen::chart::Charts;
use portgen::input;
use portgen::output::node;
use portgen::plan::{self, DirectNodePort, Plan, Strategy};
use portgen::source::Source;
use portgen::trace::{self, Origin, Pods, Question};

fn run(arguments: &str) -> Output {
    let words: Vec<&str> = ["trace"].into_iter().chain(arguments.split(' ')).collect();
    portgen(&root(), &words)
}

const KONG: &str = "examples/kong-nodeport-redirect/portgen.yaml";
const TWO: &str = "examples/two-gateways-dual-stack/portgen.yaml";
const METALLB: &str = "examples/apisix-metallb/portgen.yaml";
const CILIUM: &str = "examples/apisix-hostnetwork-cilium/portgen.yaml";
const REFUSED: &str = "examples/kong-nodeport-redirect-refused/iptables.yaml";

#[test]
fn the_examples_are_walked_step_by_step() {
    let walks = [
        ("rewrite", format!("{KONG} --to edge:443 --source 10.1.2.3"), 0),
        ("outside-allow-list", format!("{KONG} --to edge:443"), 1),
        ("shut-node-port", format!("{KONG} --to edge:30443 --source 10.1.2.3"), 1),
        ("no-endpoints-from-the-node", format!("{KONG} --to edge:443 --from node --pod none"), 1),
        ("no-service", format!("{KONG} --to edge:80 --source 10.1.2.3 --pod no-service"), 1),
        ("loopback", format!("{KONG} --to loopback:80"), 1),
        ("http3", format!("{TWO} --to public:443 --protocol udp --family ipv6"), 0),
        ("local-without-pod", format!("{TWO} --to public:443 --pod elsewhere"), 1),
        ("announced", format!("{METALLB} --to apisix:443"), 0),
        ("cilium", format!("{CILIUM} --to gateway:443"), 0),
        ("refused", format!("{REFUSED} --to edge:443"), 1),
    ];
    for (name, arguments, code) in walks {
        for (ending, format) in [("txt", ""), ("mmd", " --mermaid"), ("json", " --format json")] {
            let output = run(&format!("{arguments}{format}"));
            assert_eq!(output.status.code(), Some(code), "{name}: {}", stderr(&output));
            golden(&root().join(format!("tests/trace/{name}.{ending}")), &stdout(&output));
        }
    }
}

#[test]
fn the_page_shows_what_is_printed() {
    let page = fs::read_to_string(root().join("docs/trace.md")).unwrap();
    let block = |fence: &str| page.split(fence).nth(1).unwrap().split("```").next().unwrap().to_owned();
    let command = block("```sh\n");
    let output = run(command.trim().strip_prefix("portgen trace ").unwrap());
    assert_eq!(block("```text\n"), stdout(&output));
}

#[test]
fn a_flowchart_holds_no_text_of_a_rule() {
    let chart = stdout(&run(&format!("{KONG} --to edge:443 --source 10.1.2.3 --mermaid")));
    assert!(chart.starts_with("flowchart TD\n") && chart.contains("tcp dport 443 → 30443"), "{chart}");
    assert!(!chart.contains("comment") && !chart.contains("-A PORTGEN"), "{chart}");
    for line in chart.lines() {
        assert!(matches!(line.matches('"').count(), 0 | 2), "{line}");
    }
}

#[test]
fn a_program_reads_the_verdict() {
    let output = run(&format!("{REFUSED} --to edge:443 --format json"));
    let told: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!((&told["version"], &told["verdict"]), (&1.into(), &"refused".into()));
    assert_eq!(told["refused"][0]["rule"], "unreachable-mechanism");
    assert_eq!((&told["arrived"], &told["gateway"]), (&false.into(), &serde_json::Value::Null));
    let page = fs::read_to_string(root().join("docs/trace.md")).unwrap();
    for field in told.as_object().unwrap().keys() {
        assert!(page.contains(&format!("`{field}")), "docs/trace.md does not speak of {field}");
    }
}

#[test]
fn another_gateway_than_the_one_that_is_meant_is_no_arrival() {
    let output = run(&format!("{TWO} --to public:443 --gateway kong"));
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("arrives at apisix") && stdout(&output).contains("that is not kong"));
    assert_eq!(run(&format!("{TWO} --to public:443 --gateway apisix")).status.code(), Some(0));
}

#[test]
fn what_names_nothing_is_refused_with_a_hint() {
    let cases = [
        (format!("{KONG} --to edgee:443"), "did you mean `edge`?"),
        (format!("{KONG} --to kong:443"), "kong has no IPv4 address of its own; ask for a node of its pool: `edge`"),
        (format!("{KONG} --to edge"), "`edge` has no port"),
        (format!("{KONG} --to edge:0"), "`0` is no port"),
        (format!("{KONG} --to edge:443 --gateway kongg"), "did you mean `kong`?"),
        (format!("{METALLB} --to 192.168.1.14:443"), "did you mean `192.168.1.1"),
        (format!("{METALLB} --to 192.168.1.105:443"), "one of the addresses that apisix may get"),
        (format!("{METALLB} --to 192.168.1.11:443 --family ipv6"), "no address of the family"),
        (format!("{KONG} --to loopback:80 --from client"), "--from node"),
        (format!("{KONG} --to edge:80 --from pod --source 192.0.2.1"), "`--source` is a client's address"),
        (format!("{METALLB} --to 192.168.1.11:80 --source 2001:db8::1"), "no address of the family"),
        ("examples --to edge:443".to_owned(), "name one of them"),
    ];
    for (arguments, hint) in cases {
        let output = run(&arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments}: {}", stdout(&output));
        assert!(stderr(&output).contains(hint), "{arguments}: {}", stderr(&output));
    }
}

fn plan(path: &Path) -> Plan {
    let source = Source { path: path.display().to_string(), text: fs::read_to_string(path).unwrap() };
    let input = input::parse(source, &mut |_, _| Err("no bases".to_owned()));
    plan::build(&input.spec.unwrap_or_else(|| panic!("{:?}", input.findings)), &Charts::built_in(|_| true))
}

/// Whoever connects, and wherever the pods are: every walk ends, and none gets past an allow-list or to a shut port.
#[test]
fn no_way_leads_around_what_is_shut() {
    let mut walked = 0;
    let examples = common::EXAMPLES.map(|example| root().join("examples").join(example).join("portgen.yaml"));
    let variants = common::files(&root().join("tests/variants")).into_iter().map(|(_, path)| path);
    for path in examples.into_iter().chain(variants) {
        let plan = plan(&path);
        for gateway in plan.gateways.values() {
            let shut =
                matches!(gateway.strategy, Strategy::NodePortRedirect { direct_node_port: DirectNodePort::Deny, .. });
            // kube-proxy opens a node port on every node, whoever runs there; what takes no files, a rule names.
            let told = plan.pools.iter().filter(|(name, pool)| pool.os.takes_files() || gateway.pools.contains(name));
            let asked = told.flat_map(|(pool, _)| gateway.ports.values().map(move |port| (pool, port)));
            for (pool, port) in asked {
                let public = gateway.pools.contains(pool).then_some((port.port, false));
                let files = plan.nodes.get(pool).map(|node| node::files(&plan, pool, node).unwrap());
                let files = files.unwrap_or_default();
                let node_port = port.node_port.map(|number| (number, shut));
                for (number, shut) in public.into_iter().chain(node_port) {
                    for family in plan.cluster.families.iter().copied() {
                        for (origin, pods) in all_of(&ORIGINS, &PODS) {
                            let to = format!("{pool}:{number}");
                            let destination = trace::destination(&plan, &to, Some(family), None).unwrap();
                            let protocol = port.protocol;
                            let question =
                                Question { origin, destination, protocol, source: None, pods, gateway: None };
                            let trace = trace::walk_files(&plan, &files, &question).unwrap();
                            let outside = !gateway.strategy.allow_from().is_empty()
                                && !gateway.strategy.allow_from().iter().any(|net| net.contains(trace.flow.source));
                            let kept_out = origin == Origin::Client && (outside || shut);
                            let text = trace::text(&trace);
                            assert!(!(kept_out && trace.arrived()), "{}: {text}", path.display());
                            assert!(!trace.arrived() || matches!(pods, Pods::Here | Pods::Elsewhere), "{text}");
                            walked += 1;
                        }
                    }
                }
            }
        }
    }
    assert!(walked > 1_000, "{walked}");
}

const ORIGINS: [Origin; 6] =
    [Origin::Client, Origin::Node, Origin::OtherNode, Origin::Pod, Origin::OtherPod, Origin::GatewayPod];
const PODS: [Pods; 4] = [Pods::Here, Pods::Elsewhere, Pods::Nowhere, Pods::NoService];

fn all_of<A: Copy, B: Copy>(one: &[A], other: &[B]) -> Vec<(A, B)> {
    one.iter().flat_map(|a| other.iter().map(move |b| (*a, *b))).collect()
}

/// A node port answers on nodes of every pool; the pods stay on those of their own.
#[test]
fn a_node_of_another_pool_has_no_pod() {
    let scene = tempfile::tempdir().unwrap();
    let spec = fs::read_to_string(root().join(TWO)).unwrap();
    let spec =
        spec.replace("externalTrafficPolicy: Local", "externalTrafficPolicy: Local\n      directNodePort: allow");
    fs::write(scene.path().join("portgen.yaml"), spec).unwrap();
    let met = |to: &str| stdout(&portgen(scene.path(), &["trace", "--to", to]));
    assert!(met("public:30080").contains("arrives at apisix"), "{}", met("public:30080"));
    assert!(met("internal:30080").contains("no pod of the gateway is on this node"), "{}", met("internal:30080"));
    assert!(met("public:31080").contains("is a node port, and shut"), "{}", met("public:31080"));
}

/// kube-proxy opens a node port on nodes of every pool; there it is shut, or held to the allow-list, as on the gateway's own.
#[test]
fn a_node_of_another_pool_is_no_way_around() {
    let scene = tempfile::tempdir().unwrap();
    let spec = fs::read_to_string(root().join(TWO)).unwrap();
    let met = |spec: &str, arguments: &str| {
        fs::write(scene.path().join("portgen.yaml"), spec).unwrap();
        let words: Vec<&str> = ["trace", "--to"].into_iter().chain(arguments.split(' ')).collect();
        stdout(&portgen(scene.path(), &words))
    };
    for (to, why) in [
        ("public:31080 --source 10.1.2.3", "port 31080 is a node port, and shut"),
        ("public:31443 --family ipv6 --from pod", "port 31443 is a node port, and shut"),
        ("public:31443 --from node", "port 31443 is a node port, and shut"),
        ("internal:30443 --protocol udp", "port 30443 is a node port, and shut"),
    ] {
        assert!(met(&spec, to).contains(why), "{}", met(&spec, to));
    }
    let open = spec.replace("allowFrom", "directNodePort: allow\n      allowFrom");
    let arrives = met(&open, "public:31080 --source 10.1.2.3");
    assert!(arrives.contains("arrives at kong") && arrives.contains("a pod on another node"), "{arrives}");
    for outside in ["public:31080", "public:31080 --family ipv6"] {
        assert!(met(&open, outside).contains("its source is not in `allowFrom`"), "{}", met(&open, outside));
    }
    let everyone = open.replace("      allowFrom: [10.0.0.0/8, \"fd00::/8\"]\n", "");
    assert!(met(&everyone, "public:31080").contains("arrives at kong"), "{}", met(&everyone, "public:31080"));
}

/// Examples never take the place of an address that a spec names.
#[test]
fn an_address_of_the_spec_is_no_example() {
    let scene = tempfile::tempdir().unwrap();
    let spec = fs::read_to_string(root().join(METALLB)).unwrap();
    let spec = spec.replace("192.168.1.11, 192.168.1.12, 192.168.1.13", "192.0.2.10, 203.0.113.10, 203.0.113.11");
    fs::write(scene.path().join("portgen.yaml"), spec).unwrap();
    let output = portgen(scene.path(), &["trace", "--to", "apisix:443"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    assert!(text.contains("192.0.2.11 stands for a client") && text.contains("→ 203.0.113.14"), "{text}");
}

/// kube-proxy serves node ports where `nodePortAddresses` says, and so does the rewrite that leads to one.
#[test]
fn node_ports_are_served_where_the_cluster_says() {
    let left_out = "`nodePortAddresses` leaves it out";
    let scene = tempfile::tempdir().unwrap();
    let spec = fs::read_to_string(root().join(TWO)).unwrap();
    let met = |networks: &str, arguments: &str| {
        let spec = spec.replace("mode: nftables}", &format!("mode: nftables, nodePortAddresses: {networks}}}"));
        assert!(spec.contains(networks), "{spec}");
        fs::write(scene.path().join("portgen.yaml"), spec).unwrap();
        let words: Vec<&str> = ["trace", "--to"].into_iter().chain(arguments.split(' ')).collect();
        stdout(&portgen(scene.path(), &words))
    };
    for to in ["public:443", "public:80 --source 10.1.2.3"] {
        let elsewhere = met("[172.31.0.0/16]", to);
        assert!(elsewhere.contains(left_out) && !elsewhere.contains("arrives at"), "{elsewhere}");
    }
    // A family without a network of its own is served whole.
    let other = met("[172.31.0.0/16]", "public:443 --family ipv6");
    assert!(other.contains("arrives at") && !other.contains(left_out), "{other}");
    let primary = met("primary", "public:443");
    assert!(primary.contains("arrives at") && !primary.contains(left_out), "{primary}");
}

fn one_gateway(proxy: &str, exposure: &str) -> String {
    common::one_kong(proxy, "[IPv4]", "[192.0.2.11, 192.0.2.12]", exposure)
}

const IPTABLES: &str = "{type: kube-proxy, mode: iptables}";

fn met(spec: &str, arguments: &str) -> String {
    let scene = tempfile::tempdir().unwrap();
    fs::write(scene.path().join("portgen.yaml"), spec).unwrap();
    let words: Vec<&str> = ["trace", "--to"].into_iter().chain(arguments.split(' ')).collect();
    let output = portgen(scene.path(), &words);
    assert!(output.status.code() < Some(2), "{}", stderr(&output));
    stdout(&output)
}

/// The Service's status holds a name on AWS: kube-proxy knows neither the address nor the allow-list.
#[test]
fn a_load_balancer_of_aws_hands_on_what_it_takes() {
    let instance = one_gateway(IPTABLES, "{strategy: cloudLoadBalancer, provider: aws, allowFrom: [203.0.113.0/24]}");
    let inside = met(&instance, "kong:443 --source 203.0.113.9");
    assert!(inside.contains("instance targets  (destination") && inside.contains("node port 30001"), "{inside}");
    assert!(inside.contains("arrives at kong, port 8443, which sees a node's address"), "{inside}");
    assert!(inside.contains("30000 and 30001 for the node ports that the API server chooses"), "{inside}");
    let outside = met(&instance, "kong:443 --source 192.0.2.200");
    assert!(outside.contains("security group") && outside.contains("dropped, a timeout"), "{outside}");
    assert!(!inside.contains("198.51.100.200 port") && !outside.contains("loadBalancerSourceRanges"), "{outside}");
    assert!(met(&instance, "kong:8443").contains("no listener"), "{}", met(&instance, "kong:8443"));
    assert!(met(&instance, "kong:443 --from pod").contains("leaves the cluster"));

    let ip = one_gateway(IPTABLES, "{strategy: cloudLoadBalancer, provider: aws, aws: {targetType: ip}}");
    let pod = met(&ip, "kong:80");
    assert!(!pod.contains("kube-proxy") && pod.contains("IP targets"), "{pod}");
    assert!(pod.contains("arrives at kong, port 8000, which sees the load balancer's address"), "{pod}");
    let kept = one_gateway(
        IPTABLES,
        "{strategy: cloudLoadBalancer, provider: aws, aws: {targetType: ip, preserveClientIP: true}}",
    );
    assert!(met(&kept, "kong:80").contains("which sees the client's address"), "{}", met(&kept, "kong:80"));
}

#[test]
fn ciliums_own_gateway_listens_on_its_pool() {
    let proxy = "{type: cilium, version: \"1.19\", kubeProxyReplacement: true, gateway: {http: 8080, https: 8443}}";
    let spec = one_gateway(proxy, "{strategy: nodePort}");
    assert!(met(&spec, "edge:8443").contains("arrives at cilium-envoy, port 8443"), "{}", met(&spec, "edge:8443"));
    assert!(met(&spec, "edge:443").contains("refused: nothing of the spec listens"), "{}", met(&spec, "edge:443"));
}

/// Where IPVS makes the address of a Service the node's, the port map leaves it alone, and masquerades by itself.
#[test]
fn a_mapped_port_is_the_nodes_own() {
    let mapped = one_gateway("{type: kube-proxy, mode: nftables}", "{strategy: hostPort}");
    let loopback = met(&mapped, "loopback:80");
    assert!(loopback.contains("port map: masquerades what it marked"), "{loopback}");
    let other = "
  other:
    chart: apisix
    namespace: apisix
    nodePools: [edge]
    ports: {http: {port: 80}}
    exposure: {strategy: metalLB, addresses: [198.51.100.10/32]}
";
    let spec = one_gateway("{type: kube-proxy, mode: ipvs, strictARP: true}", "{strategy: hostPort}") + other;
    assert!(met(&spec, "other:80").contains("arrives at other"), "{}", met(&spec, "other:80"));
    assert!(met(&spec, "edge:80").contains("arrives at kong"), "{}", met(&spec, "edge:80"));
}
