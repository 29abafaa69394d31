//! `portgen trace` held against the lab: what it says of a packet is what a client meets.
//!
//! Every outcome of a run is compared with the trace of the same packet, and the table of what is expected as well,
//! which needs no privilege and covers IPVS.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use libtest_mimic::Trial;
use portgen::check;
use portgen::grammar::Port;
use portgen::output::node;
use portgen::plan::{Announce, Plan, PortPlan, Protocol, ServiceType};
use portgen::trace::{self, Destination, Origin, Pods, Question, Seen, Trace, Verdict};

use crate::cases::{CASES, Case};
use crate::data_plane::DataPlane;
use crate::faults::{FAULTS, Fault};
use crate::matrix::{Cell, DATA_PLANES};
use crate::net::{CLIENT, CLIENT2, FAMILIES, Family, LOAD_BALANCER, NODES};
use crate::probe::{PROBES, Probe};
use crate::scene::plan;
use crate::traffic::{Outcome, Source};

/// What a trace does not answer, and why: it walks one packet, the first of a connection, and knows the machines of a
/// spec. Everything else must agree.
const NOT_WALKED: [(Probe, &str); 13] = [
    (Probe::NoChecksum, "a walked datagram has a checksum"),
    (Probe::OtherService, "a Service that is no gateway's is not in the spec"),
    (Probe::SameSourcePort, "two connections"),
    (Probe::SmallPathDownload, "the size of packets is not walked"),
    (Probe::SmallPathUpload, "the size of packets is not walked"),
    (Probe::Fragments, "the size of packets is not walked"),
    (Probe::Fin, "the end of a connection"),
    (Probe::Rst, "the end of a connection"),
    (Probe::ConnectionsAtOnce, "many connections"),
    (Probe::NewConnections, "many connections"),
    (Probe::Replaced, "a connection that was open before"),
    (Probe::ReplacedUdp, "a connection that was open before"),
    (Probe::ServedAgain, "the connections that were refused before"),
];

/// Trials that send nothing.
pub fn trials() -> Vec<Trial> {
    let planes = DATA_PLANES.into_iter().chain([DataPlane::Ipvs]);
    let mut trials: Vec<Trial> = planes
        .flat_map(|data_plane| CASES.into_iter().map(move |case| (case, data_plane)))
        .map(|(case, data_plane)| {
            let title = format!("trace says what is expected: {} on {}", case.title, data_plane.name());
            Trial::test(title, move || Ok(expected(&case, data_plane)?))
        })
        .collect();
    trials.extend(
        FAULTS.iter().map(|fault| Trial::test(format!("trace sees it too: {}", fault.name), move || Ok(seen(fault)?))),
    );
    trials.push(Trial::test("every probe is walked, or is named with the reason", || Ok(complete()?)));
    trials
}

