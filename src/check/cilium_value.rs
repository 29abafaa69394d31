//! Helm values for Cilium that its version does not read, or that undo what the spec decides.

use serde_json::{Map, Value};

use super::ignored_value::covers;
use super::node_port_addresses::{comes_by_node_port, outside};
use super::value_fights_strategy::leaves_below;
use crate::finding::{Finding, Place, Route, Rule, Severity, shown};
use crate::grammar::{Cidr, Family};
use crate::plan::cilium::{Fault, Stranger, fault, needed, stranger};
use crate::plan::{Announce, Plan, Strategy};

pub static RULE: Rule = Rule {
    name: "cilium-value",
    severity: Severity::Error,
    acceptable: true,
    page: include_str!("cilium_value.md"),
};

/// What the spec decides, and the field that does.
const OWNED: &[(&str, &str)] = &[
    ("bgpControlPlane.enabled", "use `announce` of a gateway"),
    ("gatewayAPI.hostNetwork", "use `cluster.serviceProxy.gateway`"),
    ("ingressController.hostNetwork", "use `cluster.serviceProxy.gateway`"),
    ("kubeProxyReplacement", "use `cluster.serviceProxy.kubeProxyReplacement`"),
    ("l2announcements.enabled", "use `announce` of a gateway"),
    ("nodeIPAM.enabled", "use `announce` of a gateway"),
    ("nodePort.range", "use `cluster.nodePortRange`"),
];

/// Whether a plan needs something.
type Needed = fn(&Plan) -> bool;

/// What has to be on, which plans need it, and what is gone without it.
const ON: &[(&str, Needed, &str)] = &[
    ("enableLBIPAM", hands_out, "Cilium then hands out none of the addresses of `ciliumLoadBalancer`"),
    ("ipv4.enabled", |plan| plan.cluster.families.contains(&Family::IPv4), "`ipFamilies` names IPv4"),
    ("ipv6.enabled", |plan| plan.cluster.families.contains(&Family::IPv6), "`ipFamilies` names IPv6"),
    ("l7Proxy", |plan| plan.cluster.own_gateway.is_some(), "Cilium's own gateway is its layer 7 proxy"),
];

/// Whether Cilium chooses an address for a gateway.
fn hands_out(plan: &Plan) -> bool {
    plan.gateways.values().any(|gateway| match &gateway.strategy {
        Strategy::CiliumLoadBalancer { announced, .. } => announced.how != Announce::Node,
        _ => false,
    })
}

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    let Some(version) = plan.cluster.data_plane.cilium() else { return };
    let values = Route::of(["cluster", "serviceProxy", "values"]);
    let mut said: Vec<Route> = Vec::new();
    for (path, route) in leaves_below(&values, &plan.cluster.cilium_values) {
        let name = shown(&path);
        let (message, help) = if let Some((fault, instead)) = fault(&path, version) {
            let message = match fault {
                Fault::NotYet(since) => format!("Cilium {version} does not read `{name}`: it came with 1.{since}"),
                Fault::Ignored(until) => format!("Cilium {version} ignores `{name}`: it went with 1.{until}"),
                Fault::Rejected => format!("the chart of Cilium {version} refuses to render with `{name}`"),
            };
            (message, instead.to_owned())
        } else if let Some((_, field)) = OWNED.iter().find(|(owned, _)| covers(owned, &path) || covers(&path, owned))
            && !agrees(plan, &path)
        {
            (format!("`{name}` in `values` undoes what the spec decides"), (*field).to_owned())
        } else if let Some(stranger) = stranger(&path, version) {
            let help = match stranger {
                Stranger::Near(known) => format!("did you mean `{known}`?"),
                Stranger::Unknown => "take it out; `helm show values` lists what the chart reads".to_owned(),
            };
            (format!("the chart of Cilium {version} ignores `{name}`"), help)
        } else {
            continue;
        };
        findings.push(Finding::new(&RULE, Place::Key(route.clone()), message, help));
        said.push(route);
    }
    let mut undone = Vec::new();
    if let Some(Value::Object(needed)) = needed(plan) {
        undo(&needed, &plan.cluster.cilium_values, &values, "", &mut undone);
    }
    undone.extend(switched_off(plan, &values));
    undone.extend(unserved(plan, &values));
    for (route, message) in undone.into_iter().filter(|(route, _)| !said.contains(route)) {
        findings.push(Finding::new(&RULE, Place::Key(route), message, "take it out, or change what the spec asks for"));
    }
}

