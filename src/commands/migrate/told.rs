//! A migration as people and machines read it.

use std::collections::BTreeMap;
use std::io;

use camino::Utf8PathBuf;
use serde_json::{Value, json};

use super::sections::quoted;
use crate::cli;
use crate::commands::{Failure, Streams};
use crate::finding::Finding;
use crate::grammar::DnsLabel;
use crate::migrate::{Migration, Step, What};

/// A migration with what was asked for.
pub struct Told<'a> {
    pub migration: &'a Migration,
    pub arguments: &'a cli::Migrate,
    /// The exposure to write into the spec at last.
    pub exposure: Value,
    /// What gateways then accept in vain: rules by gateway.
    pub unused: &'a BTreeMap<String, Vec<String>>,
    /// What `portgen check` warns of then, and not yet.
    pub findings: Vec<&'a Finding>,
}

impl Told<'_> {
    /// `kong: nodePortRedirect to metalLB in 3 steps, without an outage`
    pub fn title(&self) -> String {
        let Migration { gateway, from, to, steps, .. } = self.migration;
        let count = steps.len();
        let outage = match self.migration.gaps().count() {
            0 => "without an outage".to_owned(),
            1 => "with one gap".to_owned(),
            gaps => format!("with {gaps} gaps"),
        };
        let way = if from == to { format!("from one {from} to another") } else { format!("{from} to {to}") };
        format!("{gateway}: {way} in {count} step{}, {outage}", if count == 1 { "" } else { "s" })
    }

    /// What to know before the first step.
    fn intro(&self) -> Vec<String> {
        let mut intro = vec![format!(
            "Start where `{}` has nothing to say. Run every command where you ran this one; take the next step when you have seen what a step should show.",
            self.render_command(" --check")
        )];
        let moves = |step: &Step| matches!(step.what, What::Move(..));
        if let Some((number, _)) = (1..).zip(&self.migration.steps).find(|(_, step)| moves(step)) {
            intro.push(format!("Names move in step {number}: lower their TTL now, and the wait there is short."));
        }
        intro.extend(self.migration.losses.iter().map(ToString::to_string));
        let warned = self.findings.iter();
        intro.extend(
            warned.map(|it| format!("The new spec gets a warning, {}: {}; {}.", it.rule.name, it.message, it.help)),
        );
        intro
    }

    pub fn text(&self, streams: &mut Streams<'_>) -> Result<(), Failure> {
        let bold = |text: &str| if streams.styled { format!("\u{1b}[1m{text}\u{1b}[0m") } else { text.to_owned() };
        let out = &mut streams.out;
        writeln!(out, "{}", bold(&self.title()))?;
        for line in self.intro() {
            writeln!(out, "\n{line}")?;
        }
        for (number, step) in (1..).zip(&self.migration.steps) {
            writeln!(out, "\n{}", bold(&format!("{number}. {}", step.what)))?;
            for gap in &step.gaps {
                writeln!(out, "\n   gap: {gap}")?;
            }
            for note in &step.notes {
                writeln!(out, "\n   {note}")?;
            }
            for section in self.sections(number, step)? {
                writeln!(out, "\n   {}", section.title)?;
                for line in section.lines.iter().flat_map(|line| line.lines()) {
                    writeln!(out, "     {line}")?;
                }
            }
        }
        Ok(())
    }

    pub fn markdown(&self, out: &mut dyn io::Write) -> Result<(), Failure> {
        writeln!(out, "# {}", self.title())?;
        for line in self.intro() {
            writeln!(out, "\n{line}")?;
        }
        for (number, step) in (1..).zip(&self.migration.steps) {
            writeln!(out, "\n## {number}. {}", step.what)?;
            write!(out, "{}", self.step_markdown(number, step)?)?;
        }
        Ok(())
    }

    /// A step below its title.
    pub fn step_markdown(&self, number: usize, step: &Step) -> Result<String, Failure> {
        let mut parts: Vec<String> = step.gaps.iter().map(|gap| format!("**Gap:** {gap}.")).collect();
        parts.extend(step.notes.iter().map(ToString::to_string));
        for section in self.sections(number, step)? {
            parts.push(section.title);
            if !section.lines.is_empty() {
                parts.push(format!("```{}\n{}\n```", section.language, section.lines.join("\n").trim_end()));
            }
        }
        Ok(parts.iter().flat_map(|part| ["\n", part.as_str(), "\n"]).collect())
    }

    pub fn json(&self, out: &mut dyn io::Write) -> Result<(), Failure> {
        let steps: Vec<Value> =
            (1..).zip(&self.migration.steps).map(|(number, step)| self.step_json(number, step)).collect();
        let Migration { gateway, from, to, start, .. } = self.migration;
        let findings = self
            .findings
            .iter()
            .map(|finding| json!({"rule": finding.rule.name, "message": finding.message, "help": finding.help}));
        let mut document = head(&start.cluster, gateway, [from, to]);
        document["folder"] = json!(self.tree().as_str());
        document["exposure"] = json!(self.exposure);
        document["unusedAccepts"] = json!(self.unused);
        document["warnings"] = findings.collect();
        document["notes"] = self.migration.losses.iter().map(ToString::to_string).collect();
        document["steps"] = json!(steps);
        json_document(out, &document)
    }

    fn step_json(&self, number: usize, step: &Step) -> Value {
        let changes: Vec<Value> = step
            .changes
            .iter()
            .map(|change| json!({"path": change.path.as_str(), "change": change.kind.as_str()}))
            .collect();
        let checks: Vec<Value> = step
            .checks
            .iter()
            .map(|check| json!({"sees": check.sees, "commands": check.commands, "inFolder": check.in_tree}))
            .collect();
        json!({
            "step": number,
            "does": step.what.to_string(),
            "gaps": step.gaps.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "notes": step.notes.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "write": if step.is_written() { vec![self.write(number)] } else { Vec::new() },
            "changes": changes,
            "commands": step.commands,
            "checks": checks,
            "back": {"write": self.write_command(number - 1), "commands": step.back},
        })
    }

    /// The folder of the cluster's tree.
    fn tree(&self) -> Utf8PathBuf {
        self.arguments.output.join(&self.migration.start.cluster)
    }

    /// The same, as a shell has it.
    pub fn folder(&self) -> String {
        quoted(self.tree().as_str())
    }
}

/// What every JSON document of a migration starts with.
pub fn head(cluster: &str, gateway: &DnsLabel, [from, to]: [&str; 2]) -> Value {
    json!({
        "version": 1,
        "portgen": env!("CARGO_PKG_VERSION"),
        "cluster": cluster,
        "gateway": gateway,
        "from": from,
        "to": to,
    })
}

/// One JSON document on lines of its own.
pub fn json_document(out: &mut dyn io::Write, document: &Value) -> Result<(), Failure> {
    serde_json::to_writer_pretty(&mut *out, document).map_err(io::Error::from)?;
    writeln!(out)?;
    Ok(())
}
