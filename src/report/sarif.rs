//! The report as SARIF 2.1.0, as code scanning reads it.

use std::io;

use serde_json::{Value, json};

use super::{Located, Location, Report, located};
use crate::finding::Severity;

pub fn write(sink: &mut dyn io::Write, reports: &[Report<'_>]) -> io::Result<()> {
    let mut rules: Vec<_> = reports.iter().flat_map(|report| report.findings).map(|finding| finding.rule).collect();
    rules.sort_by_key(|rule| rule.name);
    rules.dedup_by_key(|rule| rule.name);
    let descriptions: Vec<Value> = rules
        .iter()
        .map(|rule| {
            json!({
                "id": rule.name,
                "shortDescription": {"text": title(rule.page)},
                "fullDescription": {"text": title(rule.page)},
                "help": {"text": rule.page, "markdown": rule.page},
                "defaultConfiguration": {"level": rule.severity.as_str()},
            })
        })
        .collect();
    let results: Vec<Value> = located(reports)
        .map(|located| {
            let index = rules.iter().position(|rule| rule.name == located.finding.rule.name);
            result(&located, index)
        })
        .collect();
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "portgen",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": descriptions,
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    serde_json::to_writer_pretty(&mut *sink, &log)?;
    writeln!(sink)
}

fn result(located: &Located<'_>, rule_index: Option<usize>) -> Value {
    let finding = located.finding;
    let level = match finding.rule.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    let text = if finding.help.is_empty() {
        finding.message.clone()
    } else {
        format!("{}; {}", finding.message, finding.help)
    };
    let mut result = json!({
        "ruleId": finding.rule.name,
        "ruleIndex": rule_index,
        "level": level,
        "message": {"text": text},
        "locations": [{"physicalLocation": physical(&located.location)}],
    });
    if !located.also.is_empty() {
        result["relatedLocations"] = located
            .also
            .iter()
            .map(|(location, label)| json!({"physicalLocation": physical(location), "message": {"text": label}}))
            .collect();
    }
    if let Some(reason) = &finding.accepted {
        result["suppressions"] = json!([{"kind": "inSource", "justification": reason}]);
    }
    result
}

fn physical(location: &Location<'_>) -> Value {
    json!({
        "artifactLocation": {"uri": uri(location.path)},
        "region": {
            "startLine": location.line,
            "startColumn": location.column,
            "endLine": location.end_line,
            "endColumn": location.end_column,
        },
    })
}

/// A relative URI reference for a path: everything outside RFC 3986's unreserved set is escaped.
fn uri(path: &str) -> String {
    path.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}

/// A page's first sentence, which says what is found.
fn title(page: &str) -> &str {
    page.lines().find(|line| !line.is_empty() && !line.starts_with('#')).unwrap_or_default()
}
