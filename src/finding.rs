//! What portgen has to say about a spec, and the symbolic place it says it of.

use std::fmt;

pub use crate::grammar::shown;
use crate::source::Span;

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing; nothing to do.
    Note,
    /// Works, at a cost the author should have chosen.
    Warning,
    /// Does not work; nothing is rendered.
    Error,
}

impl Severity {
    /// The word in reports: `error`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// What kind of thing is found: its name, its weight, and whether `accept` may name it.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// The name in reports and in `accept`, for the thing found: `single-replica`.
    pub name: &'static str,
    /// How much each of its findings weighs.
    pub severity: Severity,
    /// Whether it is a cost that can be taken on purpose; what cannot work cannot be accepted.
    pub acceptable: bool,
    /// The page that `portgen explain` prints, Markdown.
    pub page: &'static str,
}

/// One step from a YAML value to a value inside it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Into a map, by key.
    Key(String),
    /// Into a list, by position from 0.
    Index(usize),
}

/// The way from a spec's root to a value: `gateways.kong.ports.http.nodePort`.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Route(Vec<Step>);

impl Route {
    /// The route that follows these keys from the root.
    #[must_use]
    pub fn of<const N: usize>(keys: [&str; N]) -> Self {
        Self(keys.into_iter().map(|key| Step::Key(key.to_owned())).collect())
    }

    /// One key further.
    #[must_use]
    pub fn key(&self, key: impl fmt::Display) -> Self {
        self.then(Step::Key(key.to_string()))
    }

    /// One list item further.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.then(Step::Index(index))
    }

    fn then(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }

    /// The steps from the root.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// Reads a JSON Pointer (RFC 6901), telling list positions from keys by `is_list`.
    pub fn from_pointer(pointer: &str, mut is_list: impl FnMut(&Self) -> bool) -> Self {
        let mut route = Self::default();
        for part in pointer.split('/').skip(1) {
            let part = part.replace("~1", "/").replace("~0", "~");
            route = match part.parse() {
                Ok(index) if is_list(&route) => route.index(index),
                _ => route.key(part),
            };
        }
        route
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Key(key) => {
                    // A dotted label key would read as two steps.
                    let plain =
                        !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
                    let dot = if position > 0 { "." } else { "" };
                    if plain { write!(f, "{dot}{key}")? } else { write!(f, "{dot}{key:?}")? }
                }
            }
        }
        Ok(())
    }
}

/// Where a finding points, before a report looks it up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The value at a route, or the nearest thing above it that was written.
    Value(Route),
    /// The key at a route.
    Key(Route),
    /// Bytes of a file: what is not a tree has no routes.
    Bytes(Span),
}

/// One thing found: a phrase, a place and a help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which rule found it.
    pub rule: &'static Rule,
    /// What is wrong, a phrase without a full stop.
    pub message: String,
    /// Where.
    pub place: Place,
    /// What to write instead.
    pub help: String,
    /// Further places that belong to it.
    pub also: Vec<(Place, String)>,
    /// The reason the author gave for taking it on purpose.
    pub accepted: Option<String>,
}

impl Finding {
    /// A finding at a place, with the help that goes with it.
    #[must_use]
    pub fn new(rule: &'static Rule, place: Place, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { rule, message: message.into(), place, help: help.into(), also: Vec::new(), accepted: None }
    }

    /// The same with a further place.
    #[must_use]
    pub fn also(mut self, place: Place, label: impl Into<String>) -> Self {
        self.also.push((place, label.into()));
        self
    }

    /// How much it weighs: its rule's severity, or a note once accepted.
    #[must_use]
    pub fn severity(&self) -> Severity {
        if self.accepted.is_some() { Severity::Note } else { self.rule.severity }
    }
}

/// The candidate nearest to a mistyped word, if one is near enough to suggest.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Comparing is quadratic in the length; nobody mistypes a word of this size.
    if word.len() > 64 {
        return None;
    }
    candidates
        .into_iter()
        .map(|candidate| {
            let distance = strsim::damerau_levenshtein(&word.to_lowercase(), &candidate.to_lowercase());
            (distance, candidate)
        })
        .filter(|&(distance, candidate)| distance <= 1.max(candidate.len().min(word.len()) / 3))
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

/// `one`, `two` and `three`, each in backticks; of many only the first.
pub fn listed<T: fmt::Display>(words: impl IntoIterator<Item = T>) -> String {
    const MOST: usize = 20;
    let mut rest = words.into_iter();
    let mut words: Vec<_> = rest.by_ref().take(MOST).map(|word| format!("`{word}`")).collect();
    let more = rest.count();
    if more > 0 {
        words.push(format!("{more} more"));
    }
    match words.split_last() {
        None => String::new(),
        Some((only, [])) => only.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}

/// A sentence as a clause of another one: no full stop, and no capital unless the first word is a name.
#[must_use]
pub fn clause(sentence: &str) -> String {
    let text = sentence.trim_end_matches('.');
    let mut chars = text.chars();
    match (chars.next(), text.split(' ').next()) {
        // A word with another capital in it is a name or an abbreviation.
        (Some(first), Some(word)) if !word.chars().skip(1).any(char::is_uppercase) => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_reads_back_from_a_pointer() {
        let route = Route::from_pointer("/a/0/b~1c", |route| route.to_string() == "a");
        assert_eq!(route.to_string(), "a[0].\"b/c\"");
    }

    #[test]
    fn only_near_words_are_suggested() {
        assert_eq!(nearest("gatway", ["gateways", "cluster"]), Some("gateways"));
        assert_eq!(nearest("nodeport", ["nodePort", "port"]), Some("nodePort"));
        assert_eq!(nearest("zebra", ["gateways", "cluster"]), None);
    }
}
