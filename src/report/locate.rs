//! From symbolic places to files, lines and columns.

use crate::finding::{Finding, Place, Route, Step};
use crate::source::{Files, Node, Span, Value};

/// The texts a finding's places are looked up in.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// Every file of the spec.
    pub files: &'a Files,
    /// The merged tree, when there is one.
    pub root: Option<&'a Node>,
}

/// A piece of a file as people name it; lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location<'a> {
    /// The file's path.
    pub path: &'a str,
    /// The file's whole text.
    pub text: &'a str,
    /// The first byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// The first line.
    pub line: usize,
    /// The first column.
    pub column: usize,
    /// The last line.
    pub end_line: usize,
    /// One past the last column.
    pub end_column: usize,
}

/// A finding with its places looked up.
#[derive(Debug)]
pub struct Located<'a> {
    /// The finding.
    pub finding: &'a Finding,
    /// Where it points.
    pub location: Location<'a>,
    /// Its further places.
    pub also: Vec<(Location<'a>, &'a str)>,
    /// The route, for a place that has one.
    pub route: Option<&'a Route>,
}

/// Looks up every place of a finding.
#[must_use]
pub fn locate<'a>(origin: Origin<'a>, finding: &'a Finding) -> Located<'a> {
    Located {
        finding,
        location: origin.place(&finding.place),
        also: finding.also.iter().map(|(place, label)| (origin.place(place), label.as_str())).collect(),
        route: match &finding.place {
            Place::Value(route) | Place::Key(route) => Some(route),
            Place::Bytes(_) => None,
        },
    }
}

impl<'a> Origin<'a> {
    /// Where a place stands.
    #[must_use]
    pub fn place(self, place: &Place) -> Location<'a> {
        self.span(self.span_of(place))
    }

    /// The bytes of a place.
    #[must_use]
    pub fn span_of(self, place: &Place) -> Span {
        match place {
            Place::Bytes(span) => *span,
            Place::Value(route) => self.route(route, false),
            Place::Key(route) => self.route(route, true),
        }
    }

    /// The span of a route: its value or its key, or the nearest key above it that was written.
    fn route(self, route: &Route, want_key: bool) -> Span {
        let Some(root) = self.root else {
            return Span { file: crate::source::FileId(0), start: 0, end: 0 };
        };
        let mut node = root;
        let mut key = None;
        for step in route.steps() {
            let next = match (step, &node.value) {
                (Step::Key(name), Value::Map(_)) => node.entry(name).map(|entry| (&entry.value, Some(entry.key_span))),
                (Step::Index(index), Value::Seq(items)) => items.get(*index).map(|item| (item, None)),
                _ => None,
            };
            let Some((below, below_key)) = next else {
                // Not written: the thing it is missing from.
                return key.unwrap_or_else(|| first_key(root));
            };
            node = below;
            key = below_key.or(Some(below.span));
        }
        let Some(key) = key else { return first_key(root) };
        let text = &self.files.get(node.span.file).text;
        let value = &text[node.span.start as usize..node.span.end as usize];
        // A block underlined whole says less than its key.
        if want_key || value.is_empty() || value.contains('\n') { key } else { node.span }
    }

    fn span(self, span: Span) -> Location<'a> {
        let source = self.files.get(span.file);
        let (start, end) = (span.start as usize, span.end as usize);
        let (line, column) = line_and_column(&source.text, start);
        let (end_line, end_column) = line_and_column(&source.text, end);
        Location { path: &source.path, text: &source.text, start, end, line, column, end_line, end_column }
    }
}

fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..offset];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (before.bytes().filter(|&b| b == b'\n').count() + 1, before[line_start..].chars().count() + 1)
}

fn first_key(root: &Node) -> Span {
    match &root.value {
        Value::Map(entries) => entries.first().map_or(root.span, |entry| entry.key_span),
        _ => Span { end: root.span.start, ..root.span },
    }
}
