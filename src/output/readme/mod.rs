//! The README of a tree: what is exposed and how, told to whoever has to apply and operate it.

mod gateway;
pub mod places;
pub mod steps;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Fault, node, templates};
use crate::finding::{Finding, Place};
use crate::grammar::DnsLabel;
use crate::plan::{Gateway, Plan, protocol_word};
use crate::report::{cell, plain_cell};

/// The files of each pool's nodes.
pub type NodeFiles<'a> = BTreeMap<&'a DnsLabel, Vec<node::NodeFile>>;

const TEMPLATE: &str = include_str!("../../../templates/README.md.j2");

/// The text of the README.
pub fn text(plan: &Plan, findings: &[Finding], files: &NodeFiles<'_>) -> Result<String, Fault> {
    let context = json!({
        "name": plan.name,
        "version": env!("CARGO_PKG_VERSION"),
        "kubernetes": plan.cluster.version,
        "dataPlane": plan.cluster.data_plane.to_string(),
        "families": plan.cluster.families.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and "),
        "gateways": plan.gateways.values().map(|gateway| gateway::context(plan, gateway)).collect::<Vec<_>>(),
        "own": gateway::own(plan),
        "ports": plan.gateways.values().flat_map(ports).collect::<Vec<_>>(),
        "findings": findings.iter().map(finding_line).collect::<Vec<_>>(),
        "apply": steps::apply(plan, files),
        "verify": steps::verify(plan),
        "remove": steps::remove(plan),
    });
    templates::render("README.md.j2", TEMPLATE, context)
        .map_err(|error| Fault { path: "README.md".to_owned(), reason: error.to_string() })
}

fn step(title: impl Into<String>, commands: impl IntoIterator<Item = String>) -> Value {
    json!({"title": title.into(), "commands": commands.into_iter().collect::<Vec<_>>(), "notes": []})
}

fn finding_line(finding: &Finding) -> String {
    let place = match &finding.place {
        Place::Value(route) | Place::Key(route) => format!(" at `{route}`"),
        Place::Bytes(_) => String::new(),
    };
    let weight = if finding.accepted.is_some() { "accepted" } else { finding.severity().as_str() };
    let rest = match &finding.accepted {
        Some(reason) => format!("accepted because: {}", plain_cell(reason)),
        None => cell(&finding.help),
    };
    format!("{weight} `{}`{place}: {}; {rest}", finding.rule.name, cell(&finding.message))
}

fn comma<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}

fn ports(gateway: &Gateway) -> impl Iterator<Item = Value> + '_ {
    gateway.ports.iter().map(|(name, port)| {
        json!({
            "gateway": gateway.name,
            "name": name,
            "protocol": protocol_word(port.protocol),
            "port": gateway.public_port(port),
            "nodePort": port.node_port.map_or("–".to_owned(), |port| port.to_string()),
            "target": port.target_port,
        })
    })
}
