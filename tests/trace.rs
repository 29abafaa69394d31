//! `portgen trace`: what it prints, how it ends, what it refuses to guess. Its verdicts are held against packets by the
//! lab (`tests/lab/traced.rs`).

mod common;

use std::fs;
use std::process::Output;

use common::{golden, portgen, root, stderr, stdout};

fn trace(arguments: &str) -> Output {
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
            let output = trace(&format!("{arguments}{format}"));
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
    let output = trace(command.trim().strip_prefix("portgen trace ").unwrap());
    assert_eq!(block("```text\n"), stdout(&output));
}

#[test]
fn a_flowchart_holds_no_text_of_a_rule() {
    let chart = stdout(&trace(&format!("{KONG} --to edge:443 --source 10.1.2.3 --mermaid")));
    assert!(chart.starts_with("flowchart TD\n") && chart.contains("tcp dport 443 → 30443"), "{chart}");
    assert!(!chart.contains("comment") && !chart.contains("-A PORTGEN"), "{chart}");
    for line in chart.lines() {
        assert!(matches!(line.matches('"').count(), 0 | 2), "{line}");
    }
}

#[test]
fn a_program_reads_the_verdict() {
    let output = trace(&format!("{REFUSED} --to edge:443 --format json"));
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
    let output = trace(&format!("{TWO} --to public:443 --gateway kong"));
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("arrives at apisix") && stdout(&output).contains("that is not kong"));
    assert_eq!(trace(&format!("{TWO} --to public:443 --gateway apisix")).status.code(), Some(0));
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
        let output = trace(&arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments}: {}", stdout(&output));
        assert!(stderr(&output).contains(hint), "{arguments}: {}", stderr(&output));
    }
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
    assert!(met("public:31080").contains("a pod on another node"), "{}", met("public:31080"));
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
