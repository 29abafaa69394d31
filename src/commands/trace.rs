//! `portgen trace`: one packet through the rendered rules and the data plane.

use serde_json::json;

use super::{Failure, Streams, load};
use crate::cli::{self, Specs, TraceFamily, TraceFormat, TraceFrom, TracePods, TraceProtocol};
use crate::finding::{Finding, Severity, listed, nearest, shown};
use crate::grammar::{DnsLabel, Family};
use crate::plan::{Plan, Protocol};
use crate::report::{self, Format};
use crate::trace::{self, Origin, Pods, Question};

/// The version of the JSON object.
const VERSION: u8 = 1;

pub fn run(arguments: &cli::Trace, streams: &mut Streams<'_>) -> Result<u8, Failure> {
    let specs = Specs { specs: vec![arguments.spec.clone()], charts: arguments.charts.clone() };
    let loaded = load::load(&specs)?;
    let [spec] = loaded.as_slice() else {
        return Err(Failure::Usage(format!("there are {} specs there; name one of them", loaded.len())));
    };
    let Some(plan) = spec.plan.as_ref().filter(|_| !spec.lost_parts) else {
        report::write(streams.out, Format::Text, &[spec.report()], streams.styled)?;
        return Err(Failure::Usage("the spec cannot be read whole; mend the errors first".to_owned()));
    };
    let trace = trace::walk(plan, &question(arguments, plan)?)?;
    let refused: Vec<&Finding> = spec.findings.iter().filter(|finding| finding.severity() == Severity::Error).collect();
    match arguments.format {
        TraceFormat::Json => {
            let mut document = json!({"version": VERSION, "portgen": env!("CARGO_PKG_VERSION"), "cluster": plan.name});
            let findings: Vec<_> =
                refused.iter().map(|one| json!({"rule": one.rule.name, "message": one.message})).collect();
            document["refused"] = findings.into();
            if let (Some(object), serde_json::Value::Object(fields)) = (document.as_object_mut(), trace::json(&trace)) {
                object.extend(fields);
            }
            serde_json::to_writer_pretty(&mut *streams.out, &document).map_err(std::io::Error::from)?;
            writeln!(streams.out)?;
        }
        TraceFormat::Text if arguments.mermaid => {
            for finding in refused {
                writeln!(streams.out, "%% portgen refuses this spec: {}", finding.rule.name)?;
            }
            streams.out.write_all(trace::mermaid(&trace).as_bytes())?;
        }
        TraceFormat::Text => {
            for finding in refused {
                writeln!(streams.out, "portgen refuses this spec: error[{}]: {}", finding.rule.name, finding.message)?;
            }
            streams.out.write_all(trace::text(&trace).as_bytes())?;
        }
    }
    Ok(u8::from(!trace.arrived()))
}

fn question(arguments: &cli::Trace, plan: &Plan) -> Result<Question, Failure> {
    let gateway = arguments.gateway.as_deref().map(|name| gateway(plan, name)).transpose()?;
    let family = arguments
        .family
        .map(|family| match family {
            TraceFamily::Ipv4 => Family::IPv4,
            TraceFamily::Ipv6 => Family::IPv6,
        })
        .or_else(|| arguments.source.map(Family::of));
    let destination = trace::destination(plan, &arguments.to, family, gateway.as_ref())
        .map_err(|unknown| Failure::Usage(unknown.to_string()))?;
    let loopback = destination.address.is_loopback();
    let origin = match arguments.from {
        None if loopback => Origin::Node,
        None | Some(TraceFrom::Client) => Origin::Client,
        Some(TraceFrom::Node) => Origin::Node,
        Some(TraceFrom::OtherNode) => Origin::OtherNode,
        Some(TraceFrom::Pod) => Origin::Pod,
        Some(TraceFrom::OtherPod) => Origin::OtherPod,
        Some(TraceFrom::GatewayPod) => Origin::GatewayPod,
    };
    if loopback && origin != Origin::Node {
        return Err(Failure::Usage("the loopback of a node is reached from the node alone: `--from node`".to_owned()));
    }
    if arguments.source.is_some() && origin != Origin::Client {
        return Err(Failure::Usage("`--source` is a client's address; leave it out, or `--from`".to_owned()));
    }
    if arguments.source.is_some_and(|source| Family::of(source) != destination.family()) {
        return Err(Failure::Usage("`--source` and `--to` are of two IP families".to_owned()));
    }
    Ok(Question {
        origin,
        destination,
        protocol: match arguments.protocol {
            TraceProtocol::Tcp => Protocol::TCP,
            TraceProtocol::Udp => Protocol::UDP,
        },
        source: arguments.source,
        pods: match arguments.pod {
            TracePods::Here => Pods::Here,
            TracePods::Elsewhere => Pods::Elsewhere,
            TracePods::None => Pods::Nowhere,
            TracePods::NoService => Pods::NoService,
        },
        gateway,
    })
}

fn gateway(plan: &Plan, name: &str) -> Result<DnsLabel, Failure> {
    if let Some(known) = plan.gateways.keys().find(|known| known.as_str() == name) {
        return Ok(known.clone());
    }
    let names = || plan.gateways.keys().map(DnsLabel::as_str);
    let hint = match nearest(name, names()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there are {}", listed(names())),
    };
    Err(Failure::Usage(format!("there is no gateway called `{}`; {hint}", shown(name))))
}
