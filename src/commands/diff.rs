//! `portgen diff`: what rendering would change, told for a reviewer.

use camino::Utf8Path;
use serde_json::json;

use super::{Failure, Streams, git, load};
use crate::cli::{self, DiffFormat};
use crate::compare::{self, Change, Committed, Kind};
use crate::disk::{self, Entry};
use crate::finding::{Place, Route};
use crate::output;
use crate::report::{self, Format, Location, Origin, Report};

/// Where trees are unless somebody says otherwise.
const DEFAULT: &str = "rendered";

/// One cluster's changes.
struct Changes<'a> {
    cluster: String,
    origin: Origin<'a>,
    files: Vec<Change>,
    /// What applying each of them does.
    effects: Vec<String>,
}

pub fn run(arguments: &cli::Diff, streams: &mut Streams<'_>) -> Result<u8, Failure> {
    let loaded = load::load(&arguments.specs)?;
    if loaded.iter().any(load::Loaded::refused) {
        let reports: Vec<Report<'_>> = loaded.iter().map(load::Loaded::report).collect();
        let format = if arguments.format == DiffFormat::Json { Format::Json } else { Format::Text };
        report::write(streams.out, format, &reports, streams.styled)?;
        return Err(Failure::Usage("the spec has errors, so there is nothing to compare; mend them first".to_owned()));
    }
    let mut all = Vec::new();
    for spec in &loaded {
        let Some(plan) = &spec.plan else { continue };
        let rendered = output::render(plan, &spec.findings)?;
        let committed = committed(&arguments.against, &rendered)?;
        let files = compare::compare(&committed, &rendered);
        let effects = output::effects(&committed, &rendered, &files);
        all.push(Changes { cluster: plan.name.to_string(), origin: spec.origin(), files, effects });
    }
    match arguments.format {
        DiffFormat::Text => text(&all, &arguments.against, streams)?,
        DiffFormat::Json => json(&all, &arguments.against, streams)?,
    }
    Ok(u8::from(all.iter().any(|cluster| !cluster.files.is_empty())))
}

/// The files portgen owns in the tree that is compared with, and those it would take over.
fn committed(against: &str, rendered: &crate::artifact::Artifacts) -> Result<Committed, Failure> {
    if let Some(revision) = against.strip_prefix("git:") {
        let (revision, folder) = revision.split_once(':').unwrap_or((revision, DEFAULT));
        let folder = Utf8Path::new(folder).join(&rendered.cluster);
        return git::committed(revision, &folder, |path| rendered.get(path).is_some());
    }
    // Nothing rendered yet is nothing to compare with; a folder that was named and is not there is a slip.
    if against != DEFAULT && !disk::is_folder(Utf8Path::new(against)) {
        return Err(Failure::Usage(format!("there is no folder `{}` to compare with", crate::finding::shown(against))));
    }
    let tree = disk::read_tree(&Utf8Path::new(against).join(&rendered.cluster))?;
    let owned = |path: &Utf8Path| tree.lock.as_ref().is_some_and(|lock| lock.files.contains_key(path.as_str()));
    let text = |entry: &Entry| match entry {
        Entry::File(bytes) => String::from_utf8(bytes.clone()).ok(),
        _ => None,
    };
    Ok(tree
        .files
        .iter()
        .filter(|(path, _)| owned(path) || rendered.get(path).is_some())
        .map(|(path, entry)| (path.clone(), text(entry)))
        .collect())
}

/// Where in the spec a change comes from.
fn cause<'a>(cluster: &Changes<'a>, change: &Change) -> Option<Location<'a>> {
    let route = change.route.as_deref()?;
    let keys = route.split('.').fold(Route::default(), |route, key| route.key(key.trim_matches('"')));
    Some(cluster.origin.place(&Place::Key(keys)))
}

fn text(all: &[Changes<'_>], against: &str, streams: &mut Streams<'_>) -> Result<(), Failure> {
    let paint = |text: &str, code: &str| {
        if streams.styled { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    };
    let out = &mut streams.out;
    for cluster in all {
        let changes = &cluster.files;
        let name = &cluster.cluster;
        if changes.is_empty() {
            writeln!(out, "{name}: no changes against {against}")?;
            continue;
        }
        let count = |kind: Kind| changes.iter().filter(|change| change.kind == kind).count();
        writeln!(
            out,
            "{}",
            paint(
                &format!(
                    "{name}: {} removed, {} modified, {} added against {against}",
                    count(Kind::Removed),
                    count(Kind::Modified),
                    count(Kind::Added)
                ),
                "1"
            )
        )?;
        for (change, effect) in changes.iter().zip(&cluster.effects) {
            let (sign, code) = match change.kind {
                Kind::Removed => ('-', "31"),
                Kind::Modified => ('~', "33"),
                Kind::Added => ('+', "32"),
            };
            writeln!(
                out,
                "  {} {}  {}",
                paint(&sign.to_string(), code),
                change.path,
                paint(&format!("(+{} -{}) {effect}", change.added, change.removed), "2")
            )?;
        }
        for change in changes {
            writeln!(out)?;
            if let Some(cause) = cause(cluster, change) {
                writeln!(out, "{}", paint(&format!("# from {}:{}", cause.path, cause.line), "2"))?;
            }
            let (old, new) = match change.kind {
                Kind::Added => ("/dev/null".to_owned(), format!("b/{name}/{}", change.path)),
                Kind::Removed => (format!("a/{name}/{}", change.path), "/dev/null".to_owned()),
                Kind::Modified => (format!("a/{name}/{}", change.path), format!("b/{name}/{}", change.path)),
            };
            writeln!(out, "{}\n{}", paint(&format!("--- {old}"), "1"), paint(&format!("+++ {new}"), "1"))?;
            for hunk in &change.hunks {
                writeln!(out, "{}", paint(hunk.head.trim_end(), "36"))?;
                for (sign, line) in &hunk.lines {
                    let line = format!("{sign}{line}");
                    let line = match sign {
                        '-' => paint(&line, "31"),
                        '+' => paint(&line, "32"),
                        _ => line,
                    };
                    writeln!(out, "{line}")?;
                }
            }
        }
    }
    Ok(())
}

fn json(all: &[Changes<'_>], against: &str, streams: &mut Streams<'_>) -> Result<(), Failure> {
    let clusters: Vec<_> = all
        .iter()
        .map(|cluster| {
            let changes: Vec<_> = cluster
                .files
                .iter()
                .zip(&cluster.effects)
                .map(|(change, effect)| {
                    let cause = cause(cluster, change).map(
                        |at| json!({"route": change.route, "file": at.path, "line": at.line, "column": at.column}),
                    );
                    let diff: String = change
                        .hunks
                        .iter()
                        .flat_map(|hunk| {
                            std::iter::once(format!("{}\n", hunk.head.trim_end()))
                                .chain(hunk.lines.iter().map(|(sign, line)| format!("{sign}{line}\n")))
                        })
                        .collect();
                    json!({
                        "path": change.path.as_str(),
                        "change": change.kind.as_str(),
                        "effect": effect,
                        "cause": cause,
                        "added": change.added,
                        "removed": change.removed,
                        "diff": diff,
                    })
                })
                .collect();
            json!({"cluster": cluster.cluster, "changes": changes})
        })
        .collect();
    let document =
        json!({"version": 1, "portgen": env!("CARGO_PKG_VERSION"), "against": against, "clusters": clusters});
    serde_json::to_writer_pretty(&mut *streams.out, &document).map_err(std::io::Error::from)?;
    writeln!(streams.out)?;
    Ok(())
}
