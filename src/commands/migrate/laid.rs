//! The spec with another exposure: laid over the one there is, without the acceptances that then take nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::check;
use crate::commands::load::{Base, Loaded};
use crate::finding::{Place, Step};
use crate::grammar::DnsLabel;
use crate::source::Node;

/// A spec with another exposure.
pub struct Laid {
    pub loaded: Loaded,
    /// Rules that gateways accept today and that find nothing any longer, by gateway.
    pub unused: BTreeMap<String, Vec<String>>,
}

/// Lays an exposure over a spec that has no unused acceptances itself; reports call what is laid by this name.
pub fn lay(base: &Base, old: &Loaded, gateway: &DnsLabel, name: &str, exposure: &[String]) -> Laid {
    let first = base.under(name, &over(gateway, exposure, &BTreeMap::new()));
    let positions = unused(&first);
    if positions.is_empty() {
        return Laid { loaded: first, unused: BTreeMap::new() };
    }
    let (mut left, mut unused) = (BTreeMap::new(), BTreeMap::new());
    for (gateway, positions) in positions {
        let written = old.written(&["gateways", &gateway, "accept"]).map(Node::to_json);
        let entries = written.as_ref().and_then(Value::as_array).cloned().unwrap_or_default();
        let (gone, stays): (Vec<_>, Vec<_>) = entries.into_iter().enumerate().partition(|it| positions.contains(&it.0));
        let rules = gone.iter().filter_map(|(_, entry)| entry["rule"].as_str().map(str::to_owned));
        unused.insert(gateway.clone(), rules.collect());
        left.insert(gateway, stays.into_iter().map(|(_, entry)| entry).collect::<Vec<_>>());
    }
    Laid { loaded: base.under(name, &over(gateway, exposure, &left)), unused }
}

/// The text that is laid over: JSON, which is YAML on one line, where it is not the user's own.
fn over(gateway: &DnsLabel, exposure: &[String], accepts: &BTreeMap<String, Vec<Value>>) -> String {
    let accept = |name: &str| match accepts.get(name) {
        None => String::new(),
        Some(left) if left.is_empty() => "    accept: null\n".to_owned(),
        Some(left) => format!("    accept: {}\n", json!(left)),
    };
    let fields: Vec<String> = exposure.iter().map(|line| format!("      {line}\n")).collect();
    let own = format!("  \"{gateway}\":\n    exposure:\n{}{}", fields.concat(), accept(gateway.as_str()));
    let others = accepts.keys().filter(|name| name.as_str() != gateway.as_str());
    let others: Vec<String> = others.map(|name| format!("  {}:\n{}", json!(name), accept(name))).collect();
    format!("gateways:\n{own}{}", others.concat())
}

/// Acceptances that take nothing: their gateways and their positions.
fn unused(spec: &Loaded) -> BTreeMap<String, BTreeSet<usize>> {
    let mut unused: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    for finding in spec.findings.iter().filter(|finding| finding.rule.name == check::UNUSED_ACCEPT.name) {
        let Place::Value(route) = &finding.place else { continue };
        if let [_, Step::Key(gateway), _, Step::Index(position), ..] = route.steps() {
            unused.entry(gateway.clone()).or_default().insert(*position);
        }
    }
    unused
}
