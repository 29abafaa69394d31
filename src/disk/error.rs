//! What can go wrong on a disk, in words that say what to do about it.

use std::io;

use camino::Utf8PathBuf;

/// Why a read or a write did not happen; the message names the path and the way out.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// The system refused an operation.
    #[error("cannot {operation} `{path}`: {}", plain(cause))]
    Io {
        /// What was tried, as an infinitive: `create the directory`.
        operation: &'static str,
        /// On what.
        path: Utf8PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// A text is longer than any spec has reason to be.
    #[error("`{path}` is larger than {limit} bytes; a spec is far smaller, so this is probably another file")]
    TooLarge {
        /// The file.
        path: Utf8PathBuf,
        /// How long it may be.
        limit: u64,
    },
    /// A text is not UTF-8.
    #[error("`{path}` is not UTF-8 text: the byte at offset {offset} does not belong; save it as UTF-8")]
    NotUtf8 {
        /// The file.
        path: Utf8PathBuf,
        /// The first byte that does not belong, from 0.
        offset: usize,
    },
    /// Something else is where a text should be.
    #[error("`{path}` is {kind}, not a file; name a file, or `-` for the standard input")]
    NotAFile {
        /// The path.
        path: Utf8PathBuf,
        /// What it is, with its article.
        kind: &'static str,
    },
    /// Something else is where a directory should be.
    #[error("`{path}` is {kind}, not a directory; move it away, or name another directory")]
    NotADirectory {
        /// The path.
        path: Utf8PathBuf,
        /// What it is, with its article.
        kind: &'static str,
    },
    /// A spec has a file name that cannot be written in a report.
    #[error("the name of `{path}` is not UTF-8; rename the file")]
    FileName {
        /// The path, as well as it can be shown.
        path: Utf8PathBuf,
    },
    /// Directories are nested deeper than is sensible.
    #[error("`{path}` is more than {limit} directories deep; name a directory closer to the files")]
    TooDeep {
        /// The first directory that is too deep.
        path: Utf8PathBuf,
        /// How deep they may be.
        limit: usize,
    },
    /// A directory holds more than is sensible.
    #[error("there are more than {limit} files below `{path}`; name a directory closer to the files")]
    TooMany {
        /// The directory.
        path: Utf8PathBuf,
        /// How many there may be.
        limit: usize,
    },
    /// The cluster's name cannot be the name of a directory.
    #[error("`{}` cannot be the name of a cluster's directory; use letters, digits and `-`", cluster.escape_debug())]
    ClusterName {
        /// The name.
        cluster: String,
    },
    /// The list of owned files cannot be understood, so nothing can be said about any file.
    #[error(
        "`{path}` cannot be used: {why}; restore it from version control, or remove it to have portgen start anew (files that differ from the spec then need --force)"
    )]
    Lock {
        /// The lock.
        path: Utf8PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Files that would be written have content that neither portgen wrote nor would write.
    #[error("{}", edited_text(paths, strangers))]
    Edited {
        /// Those that portgen wrote and somebody edited since.
        paths: Vec<Utf8PathBuf>,
        /// Those that portgen never wrote.
        strangers: Vec<Utf8PathBuf>,
    },
    /// What is no file stands where a file should go; `--force` does not remove it.
    #[error("`{path}` is {kind}, and portgen has a file to write there; move it away")]
    Occupied {
        /// The path.
        path: Utf8PathBuf,
        /// What it is, with its article.
        kind: &'static str,
    },
    /// A directory of the tree is a symbolic link, and writing would land outside of the tree.
    #[error(
        "`{path}` is a symbolic link where portgen needs a directory of its own; it follows no links inside its tree, so replace the link by a directory"
    )]
    Link {
        /// The link.
        path: Utf8PathBuf,
    },
    /// Another file system is mounted inside the tree, so the tree cannot be replaced as one.
    #[error("another file system is mounted on `{path}`; portgen replaces the tree as one, so unmount it first")]
    Mounted {
        /// The directory.
        path: Utf8PathBuf,
    },
    /// Another run holds the directory.
    #[error("another portgen has been writing to `{path}` for {seconds} seconds; wait for it, then run again")]
    Busy {
        /// The directory.
        path: Utf8PathBuf,
        /// How long this run waited.
        seconds: u64,
    },
    /// Something that portgen did not leave there has the name of its staging directory.
    #[error("`{path}` is in the way: {why}; look at it, then move it away")]
    InTheWay {
        /// The path.
        path: Utf8PathBuf,
        /// Why portgen leaves it alone.
        why: &'static str,
    },
    /// A run was interrupted while the tree had no name; the next write puts it back.
    #[error("an interrupted run left the tree of `{target}` in `{staging}`; run `portgen render` to put it back")]
    Interrupted {
        /// Where the tree belongs.
        target: Utf8PathBuf,
        /// Where it is.
        staging: Utf8PathBuf,
    },
    /// What was written is not what is read back.
    #[error(
        "`{path}` does not read back as it was written ({why}); the old tree is untouched, so check the disk and run again"
    )]
    ReadBack {
        /// The staged file.
        path: Utf8PathBuf,
        /// How it differs.
        why: &'static str,
    },
    /// Somebody worked in the tree while it was being replaced.
    #[error("`{path}` was changed by somebody else during this run; their change is kept, so run again")]
    ChangedMeanwhile {
        /// The tree.
        path: Utf8PathBuf,
    },
    /// The file system can neither exchange nor rename the tree.
    #[error(
        "the file system cannot rename `{path}` (a mount point, or a lower layer of an overlay); nothing was changed, so render to another directory"
    )]
    Unmovable {
        /// The tree.
        path: Utf8PathBuf,
    },
    /// The new tree is in place, but what the run needed could not be removed.
    #[error("`{target}` is written, but `{staging}` could not be removed: {cause}; the next run tries again")]
    Leftover {
        /// The tree.
        target: Utf8PathBuf,
        /// What is left.
        staging: Utf8PathBuf,
        /// Why.
        cause: Box<DiskError>,
    },
    /// A new file would replace one that exists.
    #[error("`{path}` exists and is left as it is; move it away, or name another file")]
    Exists {
        /// The path.
        path: Utf8PathBuf,
    },
}

