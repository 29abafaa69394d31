//! MetalLB's configuration up to 0.12: a ConfigMap with a text of YAML in it, recognised and read for a conversion.

mod read;

use crate::finding::{Finding, Place, Route};
use crate::grammar::{Address, AddressRange, Community, DnsLabel, GoDuration, LabelKey, LabelValue, ObjectName};
use crate::source::{FileId, Files, Node, Source, Value, compose};

use super::rules;
use super::spec::{Asn, Bfd, BgpPort, Id, PrefixV4, PrefixV6};

/// The keys of the text; one of them tells that a ConfigMap is MetalLB's.
const KEYS: [&str; 4] = ["address-pools", "peers", "bgp-communities", "bfd-profiles"];

/// What a ConfigMap says.
#[derive(Debug)]
pub struct ConfigMap {
    /// Where it lies, and MetalLB with it.
    pub namespace: DnsLabel,
    /// Where addresses come from, with how they are announced.
    pub pools: Vec<Pool>,
    /// The routers.
    pub peers: Vec<Peer>,
    /// Names for communities.
    pub communities: Vec<(DnsLabel, Community)>,
    /// How dead routers are found, by name.
    pub bfd_profiles: Vec<(ObjectName, Bfd)>,
}

/// A pool of addresses.
#[derive(Debug)]
pub struct Pool {
    /// Its name.
    pub name: ObjectName,
    /// Its addresses.
    pub addresses: Vec<AddressRange>,
    /// Whether any Service may have one.
    pub auto_assign: Option<bool>,
    /// Whether those that end in 0 and 255 stay unused.
    pub avoid_buggy_ips: Option<bool>,
    /// How they are announced by BGP; `None` for layer 2.
    pub bgp: Option<Vec<Advertisement>>,
}

/// An announcement by BGP.
#[derive(Debug, Default)]
pub struct Advertisement {
    /// The prefix length of IPv4 announcements.
    pub aggregation_length: Option<PrefixV4>,
    /// The prefix length of IPv6 announcements.
    pub aggregation_length_v6: Option<PrefixV6>,
    /// LOCAL_PREF.
    pub local_pref: Option<Id>,
    /// Communities, by value or by one of the names.
    pub communities: Vec<String>,
}

/// A router.
#[derive(Debug)]
pub struct Peer {
    /// The nodes' autonomous system number.
    pub my_asn: Asn,
    /// Its own.
    pub asn: Asn,
    /// Its address.
    pub address: Address,
    /// The address the nodes use.
    pub source_address: Option<Address>,
    /// Its port.
    pub port: Option<BgpPort>,
    /// How long a silent session lives.
    pub hold_time: Option<GoDuration>,
    /// How often it is kept alive.
    pub keepalive_time: Option<GoDuration>,
    /// What the nodes call themselves.
    pub router_id: Option<Address>,
    /// Whether the session has a password, which stays where it is.
    pub has_password: bool,
    /// How its death is found.
    pub bfd_profile: Option<ObjectName>,
    /// Whether it is more than one hop away.
    pub ebgp_multi_hop: bool,
    /// The nodes that hold the session; all when empty.
    pub node_selectors: Vec<NodeSelector>,
}

/// Which nodes.
#[derive(Debug)]
pub struct NodeSelector {
    /// Labels they have.
    pub labels: Vec<(LabelKey, LabelValue)>,
    /// What else is true of their labels.
    pub expressions: Vec<Expression>,
}

/// Something that is true of a label.
#[derive(Debug)]
pub struct Expression {
    /// The label.
    pub key: LabelKey,
    /// `In`, `NotIn`, `Exists` or `DoesNotExist`.
    pub operator: &'static str,
    /// The values that `In` and `NotIn` compare with.
    pub values: Vec<LabelValue>,
}

/// A file that was read as a ConfigMap.
#[derive(Debug)]
pub struct Reading {
    /// The texts that findings point into.
    pub files: Files,
    /// The tree their routes lead through.
    pub root: Option<Node>,
    /// What it says; `None` when it is no ConfigMap of MetalLB, or faulty.
    pub config: Option<ConfigMap>,
    /// What cannot be converted.
    pub findings: Vec<Finding>,
}

