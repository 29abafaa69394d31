//! The report for a terminal.

use std::io;

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Renderer, Snippet};

use super::{Located, Location, Report, Tally, located};
use crate::finding::Severity;

pub fn write(sink: &mut dyn io::Write, reports: &[Report<'_>], styled: bool) -> io::Result<()> {
    let renderer = if styled { Renderer::styled() } else { Renderer::plain() };
    for located in located(reports) {
        writeln!(sink, "{}\n", frame(&renderer, &located))?;
    }
    writeln!(sink, "{}", Tally::of(reports))
}

fn frame(renderer: &Renderer, located: &Located<'_>) -> String {
    let finding = located.finding;
    let level = match finding.severity() {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note if finding.accepted.is_some() => Level::NOTE.with_name("accepted"),
        Severity::Note => Level::NOTE,
    };
    let primary = (&located.location, AnnotationKind::Primary, "");
    let also = located.also.iter().map(|(location, label)| (location, AnnotationKind::Context, *label));
    let mut windows: Vec<Window<'_>> = Vec::new();
    for place in std::iter::once(primary).chain(also) {
        match windows.iter_mut().find(|window| window.takes(place.0)) {
            Some(window) => window.places.push(place),
            None => windows.push(Window { places: vec![place] }),
        }
    }
    let snippets = windows.into_iter().map(Window::snippet);
    let title = level.primary_title(finding.message.as_str()).id(finding.rule.name);
    let mut group = Group::with_title(title).elements(snippets);
    if let Some(reason) = &finding.accepted {
        group = group.element(Level::NOTE.message(format!("accepted: {reason}")));
    }
    if !finding.help.is_empty() && finding.accepted.is_none() {
        group = group.element(Level::HELP.message(finding.help.as_str()));
    }
    renderer.render(&[group])
}

/// Places that are shown together: in one file, near enough for one frame.
struct Window<'a> {
    places: Vec<(&'a Location<'a>, AnnotationKind, &'a str)>,
}

impl<'a> Window<'a> {
    /// The first byte of the first line and one past the last line's last: a frame never needs the rest of the file.
    fn lines(&self) -> (usize, usize) {
        let text = self.places[0].0.text;
        let first = self.places.iter().map(|(place, ..)| place.start).min().unwrap_or_default();
        let last = self.places.iter().map(|(place, ..)| place.end).max().unwrap_or_default();
        let first = text[..first].rfind('\n').map_or(0, |at| at + 1);
        let last = text[last..].find('\n').map_or(text.len(), |at| last + at);
        (first, last)
    }

    fn takes(&self, location: &Location<'_>) -> bool {
        const NEAR: usize = 8 << 10;
        let here = self.places[0].0;
        here.path == location.path && here.text == location.text && here.start.abs_diff(location.start) < NEAR
    }

    fn snippet(self) -> Snippet<'a, Annotation<'a>> {
        let (first, last) = self.lines();
        let here = self.places[0].0;
        let lines = here.text[first..last].trim_end_matches('\r');
        let start_line = self.places.iter().map(|(place, ..)| place.line).min().unwrap_or(1);
        let annotations = self.places.into_iter().map(|(place, kind, label)| {
            let bound = |at: usize| (at - first).min(lines.len());
            let annotation = kind.span(bound(place.start)..bound(place.end));
            if label.is_empty() { annotation } else { annotation.label(label) }
        });
        Snippet::source(lines).line_start(start_line).path(here.path).annotations(annotations)
    }
}
