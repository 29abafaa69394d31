//! What would change between a committed tree and a rendered one.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use similar::{ChangeTag, TextDiff};

use crate::artifact::Artifacts;

/// The files of a tree that portgen owns or would own, as they are; `None` for what is no text.
pub type Committed = BTreeMap<Utf8PathBuf, Option<String>>;

/// One file that would change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its path in the tree.
    pub path: Utf8PathBuf,
    /// What would happen to it.
    pub kind: Kind,
    /// The route in the spec that causes it; none for a file that goes.
    pub route: Option<String>,
    /// Lines that would come.
    pub added: usize,
    /// Lines that would go.
    pub removed: usize,
    /// The unified diff, three lines of context, without a head.
    pub hunks: Vec<Hunk>,
}

/// What would happen to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// It would go.
    Removed,
    /// It would read otherwise.
    Modified,
    /// It would come.
    Added,
}

impl Kind {
    /// The word in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Removed => "removed",
            Self::Modified => "modified",
            Self::Added => "added",
        }
    }
}

/// A run of lines that differ, with what stands around them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hunk {
    /// `@@ -1,2 +1,3 @@`
    pub head: String,
    /// Each line with its sign: ` `, `-` or `+`.
    pub lines: Vec<(char, String)>,
}

/// Every change, removals first: what disappears is what a reviewer must not miss.
#[must_use]
pub fn compare(committed: &Committed, rendered: &Artifacts) -> Vec<Change> {
    let mut changes = Vec::new();
    for (path, text) in committed {
        if rendered.get(path).is_none() {
            changes.push(change(path.clone(), Kind::Removed, None, text.as_deref().unwrap_or_default(), ""));
        }
    }
    for artifact in rendered.iter() {
        let route = Some(artifact.route.clone());
        match committed.get(&artifact.path) {
            Some(Some(text)) if *text == artifact.text => {}
            Some(text) => {
                let old = text.as_deref().unwrap_or_default();
                changes.push(change(artifact.path.clone(), Kind::Modified, route, old, &artifact.text));
            }
            None => changes.push(change(artifact.path.clone(), Kind::Added, route, "", &artifact.text)),
        }
    }
    changes.sort_by(|a, b| (a.kind, &a.path).cmp(&(b.kind, &b.path)));
    changes
}

fn change(path: Utf8PathBuf, kind: Kind, route: Option<String>, old: &str, new: &str) -> Change {
    let diff = TextDiff::from_lines(old, new);
    let (mut added, mut removed) = (0, 0);
    let mut hunks = Vec::new();
    for hunk in diff.unified_diff().context_radius(3).iter_hunks() {
        let mut lines = Vec::new();
        for line in hunk.iter_changes() {
            let sign = match line.tag() {
                ChangeTag::Equal => ' ',
                ChangeTag::Delete => {
                    removed += 1;
                    '-'
                }
                ChangeTag::Insert => {
                    added += 1;
                    '+'
                }
            };
            lines.push((sign, line.value().trim_end_matches('\n').to_owned()));
        }
        hunks.push(Hunk { head: hunk.header().to_string(), lines });
    }
    Change { path, kind, route, added, removed, hunks }
}
