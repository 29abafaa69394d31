//! `portgen migrate`: the way from one strategy to another, told or written step by step.

mod fields;
mod laid;
mod readme;
mod sections;
mod told;
mod written;

use serde_json::{Value, json};

use super::{Failure, Streams, load};
use crate::cli::{self, MigrateFormat};
use crate::finding::{Finding, Severity, shown};
use crate::grammar::DnsLabel;
use crate::migrate::{self, Refusal};
use crate::output;
use crate::plan::Plan;
use crate::report::{self, Format};
use crate::source::Node;
use fields::{Fields, dropped};
use laid::lay;

pub fn run(arguments: &cli::Migrate, streams: &mut Streams<'_>) -> Result<u8, Failure> {
    let fields = Fields::of(&arguments.to)?;
    let base = load::Base::open(&arguments.spec, arguments.charts.as_deref())?;
    let old = base.alone();
    let Some(committed) = whole(&old, "the spec as it is applied today", arguments, streams)? else { return Ok(1) };
    let gateway = gateway(committed, arguments.gateway.as_deref())?;
    let exposure = fields.exposure(&old, &gateway, &arguments.set)?;
    let new = lay(&base, &old, &gateway, "--to and --set", &exposure);
    let Some(wanted) = whole(&new.loaded, "the spec with the new exposure", arguments, streams)? else { return Ok(1) };
    // Across a Service at the nodes' own ports, where this cluster can have one.
    let mut bare = dropped(&old, &gateway, |_| false);
    bare.push("strategy: nodePortRedirect".to_owned());
    let across = lay(&base, &old, &gateway, "the bridge", &bare).loaded;
    let bridge = across.plan.as_ref().filter(|_| !across.refused());
    let migration = match migrate::migrate(committed, wanted, bridge, &gateway) {
        Ok(migration) => migration,
        Err(Refusal::Fault(fault)) => return Err(fault.into()),
        Err(Refusal::Nothing) => return nothing(&old, committed, &gateway, arguments, streams),
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
            let report = report::Report { findings: &findings, ..new.loaded.report() };
            report::write(streams.out, reported(arguments), &[report], streams.styled)?;
            writeln!(streams.err, "no step leads there: \"{what}\" is refused")?;
            return Ok(1);
        }
    };
    let written = new.loaded.written(&["gateways", gateway.as_str(), "exposure"]);
    let mut exposure = written.map_or(Value::Null, Node::to_json);
    if old.written(&["extends"]).is_some() {
        // What a base says goes only where the spec above it says so.
        for field in dropped(&old, &gateway, |field| exposure.get(field).is_some()) {
            exposure[field.trim_end_matches(": null")] = Value::Null;
        }
    }
    let told = told::Told {
        migration: &migration,
        arguments,
        exposure,
        unused: &new.unused,
        findings: new_warnings(&old, &new.loaded),
    };
    match (arguments.step, arguments.format) {
        (Some(step), _) => written::step(&told, step, streams)?,
        (None, MigrateFormat::Text) => told.text(streams)?,
        (None, MigrateFormat::Markdown) => told.markdown(streams.out)?,
        (None, MigrateFormat::Json) => told.json(streams.out)?,
    }
    Ok(0)
}

/// Where nothing would change: there are no steps, and the tree before the first is that of the spec.
fn nothing(
    old: &load::Loaded,
    committed: &Plan,
    gateway: &DnsLabel,
    arguments: &cli::Migrate,
    streams: &mut Streams<'_>,
) -> Result<u8, Failure> {
    let said = format!("{gateway} is exposed so already: nothing would change");
    match arguments.step {
        Some(0) => {
            let tree = output::render(committed, &old.findings)?;
            written::write(arguments, &tree, streams)?;
        }
        // Whoever goes on or back from here with what the tree has would apply the wrong one.
        Some(step) => return Err(Failure::Usage(format!("there is no step {step}: {said}"))),
        None if arguments.format == MigrateFormat::Json => {
            let strategy = committed.gateways[gateway].strategy.name();
            let mut document = told::head(committed.name.as_str(), gateway, [strategy, strategy]);
            document["steps"] = json!([]);
            told::json_document(streams.out, &document)?;
        }
        None => {}
    }
    writeln!(streams.err, "{said}")?;
    Ok(0)
}

/// The plan of a spec that can be rendered; otherwise what keeps it from that is reported.
fn whole<'a>(
    spec: &'a load::Loaded,
    what: &str,
    arguments: &cli::Migrate,
    streams: &mut Streams<'_>,
) -> Result<Option<&'a Plan>, Failure> {
    let plan = spec.plan.as_ref().filter(|_| !spec.refused());
    if plan.is_none() {
        report::write(streams.out, reported(arguments), &[spec.report()], streams.styled)?;
        writeln!(streams.err, "{what} is refused")?;
    }
    Ok(plan)
}

/// What the new spec is warned of and the old one is not.
fn new_warnings<'a>(old: &load::Loaded, new: &'a load::Loaded) -> Vec<&'a Finding> {
    let known = |finding: &&Finding| {
        old.findings.iter().any(|it| it.rule.name == finding.rule.name && it.message == finding.message)
    };
    new.findings.iter().filter(|it| it.severity() == Severity::Warning && !known(it)).collect()
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
