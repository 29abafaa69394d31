//! The report as one JSON object. Its shape is public: fields are added, never changed.

use std::io;

use serde::Serialize;

use super::{Located, Report, Tally, located};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    version: u8,
    portgen: &'static str,
    findings: Vec<Item<'a>>,
    summary: Summary,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Item<'a> {
    rule: &'static str,
    severity: &'static str,
    message: &'a str,
    help: &'a str,
    #[serde(flatten)]
    place: Spot<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    route: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    related: Vec<Related<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Spot<'a> {
    file: &'a str,
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Related<'a> {
    message: &'a str,
    #[serde(flatten)]
    place: Spot<'a>,
}

#[derive(Serialize)]
struct Summary {
    errors: usize,
    warnings: usize,
    notes: usize,
    accepted: usize,
    omitted: usize,
}

pub fn write(sink: &mut dyn io::Write, reports: &[Report<'_>]) -> io::Result<()> {
    let tally = Tally::of(reports);
    let document = Document {
        version: 1,
        portgen: env!("CARGO_PKG_VERSION"),
        findings: located(reports).map(|located| item(&located)).collect(),
        summary: Summary {
            errors: tally.errors,
            warnings: tally.warnings,
            notes: tally.notes,
            accepted: tally.accepted,
            omitted: tally.omitted,
        },
    };
    serde_json::to_writer_pretty(&mut *sink, &document)?;
    writeln!(sink)
}

fn item<'a>(located: &Located<'a>) -> Item<'a> {
    Item {
        rule: located.finding.rule.name,
        severity: located.finding.severity().as_str(),
        message: &located.finding.message,
        help: &located.finding.help,
        place: spot(&located.location),
        route: located.route.map(ToString::to_string),
        accepted: located.finding.accepted.as_deref(),
        related: located.also.iter().map(|(location, message)| Related { message, place: spot(location) }).collect(),
    }
}

fn spot<'a>(location: &super::Location<'a>) -> Spot<'a> {
    Spot {
        file: location.path,
        line: location.line,
        column: location.column,
        end_line: location.end_line,
        end_column: location.end_column,
    }
}