/// Whether a trace says of every packet what a client met.
pub fn agrees(case: &Case, data_plane: DataPlane, cell: &Cell) -> Result<(), String> {
    let plan = plan(&case.spec(data_plane));
    let walk = |question: &Question| trace::walk(&plan, question).expect("what is written reads back");
    let wrong: Vec<String> = match cell {
        Cell::Works(met) => met
            .iter()
            .flat_map(|(&family, met)| met.iter().map(move |(&probe, outcome)| (family, probe, outcome)))
            .filter_map(|(family, probe, outcome)| compare(&plan, family, probe, outcome, &walk))
            .collect(),
        Cell::Refused(_, probe, met) => {
            met.iter().filter_map(|(&family, outcome)| compare(&plan, family, *probe, outcome, &walk)).collect()
        }
    };
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

/// The same of what is expected.
fn expected(case: &Case, data_plane: DataPlane) -> Result<(), String> {
    let plan = plan(&case.spec(data_plane));
    let walk = |question: &Question| trace::walk(&plan, question).expect("what is written reads back");
    let attempt = check::refused(&check::inspect(&plan)).then(|| (case.refused)(data_plane)).flatten();
    let mut wrong = Vec::new();
    for family in FAMILIES {
        for probe in PROBES {
            let outcome = match &attempt {
                Some(attempt) => (attempt.probe == probe).then(|| attempt.meets.clone()),
                None => (case.expected)(probe, data_plane, family),
            };
            wrong.extend(outcome.and_then(|outcome| compare(&plan, family, probe, &outcome, &walk)));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

/// Faults in what a trace does not look at: it knows no checksums, counts nothing, loads no unit, and leaves nothing
/// behind that a next connection could meet.
const NOT_SEEN: [&str; 6] = [
    "a datagram without a checksum gets a wrong one",
    "a refusal comes from the node port",
    "an error's checksum is wrong by one",
    "connections are counted at the public port",
    "the rate is counted at the public port",
    "nothing jumps to the limits",
];

/// Whether a trace through a spoilt file says anything else than what is expected.
fn seen(fault: &Fault) -> Result<(), String> {
    let data_plane = DATA_PLANES[0];
    let case = CASES.iter().find(|case| case.title == fault.case).expect("the case");
    let plan = plan(&case.spec(data_plane));
    let (pool, node) = plan.nodes.first_key_value().expect("node files");
    let mut files = node::files(&plan, pool, node).expect("they read back");
    let path = format!("etc/{}", fault.file);
    let text = &mut files.iter_mut().find(|(known, _)| *known == path).expect("the file").1;
    *text = (fault.change)(text);
    let walk = |question: &Question| trace::walk_files(&plan, &files, question).expect("it can be read");
    let asked = FAMILIES.into_iter().flat_map(|family| PROBES.map(|probe| (family, probe)));
    let differs = asked.into_iter().any(|(family, probe)| {
        let expected = (case.expected)(probe, data_plane, family);
        expected.is_some_and(|expected| compare(&plan, family, probe, &expected, &walk).is_some())
    });
    match (differs, NOT_SEEN.contains(&fault.name)) {
        (true, false) | (false, true) => Ok(()),
        (true, true) => Err("it is seen, and named as something that is not".to_owned()),
        (false, false) => Err("no packet goes another way".to_owned()),
    }
}

fn complete() -> Result<(), String> {
    let plan = plan(&CASES[0].spec(DATA_PLANES[0]));
    for probe in PROBES {
        let named = NOT_WALKED.iter().any(|(known, _)| *known == probe);
        if named == questions(&plan, Family::V4, probe).is_some() {
            return Err(format!("{}: it is walked or named, one of the two", probe.title()));
        }
    }
    Ok(())
}

/// What a trace says, where it is not what was met.
fn compare(
    plan: &Plan,
    family: Family,
    probe: Probe,
    met: &Outcome,
    walk: &dyn Fn(&Question) -> Trace,
) -> Option<String> {
    let told: Vec<(Outcome, String)> =
        questions(plan, family, probe)?.iter().map(|question| told(plan, &walk(question))).collect();
    let outcome = Outcome::of_all(&told.iter().map(|(outcome, _)| outcome.clone()).collect::<Vec<_>>());
    (outcome != *met).then(|| {
        let ways: Vec<&str> = told.iter().map(|(_, way)| way.as_str()).collect();
        let title = probe.title();
        format!("{} {title}: a client meets {met}; trace says {outcome}\n{}", family.name(), ways.join("\n"))
    })
}

fn told(plan: &Plan, trace: &Trace) -> (Outcome, String) {
    let gateway = plan.gateways.values().next().expect("a gateway");
    let saw = |sees: Seen| {
        Outcome::Answer(match sees {
            Seen::Client => Source::Client,
            Seen::Node => Source::Node,
            Seen::Pod => Source::Pod,
            Seen::Loopback => Source::Loopback,
            Seen::Balancer | Seen::Asked => Source::Other,
        })
    };
    let outcome = match &trace.ending.verdict {
        Verdict::Arrives { gateway: who, port, sees, .. } => {
            // The port that was asked decides which of its listeners must answer; another machine is none of them.
            let asked = |own: &PortPlan| {
                let numbers = [gateway.public_port(own).get(), own.port.get() + 30_000, own.target_port.get()];
                own.protocol == trace.flow.protocol && numbers.contains(&trace.flow.port)
            };
            let listens = gateway.ports.values().any(|own| own.target_port.get() == *port && asked(own));
            let theirs = FAMILIES.iter().any(|family| trace.flow.destination == family.of(CLIENT2));
            if *who == gateway.name && listens && !theirs { saw(*sees) } else { Outcome::Elsewhere }
        }
        Verdict::Passes { sees } => saw(*sees),
        Verdict::Refused => Outcome::Refused,
        Verdict::Dropped => Outcome::Timeout,
        Verdict::Reset => Outcome::Reset,
    };
    (outcome, trace::text(trace))
}

/// The packets of a probe; `None` where a trace has no answer.
fn questions(plan: &Plan, family: Family, probe: Probe) -> Option<Vec<Question>> {
    let gateway = plan.gateways.values().next().expect("a gateway");
    let edge = |node: usize| {
        // Addresses that a Service names in its status are the nodes' own, and those of node IPAM.
        let needs = &gateway.needs;
        let of_nodes = gateway.strategy.announced().is_some_and(|(announced, _)| announced.how == Announce::Node);
        let announced = needs.service_type == ServiceType::LoadBalancer && needs.status_ips.is_empty() && !of_nodes;
        family.of(if announced { LOAD_BALANCER } else { NODES[node] })
    };
    let loopback: IpAddr = match family {
        Family::V4 => Ipv4Addr::LOCALHOST.into(),
        Family::V6 => Ipv6Addr::LOCALHOST.into(),
    };
    let question = |origin, client, pods, address, protocol, port| Question {
        origin,
        destination: Destination { pool: gateway.pools[0].clone(), address, port },
        protocol,
        source: (origin == Origin::Client).then(|| family.of(client)),
        pods,
        gateway: None,
    };
    let every = |origin, client, pods, address: IpAddr, number: &dyn Fn(&PortPlan) -> Port| {
        let one = |port: &PortPlan| question(origin, client, pods, address, port.protocol, number(port));
        Some(gateway.ports.values().map(one).collect())
    };
    let public = |port: &PortPlan| gateway.public_port(port);
    let behind = |port: &PortPlan, by: u16| Port::new(port.port.get() + by).expect("a port");
    let node_port = |port: &PortPlan| behind(port, 30_000);
    let listener = |protocol, number| {
        let asked = |port: &&PortPlan| (port.protocol, port.port.get()) == (protocol, number);
        let one = |port| question(Origin::Client, CLIENT, Pods::Here, edge(0), protocol, public(port));
        Some(gateway.ports.values().filter(asked).map(one).collect())
    };
    // A process on every node, or a pod on every node.
    let on_nodes = gateway.needs.host_network;
    let everywhere = on_nodes || gateway.needs.host_port;
    let client = Origin::Client;
    match probe {
        Probe::Http => listener(Protocol::TCP, 80),
        Probe::Https => listener(Protocol::TCP, 443),
        Probe::Http3 => listener(Protocol::UDP, 443),
        Probe::OtherNode => {
            let pods = if everywhere { Pods::Here } else { Pods::Elsewhere };
            every(client, CLIENT, pods, edge(1), &public)
        }
        Probe::SecondClient => every(client, CLIENT2, Pods::Here, edge(0), &public),
        Probe::FromNode => every(Origin::OtherNode, CLIENT, Pods::Here, edge(0), &public),
        Probe::FromPod => every(Origin::OtherPod, CLIENT, Pods::Here, edge(0), &public),
        Probe::FromOwnPod => {
            let origin = if on_nodes { Origin::Pod } else { Origin::GatewayPod };
            every(origin, CLIENT, Pods::Here, edge(0), &public)
        }
        Probe::OwnAddress => every(Origin::Node, CLIENT, Pods::Here, edge(0), &public),
        Probe::Loopback => every(Origin::Node, CLIENT, Pods::Here, loopback, &public),
        Probe::PassingThrough => {
            let origin = if on_nodes { Origin::Pod } else { Origin::GatewayPod };
            let port = Port::new(80).expect("a port");
            Some(vec![question(origin, CLIENT, Pods::Here, family.of(CLIENT2), Protocol::TCP, port)])
        }
        Probe::NodePort => every(client, CLIENT, Pods::Here, family.of(NODES[0]), &node_port),
        Probe::OwnNodePort => every(Origin::Node, CLIENT, Pods::Here, family.of(NODES[0]), &node_port),
        Probe::NodePortSecondClient => every(client, CLIENT2, Pods::Here, family.of(NODES[0]), &node_port),
        Probe::ListenerSecondClient => {
            every(client, CLIENT2, Pods::Here, family.of(NODES[0]), &|port| behind(port, 9_000))
        }
        Probe::NoEndpoint => every(client, CLIENT, Pods::Nowhere, edge(0), &public),
        Probe::NodePortNoEndpoint => every(client, CLIENT, Pods::Nowhere, family.of(NODES[0]), &node_port),
        Probe::Unserved => every(client, CLIENT, Pods::NoService, edge(0), &public),
        Probe::ServedAgain
        | Probe::NoChecksum
        | Probe::OtherService
        | Probe::SameSourcePort
        | Probe::SmallPathDownload
        | Probe::SmallPathUpload
        | Probe::Fragments
        | Probe::Fin
        | Probe::Rst
        | Probe::ConnectionsAtOnce
        | Probe::NewConnections
        | Probe::Replaced
        | Probe::ReplacedUdp => None,
    }
}
