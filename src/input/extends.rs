//! Bases: reading them, and laying a spec over them by JSON Merge Patch (RFC 7386).

use camino::{Utf8Path, Utf8PathBuf};

use super::{rules, text_finding};
use crate::finding::{Finding, Place, shown};
use crate::source::{Entry, FileId, Files, Node, Source, Value, compose};

/// Gives a base's text by the path of the file that names it and the path it names,
/// with the path under which it is known from then on; or why it cannot be had.
pub type Loader<'a> = dyn FnMut(&Utf8Path, &str) -> Result<Source, String> + 'a;

/// More bases than this is a mistake, or an attack.
const MOST_FILES: usize = 64;

/// Composes a spec and its bases into one tree; `None` when a text is not YAML.
pub fn compose_with_bases(
    source: Source,
    files: &mut Files,
    loader: &mut Loader<'_>,
    findings: &mut Vec<Finding>,
) -> Option<Node> {
    let mut chain = vec![source.path.clone()];
    let mut count = 0;
    resolve(source, files, loader, findings, &mut chain, &mut count)
}

fn resolve(
    source: Source,
    files: &mut Files,
    loader: &mut Loader<'_>,
    findings: &mut Vec<Finding>,
    chain: &mut Vec<String>,
    count: &mut usize,
) -> Option<Node> {
    let path = Utf8PathBuf::from(&source.path);
    let composed = {
        let file = files.add(source);
        compose(&files.get(file).text, file)
    };
    let node = match composed {
        Ok(node) => node,
        Err(faults) => {
            findings.extend(faults.into_iter().map(text_finding));
            return None;
        }
    };
    let Some(bases) = base_paths(&node) else {
        return Some(node);
    };

    let mut merged: Option<Node> = None;
    let mut whole = true;
    for (base, span) in bases {
        let mut fault = |message: String, help: &str| {
            findings.push(Finding::new(&rules::UNREADABLE_BASE, Place::Bytes(span), message, help));
            whole = false;
        };
        *count += 1;
        if *count > MOST_FILES {
            fault(format!("more than {MOST_FILES} bases in all"), "lay fewer files over one another");
            return None;
        }
        let loaded = match loader(&path, &base) {
            Ok(loaded) => loaded,
            Err(reason) => {
                fault(
                    format!("cannot read `{}`: {reason}", shown(&base)),
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
        chain.push(loaded.path.clone());
        let base = resolve(loaded, files, loader, findings, chain, count);
        chain.pop();
        match base {
            None => whole = false,
            Some(base) => {
                merged = Some(match merged {
                    None => base,
                    Some(below) => merge_patch(below, base),
                })
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

/// The paths under `extends`; `None` when there are none or their shape is wrong, which the schema tells better.
fn base_paths(node: &Node) -> Option<Vec<(String, crate::source::Span)>> {
    let Value::Seq(items) = &node.get("extends")?.value else { return None };
    items
        .iter()
        .map(|item| match &item.value {
            Value::Str(path) => Some((path.clone(), item.span)),
            _ => None,
        })
        .collect()
}

/// RFC 7386: maps merge, `null` removes, the rest replaces; every value keeps the place it was written at.
pub fn merge_patch(target: Node, patch: Node) -> Node {
    let Value::Map(changes) = patch.value else { return patch };
    let mut entries = match target.value {
        Value::Map(entries) => entries,
        _ => Vec::new(),
    };
    for change in changes {
        let known = entries.iter().position(|entry| entry.key == change.key);
        match (known, &change.value.value) {
            (Some(at), Value::Null) => {
                entries.remove(at);
            }
            (None, Value::Null) => {}
            (Some(at), _) => {
                let below = std::mem::replace(&mut entries[at].value, null());
                entries[at] = Entry { value: merge_patch(below, change.value), ..change };
            }
            // A map laid over nothing still loses its nulls.
            (None, _) => entries.push(Entry { value: merge_patch(null(), change.value), ..change }),
        }
    }
    Node { value: Value::Map(entries), span: patch.span }
}

fn null() -> Node {
    Node { value: Value::Null, span: crate::source::Span { file: FileId(0), start: 0, end: 0 } }
}
