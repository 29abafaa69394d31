//! Bases: reading them, and laying a spec over them by JSON Merge Patch (RFC 7386).

use std::collections::HashMap;

use camino::{Utf8Path, Utf8PathBuf};

use super::{rules, text_finding};
use crate::finding::{Finding, Place, shown};
use crate::source::{Entry, FileId, Files, Node, Source, Span, Value, compose_as_far};

/// Gives a base's text by the path of the file that names it and the path it names,
/// with the path under which it is known from then on; or why it cannot be had.
pub type Loader<'a> = dyn FnMut(&Utf8Path, &str) -> Result<Source, String> + 'a;

/// More bases than this is a mistake, or an attack.
const MOST_FILES: usize = 32;
/// So is more text in all of them together.
const MOST_BYTES: usize = 2 << 20;

/// Composes a spec and its bases into one tree; `None` when a text is not YAML.
pub fn compose_with_bases(
    source: Source,
    files: &mut Files,
    loader: &mut Loader<'_>,
    findings: &mut Vec<Finding>,
) -> Option<Node> {
    let mut chain = vec![source.path.clone()];
    let mut budget = Budget { files: MOST_FILES, bytes: MOST_BYTES };
    resolve(source, files, loader, findings, &mut chain, &mut budget)
}

/// What may still be read.
struct Budget {
    files: usize,
    bytes: usize,
}

fn resolve(
    source: Source,
    files: &mut Files,
    loader: &mut Loader<'_>,
    findings: &mut Vec<Finding>,
    chain: &mut Vec<String>,
    budget: &mut Budget,
) -> Option<Node> {
    let path = Utf8PathBuf::from(&source.path);
    let (node, faults) = {
        let file = files.add(source);
        compose_as_far(&files.get(file).text, file)
    };
    findings.extend(faults.into_iter().map(text_finding));
    let node = node?;
    let Some(bases) = base_paths(&node) else {
        return Some(node);
    };

    let mut merged: Option<Node> = None;
    let mut whole = true;
    for (base, span) in bases {
        if budget.files == 0 || budget.bytes == 0 {
            // Said once: whoever named this file stops as well.
            let said = findings.iter().any(|finding| finding.message.starts_with("more than"));
            if !said {
                let message = format!("more than {MOST_FILES} bases, or {} MiB of them, in all", MOST_BYTES >> 20);
                findings.push(Finding::new(
                    &rules::UNREADABLE_BASE,
                    Place::Bytes(span),
                    message,
                    "lay fewer files over one another",
                ));
            }
            return None;
        }
        budget.files -= 1;
        let mut fault = |message: String, help: &str| {
            findings.push(Finding::new(&rules::UNREADABLE_BASE, Place::Bytes(span), message, help));
            whole = false;
        };
        let loaded = match loader(&path, &base) {
            Ok(loaded) => loaded,
            Err(reason) => {
                fault(
                    format!("cannot read `{}`: {reason}", path_shown(&base)),
                    "name a file by its path from this one; it must lie in the tree portgen was given",
                );
                continue;
            }
        };
        if chain.contains(&loaded.path) {
            let mut circle: Vec<_> = chain.iter().skip_while(|path| **path != loaded.path).cloned().collect();
            circle.push(loaded.path);
            fault(format!("bases in a circle: {}", circle.join(" → ")), "take one of these `extends` out");
            continue;
        }
        budget.bytes = budget.bytes.saturating_sub(loaded.text.len());
        chain.push(loaded.path.clone());
        let base = resolve(loaded, files, loader, findings, chain, budget);
        chain.pop();
        match base {
            None => whole = false,
            Some(base) if !matches!(base.value, Value::Map(_)) => {
                let message = "a base is a map, this is something else".to_owned();
                let help = "write the fields a spec has, as far as they are common";
                let place = Place::Bytes(Span { end: base.span.start, ..base.span });
                findings.push(
                    Finding::new(&rules::WRONG_TYPE, place, message, help).also(Place::Bytes(span), "named here"),
                );
                whole = false;
            }
            Some(base) => {
                merged = Some(match merged {
                    None => base,
                    Some(below) => merge_patch(below, base),
                });
            }
        }
    }
    if !whole {
        return None;
    }
    Some(match merged {
        None => node,
        Some(below) => merge_patch(below, node),
    })
}

/// A path whole as far as a line bears it: the end says most.
fn path_shown(path: &str) -> String {
    path.split('/').map(shown).collect::<Vec<_>>().join("/").chars().take(200).collect()
}

/// The paths under `extends`; what is no text there, the schema tells.
fn base_paths(node: &Node) -> Option<Vec<(String, Span)>> {
    let Value::Seq(items) = &node.get("extends")?.value else { return None };
    let text = |item: &Node| match &item.value {
        Value::Str(path) => Some((path.clone(), item.span)),
        _ => None,
    };
    Some(items.iter().filter_map(text).collect())
}

/// RFC 7386: maps merge, `null` removes, the rest replaces; every value keeps the place it was written at.
pub fn merge_patch(target: Node, patch: Node) -> Node {
    let Value::Map(changes) = patch.value else { return patch };
    let below = match target.value {
        Value::Map(entries) => entries,
        _ => Vec::new(),
    };
    let positions: HashMap<String, usize> =
        below.iter().enumerate().map(|(at, entry)| (entry.key.clone(), at)).collect();
    let mut entries: Vec<Option<Entry>> = below.into_iter().map(Some).collect();
    for change in changes {
        let known = positions.get(&change.key).copied();
        let removes = matches!(change.value.value, Value::Null);
        match known {
            Some(at) if removes => entries[at] = None,
            None if removes => {}
            Some(at) => {
                let below = entries[at].take().map_or_else(null, |entry| entry.value);
                entries[at] = Some(Entry { value: merge_patch(below, change.value), ..change });
            }
            // A map laid over nothing still loses its nulls.
            None => entries.push(Some(Entry { value: merge_patch(null(), change.value), ..change })),
        }
    }
    Node { value: Value::Map(entries.into_iter().flatten().collect()), span: patch.span }
}

fn null() -> Node {
    Node { value: Value::Null, span: Span { file: FileId(0), start: 0, end: 0 } }
}