/// How many paths a message spells out before it only counts.
const NAMED: usize = 10;

/// Turns the system's error into one that names operation and path.
pub(super) fn failed<E: Into<io::Error>>(
    operation: &'static str,
    path: impl Into<Utf8PathBuf>,
) -> impl FnOnce(E) -> DiskError {
    move |cause| DiskError::Io { operation, path: path.into(), cause: cause.into() }
}

/// The system's message without its number, and advice where there is some.
fn plain(cause: &io::Error) -> String {
    let text = cause.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let advice = match cause.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "; free some space and run again",
        io::ErrorKind::PermissionDenied => "; check its owner and its mode",
        io::ErrorKind::NotFound => "; check the path",
        _ => "",
    };
    format!("{text}{advice}")
}

fn edited_text(paths: &[Utf8PathBuf], strangers: &[Utf8PathBuf]) -> String {
    let mut parts = Vec::new();
    if !paths.is_empty() {
        let (verb, them) = if paths.len() == 1 { ("was", "it") } else { ("were", "them") };
        parts.push(format!(
            "{} {verb} edited by hand since portgen wrote {them}; move the change into the spec, or pass --force to overwrite {them}",
            listed(paths)
        ));
    }
    if !strangers.is_empty() {
        let (verb, them) = if strangers.len() == 1 { ("exists", "it") } else { ("exist", "them") };
        parts.push(format!(
            "{} {verb} and portgen did not write {them}; move {them} away, or pass --force to overwrite {them}",
            listed(strangers)
        ));
    }
    parts.join("\n")
}

fn listed(paths: &[Utf8PathBuf]) -> String {
    let named = paths.iter().take(NAMED).map(|path| format!("`{path}`")).collect::<Vec<_>>();
    let more = paths.len() - named.len();
    let text = named.join(", ");
    if more == 0 { text } else { format!("{text} and {more} more") }
}