/// Reads a ConfigMap; without one there is nothing, not even a finding.
#[must_use]
pub fn read(source: Source) -> Reading {
    let mut files = Files::default();
    let path = source.path.clone();
    let id = files.add(source);
    let outer = match compose(&files.get(id).text, id) {
        Ok(outer) => outer,
        Err(faults) => {
            let findings = faults.into_iter().map(super::text_finding).collect();
            return Reading { files, root: None, config: None, findings };
        }
    };
    let Some(text) = text_of(&outer) else {
        return Reading { files, root: Some(outer), config: None, findings: Vec::new() };
    };
    // Places are those of the file where its lines are the text's; else they count from the start of the text.
    let place = lines_of(&files.get(id).text, text);
    let name = if place.is_some() { path } else { format!("{path} (data.config)") };
    let text = place.unwrap_or_else(|| text.to_owned());
    let mut files = Files::default();
    let id = files.add(Source { path: name, text });
    let mut findings = Vec::new();
    let inner = match compose(&files.get(id).text, id) {
        Ok(inner) => inner,
        Err(faults) => {
            findings.extend(faults.into_iter().map(super::text_finding));
            return Reading { files, root: None, config: None, findings };
        }
    };
    let namespace = outer.get("metadata").and_then(|metadata| match &metadata.get("namespace")?.value {
        Value::Str(name) => name.parse().ok(),
        _ => None,
    });
    let config = namespace
        .or_else(|| "metallb-system".parse().ok())
        .and_then(|namespace| read::config(&inner, namespace, &mut findings))
        .filter(|_| findings.is_empty());
    Reading { files, root: Some(inner), config, findings }
}

/// The lines of a file that are the lines of a text, indented, with nothing before them: their numbers and columns are
/// the file's. `None` where the text is no block of its own, or means something else when it is indented.
fn lines_of(file: &str, text: &str) -> Option<String> {
    let lines: Vec<&str> = file.split_inclusive('\n').collect();
    let wanted: Vec<&str> = text.lines().collect();
    let first = wanted.iter().find(|line| !line.is_empty())?;
    let block = lines.windows(wanted.len()).position(|block| {
        let indents = block
            .iter()
            .zip(&wanted)
            .find(|(_, line)| *line == first)
            .map(|(line, _)| line.len() - line.trim_start().len());
        let Some(indent) = indents.filter(|indent| *indent > 0) else { return false };
        block.iter().zip(&wanted).all(|(line, wanted)| {
            let line = line.trim_end_matches(['\r', '\n']);
            line.get(indent..).map_or(wanted.is_empty(), |rest| rest == *wanted && line[..indent].trim().is_empty())
        })
    })?;
    let before = lines[..block].iter().map(|_| "\n");
    let padded: String = before.chain(lines[block..block + wanted.len()].iter().copied()).collect();
    let json = |text: &str| compose(text, FileId(0)).map(|node| node.to_json());
    match (json(&padded), json(text)) {
        (Ok(one), Ok(other)) => (one == other).then_some(padded),
        (Err(one), Err(other)) => (one.len() == other.len()).then_some(padded),
        _ => None,
    }
}

/// What there is to say of a ConfigMap that was given as a spec.
pub fn recognised(root: &Node) -> Option<Finding> {
    let text = text_of(root)?;
    let inner = compose(text, FileId(0)).ok()?;
    KEYS.iter().any(|key| inner.get(key).is_some()).then(|| {
        Finding::new(
            &rules::METALLB_CONFIG_MAP,
            Place::Value(Route::of(["kind"])),
            "this is the ConfigMap of MetalLB up to 0.12, which MetalLB from 0.13 on ignores without a word",
            "`portgen convert FILE` turns it into objects that MetalLB reads; a spec of portgen starts with `portgen init`",
        )
    })
}

/// The text in a ConfigMap.
fn text_of(root: &Node) -> Option<&str> {
    let Value::Str(kind) = &root.get("kind")?.value else { return None };
    match &root.get("data")?.get("config")?.value {
        Value::Str(text) if kind == "ConfigMap" => Some(text),
        _ => None,
    }
}
