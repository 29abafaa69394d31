//! The report for a terminal.

use std::io;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::{Located, Location, Report, Tally, located};
use crate::finding::Severity;

pub fn write(sink: &mut dyn io::Write, reports: &[Report<'_>], styled: bool) -> io::Result<()> {
    let renderer = if styled { Renderer::styled() } else { Renderer::plain() };
    for located in located(reports) {
        writeln!(sink, "{}\n", frame(&renderer, &located))?;
    }
    let tally = Tally::of(reports.iter().flat_map(|report| report.findings));
    writeln!(sink, "{tally}")
}

fn frame(renderer: &Renderer, located: &Located<'_>) -> String {
    let finding = located.finding;
    let level = match finding.severity() {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note if finding.accepted.is_some() => Level::NOTE.with_name("accepted"),
        Severity::Note => Level::NOTE,
    };
    // A window keeps a frame small however long the line or the file is.
    let mut snippets = vec![snippet(&located.location, AnnotationKind::Primary, &finding.label)];
    for (location, label) in &located.also {
        snippets.push(snippet(location, AnnotationKind::Context, label));
    }
    let mut group =
        Group::with_title(level.primary_title(finding.message.as_str()).id(finding.rule.name)).elements(snippets);
    if let Some(reason) = &finding.accepted {
        group = group.element(Level::NOTE.message(format!("accepted: {reason}")));
    }
    if !finding.help.is_empty() && finding.accepted.is_none() {
        group = group.element(Level::HELP.message(finding.help.as_str()));
    }
    renderer.render(&[group])
}

/// The lines around a location: a frame never needs the rest of the file.
fn snippet<'a>(
    location: &Location<'a>,
    kind: AnnotationKind,
    label: &'a str,
) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let first = location.text[..location.start].rfind('\n').map_or(0, |at| at + 1);
    let last = location.text[location.end..].find('\n').map_or(location.text.len(), |at| location.end + at);
    let lines = location.text[first..last].trim_end_matches('\r');
    let (start, end) = (location.start - first, (location.end - first).min(lines.len()));
    let (lines, start, end) = shortened(lines, start.min(end), end);
    let annotation = kind.span(start..end);
    let annotation = if label.is_empty() { annotation } else { annotation.label(label) };
    Snippet::source(lines).line_start(location.line).path(location.path).annotation(annotation)
}

/// At most 400 bytes around the underlined ones: a line of a megabyte is nobody's to read.
fn shortened(lines: &str, start: usize, end: usize) -> (&str, usize, usize) {
    const MOST: usize = 400;
    if lines.len() <= MOST {
        return (lines, start, end);
    }
    let floor = |mut at: usize| {
        while !lines.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let from = floor(start.saturating_sub(100));
    let to = floor((from + MOST).min(lines.len()));
    (&lines[from..to], start - from, floor(end.min(to)) - from)
}
