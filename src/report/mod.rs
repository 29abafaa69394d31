//! Findings as people and machines read them: routes become files, lines and columns only here.

mod github;
mod json;
mod locate;
mod markdown;
mod sarif;
mod text;

pub use locate::{Located, Location, Origin, locate};
pub use markdown::{cell, plain_cell};

use std::io;

use crate::finding::{Finding, Severity};

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Format {
    /// For a terminal: each finding with the user's own line.
    #[default]
    Text,
    /// One JSON object, with a version of its own.
    Json,
    /// For a comment on a pull request.
    Markdown,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// GitHub's workflow commands: annotations in *Files changed*.
    Github,
}

/// One spec's findings with the texts they point into.
#[derive(Debug)]
pub struct Report<'a> {
    /// Where its findings point.
    pub origin: Origin<'a>,
    /// What was found, most important first.
    pub findings: &'a [Finding],
    /// How many more findings there are than are told.
    pub omitted: usize,
}

/// How many findings there are of each weight.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// What does not work.
    pub errors: usize,
    /// What works at a cost.
    pub warnings: usize,
    /// What is worth knowing.
    pub notes: usize,
    /// What was taken on purpose.
    pub accepted: usize,
    /// What is not told.
    pub omitted: usize,
}

impl Tally {
    /// Counts the findings of several specs.
    #[must_use]
    pub fn of(reports: &[Report<'_>]) -> Self {
        let mut tally = Self { omitted: reports.iter().map(|report| report.omitted).sum(), ..Self::default() };
        for finding in reports.iter().flat_map(|report| report.findings) {
            match finding.severity() {
                _ if finding.accepted.is_some() => tally.accepted += 1,
                Severity::Error => tally.errors += 1,
                Severity::Warning => tally.warnings += 1,
                Severity::Note => tally.notes += 1,
            }
        }
        tally
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let counted = |count: usize, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
        let mut parts = Vec::new();
        if self.errors > 0 {
            parts.push(counted(self.errors, "error"));
        }
        if self.warnings > 0 {
            parts.push(counted(self.warnings, "warning"));
        }
        if self.notes > 0 {
            parts.push(counted(self.notes, "note"));
        }
        if self.accepted > 0 {
            parts.push(format!("{} accepted", self.accepted));
        }
        if self.omitted > 0 {
            parts.push(format!("{} more left out", self.omitted));
        }
        if parts.is_empty() { f.write_str("no findings") } else { f.write_str(&parts.join(", ")) }
    }
}

/// Writes the findings of all specs in the chosen form.
///
/// # Errors
/// What the sink says.
pub fn write(sink: &mut dyn io::Write, format: Format, reports: &[Report<'_>], styled: bool) -> io::Result<()> {
    match format {
        Format::Text => text::write(sink, reports, styled),
        Format::Json => json::write(sink, reports),
        Format::Markdown => markdown::write(sink, reports),
        Format::Sarif => sarif::write(sink, reports),
        Format::Github => github::write(sink, reports),
    }
}

/// Every finding of every report with its place looked up.
fn located<'a>(reports: &'a [Report<'a>]) -> impl Iterator<Item = Located<'a>> {
    reports.iter().flat_map(|report| report.findings.iter().map(|finding| locate(report.origin, finding)))
}
