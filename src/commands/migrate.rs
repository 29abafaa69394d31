//! `portgen migrate`: the way from one strategy to another, told or written step by step.

mod told;

use serde_json::Value;

use super::{Failure, Streams, load};
use crate::cli::{self, MigrateFormat};
use crate::disk::{self, WriteOptions};
use crate::finding::{nearest, shown};
use crate::grammar::DnsLabel;
use crate::input;
use crate::migrate::{self, Refusal};
use crate::plan::{self, Plan};
use crate::report::{self, Format};
use crate::source::{Node, Value as Yaml};

/// Fields that mean the same in every strategy that has them.
const COMMON: [&str; 4] = ["allowFrom", "limits", "externalTrafficPolicy", "sessionAffinity"];

pub fn run(arguments: &cli::Migrate, streams: &mut Streams<'_>) -> Result<u8, Failure> {
    let fields = Fields::of(&arguments.to)?;
    let base = load::Base::open(&arguments.spec, arguments.charts.as_deref())?;
    let old = base.alone();
    let Some(committed) = whole(&old, arguments, streams)? else { return Ok(1) };
    let gateway = gateway(committed, arguments.gateway.as_deref())?;
    let exposure = fields.exposure(&old, &gateway, &arguments.set)?;
    let over = |lines: &[String]| {
        let fields: Vec<String> = lines.iter().map(|line| format!("      {line}\n")).collect();
        format!("gateways:\n  \"{gateway}\":\n    exposure:\n{}", fields.concat())
    };
    let new = base.under("--to and --set", &over(&exposure));
    let Some(wanted) = whole(&new, arguments, streams)? else { return Ok(1) };
    // Across a Service at the nodes' own ports, where this cluster can have one.
    let mut bare = dropped(&old, &gateway, |_| false);
    bare.push("strategy: nodePortRedirect".to_owned());
    let across = base.under("the bridge", &over(&bare));
    let bridge = across.plan.as_ref().filter(|_| !across.refused());
    let migration = match migrate::migrate(committed, wanted, bridge, &gateway) {
        Ok(migration) => migration,
        Err(Refusal::Fault(fault)) => return Err(fault.into()),
        Err(Refusal::Nothing) => {
            writeln!(streams.err, "{gateway} is exposed so already: nothing would change")?;
            return Ok(0);
        }
        Err(Refusal::Shared(renamed)) => {
            let renamed: Vec<String> = renamed.iter().map(|[old, new]| format!("`{old}` as `{new}`")).collect();
            writeln!(
                streams.err,
                "MetalLB would get {}, and refuses that beside what it has: first migrate the gateways that share an address or a router with {gateway}",
                renamed.join(", ")
            )?;
            return Ok(1);
        }
        Err(Refusal::Between(what, findings)) => {
            let report = report::Report { findings: &findings, ..new.report() };
            report::write(streams.out, reported(arguments), &[report], streams.styled)?;
            writeln!(streams.err, "no step leads there: \"{what}\" is refused")?;
            return Ok(1);
        }
    };
    let Some(step) = arguments.step else {
        let written = new.written(&["gateways", gateway.as_str(), "exposure"]).map_or(Value::Null, Node::to_json);
        let told = told::Told { migration: &migration, arguments, exposure: written };
        match arguments.format {
            MigrateFormat::Text => told.text(streams)?,
            MigrateFormat::Markdown => told.markdown(streams.out)?,
            MigrateFormat::Json => told.json(streams.out)?,
        }
        return Ok(0);
    };
    let tree = match step.checked_sub(1) {
        None => Some(&migration.start),
        Some(before) => migration.steps.get(before).map(|step| &step.tree),
    };
    let Some(tree) = tree else {
        let last = migration.steps.len();
        return Err(Failure::Usage(format!("there is no step {step}: the last one is {last}")));
    };
    let version = env!("CARGO_PKG_VERSION");
    let report = disk::write_tree(&arguments.output, tree, version, WriteOptions { force: false })?;
    writeln!(streams.err, "{}: the tree of step {step}", report.plan.target)?;
    Ok(0)
}

/// The plan of a spec that can be rendered; otherwise what keeps it from that is reported.
fn whole<'a>(
    spec: &'a load::Loaded,
    arguments: &cli::Migrate,
    streams: &mut Streams<'_>,
) -> Result<Option<&'a Plan>, Failure> {
    let plan = spec.plan.as_ref().filter(|_| !spec.refused());
    if plan.is_none() {
        report::write(streams.out, reported(arguments), &[spec.report()], streams.styled)?;
    }
    Ok(plan)
}

fn reported(arguments: &cli::Migrate) -> Format {
    match arguments.format {
        MigrateFormat::Text => Format::Text,
        MigrateFormat::Markdown => Format::Markdown,
        MigrateFormat::Json => Format::Json,
    }
}

