//! A step in parts, and the commands that are pasted: all of them run where `portgen migrate` ran.

use serde_json::{Map, Value, json};

use super::told::Told;
use crate::cli;
use crate::commands::Failure;
use crate::compare::{Change, Kind};
use crate::migrate::{Step, What};
use crate::output;

/// A part of a step.
pub struct Section {
    pub title: String,
    pub language: &'static str,
    pub lines: Vec<String>,
}

impl Told<'_> {
    /// The command that writes the tree of a step.
    pub fn write_command(&self, step: usize) -> String {
        let cli::Migrate { spec, gateway, set, .. } = self.arguments;
        let mut words =
            vec!["portgen migrate".to_owned(), quoted(spec.as_str()), format!("--to {}", self.migration.to)];
        words.extend(gateway.iter().map(|name| format!("--gateway {}", quoted(name))));
        words.extend(set.iter().map(|set| format!("--set {}", quoted(set))));
        format!("{}{} --step {step}", words.join(" "), self.places())
    }

    /// The command that writes the tree of the spec, or looks at it.
    pub fn render_command(&self, more: &str) -> String {
        format!("portgen render{more} {}{}", quoted(self.arguments.spec.as_str()), self.places())
    }

    /// Where charts come from and trees go, if not the usual places.
    fn places(&self) -> String {
        let cli::Migrate { output, charts, .. } = self.arguments;
        let charts = charts.iter().map(|charts| format!(" --charts {}", quoted(charts.as_str())));
        let output = (output != "rendered").then(|| format!(" -o {}", quoted(output.as_str())));
        charts.chain(output).collect()
    }

    /// How to bring the tree to a step: the last one is what the new spec renders.
    pub fn write(&self, step: usize) -> String {
        let done = self.migration.is_in_spec_before(step + 1);
        if done { self.render_command("") } else { self.write_command(step) }
    }

    /// What goes into the spec, and what goes out of it.
    fn new_spec(&self) -> Result<Vec<String>, Failure> {
        let mut lines: Vec<String> = Vec::new();
        for (gateway, rules) in self.unused {
            lines.push(format!("# out of `accept` of {gateway}, as there is nothing to accept: {}", rules.join(", ")));
        }
        let of = |key: &str, value: Value| Value::Object(Map::from_iter([(key.to_owned(), value)]));
        let gateway = of(self.migration.gateway.as_str(), json!({"exposure": self.exposure}));
        let text = output::to_yaml(&of("gateways", gateway))
            .map_err(|reason| output::Fault { path: "the new exposure".to_owned(), reason })?;
        lines.push(text);
        Ok(lines)
    }

    /// A step in parts, each with a line that says what it is.
    pub fn sections(&self, number: usize, step: &Step) -> Result<Vec<Section>, Failure> {
        let mut sections = Vec::new();
        let mut add = |title: &str, language, lines: Vec<String>| {
            sections.push(Section { title: title.to_owned(), language, lines });
        };
        if step.what == What::Finish {
            add("Write into the spec:", "yaml", self.new_spec()?);
        }
        if step.is_written() {
            add("Write the tree, look at it and commit it:", "sh", vec![self.write(number)]);
        }
        if !step.changes.is_empty() {
            add("It changes:", "text", step.changes.iter().map(line).collect());
        }
        if !step.commands.is_empty() {
            add("Apply:", "sh", self.in_folder("", &step.commands));
        }
        for check in &step.checks {
            let commands = if check.in_tree { self.in_folder("", &check.commands) } else { check.commands.clone() };
            add(&format!("Check: {}.", check.sees), "sh", commands);
        }
        let done = self.migration.is_in_spec_before(number);
        if matches!(step.what, What::Move(..)) && done {
            add(
                "To go back: go back over the step before, and let the names lead to what the old way then has.",
                "sh",
                Vec::new(),
            );
        } else if matches!(step.what, What::Move(..)) {
            add("To go back: let the names resolve to what they resolved to before.", "sh", Vec::new());
        } else if !step.back.is_empty() {
            let back = self.in_folder(&format!("{} && ", self.write_command(number - 1)), &step.back);
            let spec = step.what == What::Finish;
            let title = if spec { "To go back, with the old exposure in the spec again:" } else { "To go back:" };
            add(title, "sh", back);
        }
        Ok(sections)
    }

    /// Commands that run in the folder of the tree, once another one has run; the first that fails is the last.
    fn in_folder(&self, first: &str, commands: &[String]) -> Vec<String> {
        let mut lines = vec![format!("{first}(set -e; cd {}", self.folder())];
        // Not every shell takes a comment where it is pasted.
        let said = |line: &String| line.strip_prefix("# ").map(|text| format!("echo {}", quoted(text)));
        lines.extend(commands.iter().map(|line| said(line).unwrap_or_else(|| line.clone())));
        lines.push(")".to_owned());
        lines
    }
}

fn line(change: &Change) -> String {
    let sign = match change.kind {
        Kind::Removed => '-',
        Kind::Modified => '~',
        Kind::Added => '+',
    };
    format!("{sign} {}", change.path)
}

/// A word for a shell.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | ':' | '=' | ',');
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}
