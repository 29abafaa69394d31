//! A migration as people and machines read it.

use std::io;

use serde_json::{Value, json};

use crate::cli;
use crate::commands::{Failure, Streams};
use crate::compare::Kind;
use crate::migrate::{Migration, Step, What};
use crate::output;

/// A migration with what was asked for.
pub struct Told<'a> {
    pub migration: &'a Migration,
    pub arguments: &'a cli::Migrate,
    /// The exposure to write into the spec at last.
    pub exposure: Value,
}

impl Told<'_> {
    /// `kong: nodePortRedirect to metalLB in 3 steps, without an outage`
    fn title(&self) -> String {
        let Migration { gateway, from, to, steps, .. } = self.migration;
        let count = steps.len();
        let outage = match self.migration.gaps().count() {
            0 => "without an outage".to_owned(),
            1 => "with one gap".to_owned(),
            gaps => format!("with {gaps} gaps"),
        };
        let to = if from == to { "another" } else { *to };
        format!("{gateway}: {from} to {to} in {count} step{}, {outage}", if count == 1 { "" } else { "s" })
    }

    /// The command that writes the tree of a step.
    fn write_command(&self, step: usize) -> String {
        let cli::Migrate { spec, gateway, set, output, charts, .. } = self.arguments;
        let mut words =
            vec!["portgen migrate".to_owned(), quoted(spec.as_str()), format!("--to {}", self.migration.to)];
        words.extend(gateway.iter().map(|name| format!("--gateway {}", quoted(name))));
        words.extend(set.iter().map(|set| format!("--set {}", quoted(set))));
        words.extend(charts.iter().map(|charts| format!("--charts {}", quoted(charts.as_str()))));
        if output != "rendered" {
            words.push(format!("-o {}", quoted(output.as_str())));
        }
        words.push(format!("--step {step}"));
        words.join(" ")
    }

    /// How to bring the tree to a step: the last one is what the new spec renders.
    fn write(&self, step: usize) -> Vec<String> {
        let done = self.migration.steps.get(step - 1).is_some_and(|step| step.what == What::Finish);
        if done {
            vec![format!("portgen render {}", quoted(self.arguments.spec.as_str()))]
        } else {
            vec![self.write_command(step)]
        }
    }

    fn folder(&self) -> String {
        quoted(self.arguments.output.join(&self.migration.start.cluster).as_str())
    }

    fn new_exposure(&self) -> Result<String, Failure> {
        let text = output::to_yaml(&json!({"exposure": self.exposure}))
            .map_err(|reason| output::Fault { path: "the new exposure".to_owned(), reason })?;
        Ok(text)
    }

    pub fn text(&self, streams: &mut Streams<'_>) -> Result<(), Failure> {
        let bold = |text: &str| if streams.styled { format!("\u{1b}[1m{text}\u{1b}[0m") } else { text.to_owned() };
        let title = bold(&self.title());
        writeln!(
            streams.out,
            "{title}\n\nStart where `portgen render --check` has nothing to say. Run what a step says from {}, see what it should show, then take the next.",
            self.folder()
        )?;
        for loss in &self.migration.losses {
            writeln!(streams.out, "\n{loss}")?;
        }
        for (number, step) in (1..).zip(&self.migration.steps) {
            let title = bold(&format!("{number}. {}", step.what));
            let out = &mut streams.out;
            writeln!(out, "\n{title}")?;
            if let Some(gap) = step.gap {
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
        writeln!(
            out,
            "# {}\n\nStart where `portgen render --check` has nothing to say. Run what a step says from `{}`, see what it should show, then take the next.",
            self.title(),
            self.folder()
        )?;
        for loss in &self.migration.losses {
            writeln!(out, "\n{loss}")?;
        }
        for (number, step) in (1..).zip(&self.migration.steps) {
            writeln!(out, "\n## {number}. {}", step.what)?;
            if let Some(gap) = step.gap {
                writeln!(out, "\n**Gap:** {gap}.")?;
            }
            for note in &step.notes {
                writeln!(out, "\n{note}")?;
            }
            for section in self.sections(number, step)? {
                writeln!(out, "\n{}", section.title)?;
                if !section.lines.is_empty() {
                    writeln!(out, "\n```{}\n{}\n```", section.language, section.lines.join("\n").trim_end())?;
                }
            }
        }
        Ok(())
    }

    pub fn json(&self, out: &mut dyn io::Write) -> Result<(), Failure> {
        let steps: Vec<Value> =
            (1..).zip(&self.migration.steps).map(|(number, step)| self.step_json(number, step)).collect();
        let Migration { gateway, from, to, start, .. } = self.migration;
        let document = json!({
            "version": 1,
            "portgen": env!("CARGO_PKG_VERSION"),
            "cluster": start.cluster,
            "gateway": gateway,
            "from": from,
            "to": to,
            "exposure": self.exposure,
            "notes": self.migration.losses.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "steps": steps,
        });
        serde_json::to_writer_pretty(&mut *out, &document).map_err(io::Error::from)?;
        writeln!(out)?;
        Ok(())
    }

    fn step_json(&self, number: usize, step: &Step) -> Value {
        let changes: Vec<Value> = step
            .changes
            .iter()
            .map(|change| json!({"path": change.path.as_str(), "change": change.kind.as_str()}))
            .collect();
        let checks: Vec<Value> =
            step.checks.iter().map(|check| json!({"sees": check.sees, "commands": check.commands})).collect();
        json!({
            "step": number,
            "does": step.what.to_string(),
            "gap": step.gap.map(|gap| gap.to_string()),
            "notes": step.notes.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "write": if step.changes.is_empty() { Vec::new() } else { self.write(number) },
            "changes": changes,
            "commands": step.commands,
            "checks": checks,
            "back": {"write": self.write_command(number - 1), "commands": step.back},
        })
    }

    /// A step in parts, each with a line that says what it is.
    fn sections(&self, number: usize, step: &Step) -> Result<Vec<Section>, Failure> {
        let mut sections = Vec::new();
        let mut add = |title: &str, language, lines: Vec<String>| {
            sections.push(Section { title: title.to_owned(), language, lines });
        };
        if step.what == What::Finish {
            add("Write into the spec:", "yaml", vec![self.new_exposure()?]);
        }
        if !step.changes.is_empty() || step.what == What::Finish {
            add("Write the tree, look at it and commit it:", "sh", self.write(number));
        }
        if !step.changes.is_empty() {
            let line = |change: &crate::compare::Change| {
                let sign = match change.kind {
                    Kind::Removed => '-',
                    Kind::Modified => '~',
                    Kind::Added => '+',
                };
                format!("{sign} {}", change.path)
            };
            add("It changes:", "text", step.changes.iter().map(line).collect());
        }
        if !step.commands.is_empty() {
            add("Apply:", "sh", step.commands.clone());
        }
        for check in &step.checks {
            add(&format!("Check: {}.", check.sees), "sh", check.commands.clone());
        }
        if matches!(step.what, What::Move(..)) {
            add("To go back: let the names resolve to what they resolved to before.", "sh", Vec::new());
        } else if !step.back.is_empty() {
            let back = [vec![self.write_command(number - 1)], step.back.clone()].concat();
            let done = step.what == What::Finish;
            let title = if done { "To go back, with the old exposure in the spec again:" } else { "To go back:" };
            add(title, "sh", back);
        }
        Ok(sections)
    }
}

/// A part of a step.
struct Section {
    title: String,
    language: &'static str,
    lines: Vec<String>,
}

/// A word for a shell.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | ':' | '=' | ',');
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}