fn gateway(plan: &Plan, wanted: Option<&str>) -> Result<DnsLabel, Failure> {
    let names: Vec<&str> = plan.gateways.keys().map(DnsLabel::as_str).collect();
    let found = match wanted {
        Some(wanted) => plan.gateways.keys().find(|name| name.as_str() == wanted),
        None if names.len() == 1 => plan.gateways.keys().next(),
        None => None,
    };
    found.cloned().ok_or_else(|| {
        let known = names.join("`, `");
        Failure::Usage(match wanted {
            Some(wanted) => format!("there is no gateway `{}`; the spec has `{known}`", shown(wanted)),
            None => format!("the spec has several gateways; name one with --gateway: `{known}`"),
        })
    })
}

/// The fields of a strategy.
struct Fields {
    strategy: &'static str,
    known: Vec<String>,
    required: Vec<String>,
}

impl Fields {
    /// As the schema has them.
    fn of(strategy: &str) -> Result<Self, Failure> {
        let names = || plan::STRATEGY_PAGES.iter().map(|(name, _)| *name);
        let Some(strategy) = names().find(|name| *name == strategy) else {
            let hint = nearest(strategy, names())
                .map_or_else(|| names().collect::<Vec<_>>().join(", "), |near| format!("did you mean `{near}`?"));
            return Err(Failure::Usage(format!("there is no strategy `{}`; {hint}", shown(strategy))));
        };
        let schema = input::schema();
        let of = |variant: &&Value| variant["properties"]["strategy"]["const"] == strategy;
        let variant = schema["definitions"]["Exposure"]["oneOf"].as_array().and_then(|all| all.iter().find(of));
        let known = variant.and_then(|variant| variant["properties"].as_object());
        let required = variant.and_then(|variant| variant["required"].as_array());
        Ok(Self {
            strategy,
            known: known.into_iter().flat_map(|fields| fields.keys().cloned()).collect(),
            required: required.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect(),
        })
    }

    /// The lines of the new exposure, to be laid over the old one.
    fn exposure(&self, old: &load::Loaded, gateway: &DnsLabel, set: &[String]) -> Result<Vec<String>, Failure> {
        let set = set.iter().map(|text| assignment(text)).collect::<Result<Vec<_>, _>>()?;
        let written = |field: &str| old.written(&["gateways", gateway.as_str(), "exposure", field]);
        let same = written("strategy").is_some_and(|node| node.value == Yaml::Str(self.strategy.to_owned()));
        let keeps = |field: &str| {
            self.known.iter().any(|known| known == field)
                && (same || COMMON.contains(&field))
                && written(field).is_some()
        };
        let sets = |field: &str| set.iter().any(|(name, _)| *name == field);
        let missing: Vec<String> = self
            .required
            .iter()
            .filter(|field| *field != "strategy" && !sets(field) && !keeps(field))
            .map(|field| format!("--set '{field}={}'", example(field)))
            .collect();
        if !missing.is_empty() {
            return Err(Failure::Usage(format!("`{}` needs more: add {}", self.strategy, missing.join(" "))));
        }
        let mut lines = dropped(old, gateway, |field| keeps(field) || sets(field));
        lines.push(format!("strategy: {}", self.strategy));
        lines.extend(set.iter().map(|(field, value)| format!("{field}: {value}")));
        Ok(lines)
    }
}

/// Lines that take every field of the old exposure away but these.
fn dropped(old: &load::Loaded, gateway: &DnsLabel, stays: impl Fn(&str) -> bool) -> Vec<String> {
    let exposure = old.written(&["gateways", gateway.as_str(), "exposure"]).map(|node| &node.value);
    let Some(Yaml::Map(entries)) = exposure else { return Vec::new() };
    entries
        .iter()
        .filter(|entry| entry.key != "strategy" && !stays(&entry.key))
        .map(|entry| format!("{}: null", entry.key))
        .collect()
}

/// `field=value`, the value on one line.
fn assignment(text: &str) -> Result<(&str, &str), Failure> {
    let (field, value) = text.split_once('=').unwrap_or((text, ""));
    let named = !field.is_empty() && field.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !named || value.is_empty() || value.chars().any(crate::grammar::is_unprintable) {
        return Err(Failure::Usage(format!(
            "`--set {}` is no field with a value; write `--set 'addresses=[198.51.100.10/32]'`, on one line",
            shown(text)
        )));
    }
    Ok((field, value))
}

/// A value for a field that a strategy cannot do without.
fn example(field: &str) -> &'static str {
    match field {
        "addresses" => "[198.51.100.10-198.51.100.20]",
        "provider" => "aws",
        _ => "…",
    }
}