/// Whether a value says what the plan needs.
fn agrees(plan: &Plan, path: &str) -> bool {
    let pointer = format!("/{}", path.replace('.', "/"));
    let given = Value::Object(plan.cluster.cilium_values.clone());
    given.pointer(&pointer).is_some_and(|given| needed(plan).is_some_and(|all| all.pointer(&pointer) == Some(given)))
}

/// The values that replace one that the plan needs.
fn undo(needed: &Map<String, Value>, given: &Map<String, Value>, route: &Route, above: &str, undone: &mut Vec<(Route, String)>) {
    for (key, given) in given {
        let Some(needed) = needed.get(key) else { continue };
        let path = if above.is_empty() { key.clone() } else { format!("{above}.{key}") };
        let route = route.key(key);
        match (needed, given) {
            (Value::Object(needed), Value::Object(given)) => undo(needed, given, &route, &path, undone),
            _ if serves(needed, given, &path) => {}
            _ => undone.push((route, format!("`{}` in `values` undoes what the spec needs: `{needed}`", shown(&path)))),
        }
    }
}

/// Whether a value does what a needed one is there for.
fn serves(needed: &Value, given: &Value, path: &str) -> bool {
    match (needed, given) {
        (Value::Array(needed), Value::Array(given)) => needed.iter().all(|item| given.contains(item)),
        // Helm's templates print both alike.
        (Value::Bool(true), Value::String(given)) => given == "true",
        // More than the leases take is no harm.
        (Value::Number(needed), Value::Number(given)) if covers("k8sClientRateLimit", path) => {
            given.as_u64() >= needed.as_u64()
        }
        _ => needed == given,
    }
}

/// What is on by itself, is needed, and was switched off.
fn switched_off(plan: &Plan, values: &Route) -> Vec<(Route, String)> {
    let off = |(path, needs, why): &(&str, Needed, &str)| {
        let (route, value) = at(plan, values, path)?;
        let off = value.as_bool() == Some(false) || value.as_str() == Some("false");
        (off && needs(plan)).then(|| (route, format!("`{path}` is off in `values`: {why}")))
    };
    ON.iter().filter_map(off).collect()
}

/// Networks for node ports in which a gateway's nodes have no address.
fn unserved(plan: &Plan, values: &Route) -> Option<(Route, String)> {
    let (route, value) = at(plan, values, "nodePort.addresses")?;
    let words: Vec<&str> = match value {
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        value => value.as_str()?.split([',', ' ']).collect(),
    };
    let networks: Vec<Cidr> = words.iter().filter_map(|word| word.trim().parse().ok()).collect();
    plan.gateways
        .values()
        .filter(|gateway| comes_by_node_port(gateway) || gateway.needs.host_port)
        .find_map(|gateway| Some((gateway, outside(plan, gateway, &networks)?)))
        .map(|(gateway, address)| {
            let name = &gateway.name;
            (route, format!("{address}, the address of a node of `{name}`, lies in none of the networks of `nodePort.addresses`: its ports are refused there"))
        })
}

/// The value at a dotted path, and where it was written.
fn at<'a>(plan: &'a Plan, values: &Route, path: &str) -> Option<(Route, &'a Value)> {
    let mut keys = path.split('.');
    let first = keys.next()?;
    let start = (values.key(first), plan.cluster.cilium_values.get(first)?);
    keys.try_fold(start, |(route, value), key| Some((route.key(key), value.get(key)?)))
}
