//! Makes the new tree beside the old one, checks it, and swaps the two in one step.

use std::ffi::{OsStr, OsString};
use std::fs::{File, FileTimes};
use std::io::{self, Read as _};

use camino::Utf8PathBuf;
use rustix::fs::FileType;
use rustix::io::Errno;

use super::error::{DiskError, failed};
use super::place::{Hand, Place, kind, kind_word};
use super::plan::{Goal, Item, Old};
use super::tree::{MAX_DEPTH, Node, scan};

// Everything of a run is in one directory beside the tree, `.portgen-<cluster>.new`:
//
//   portgen-staging   says whose directory this is; made first, removed last
//   tree              the new tree; after the exchange the old one, on its way out
//   old               the old tree, where names can only be changed one by one
//
// An interrupted run is undone by removing it all; only an `old` without a tree in its place is
// put back first.
const MARKER: &str = "portgen-staging";
const MARKER_TEXT: &str = "portgen makes the new tree here. An interrupted run leaves this; the next one removes it.\n";
const TREE: &str = "tree";
const ASIDE: &str = "old";

fn staging_name(cluster: &OsStr) -> OsString {
    let mut name = OsString::from(".portgen-");
    name.push(cluster);
    name.push(".new");
    name
}

/// Where the old tree is, if a run was interrupted while the tree had no name.
pub(super) fn holds_old_tree(parent: &Place, cluster: &OsStr) -> Result<Option<Utf8PathBuf>, DiskError> {
    let name = staging_name(cluster);
    if parent.look(&name)?.as_ref().map(kind) != Some(FileType::Directory) {
        return Ok(None);
    }
    let staging = parent.enter(&name)?;
    Ok(staging.look(OsStr::new(ASIDE))?.map(|_| staging.path))
}

/// Removes what an interrupted run left, and puts back the old tree if that run had moved it.
pub(super) fn recover(hand: &mut Hand<'_>, parent: &Place, cluster: &OsStr) -> Result<(), DiskError> {
    let name = staging_name(cluster);
    let Some(stat) = parent.look(&name)? else { return Ok(()) };
    let path = parent.shown(&name);
    let in_the_way = |why| DiskError::InTheWay { path: path.clone(), why };
    if kind(&stat) != FileType::Directory {
        return Err(in_the_way("it has the name of portgen's staging directory and is none"));
    }
    let staging = parent.enter(&name)?;
    let names = staging.names()?;
    if names.is_empty() {
        // The run ended before the marker was made, or after it was removed.
        return hand.remove_directory(parent, &name);
    }
    let known = [MARKER, TREE, ASIDE];
    if !has_marker(&staging)? || names.iter().any(|name| known.iter().all(|known| name != known)) {
        return Err(in_the_way("it holds files that no interrupted run leaves"));
    }
    let (tree, aside) = (OsStr::new(TREE), OsStr::new(ASIDE));
    if let Some(stat) = staging.look(aside)? {
        if kind(&stat) != FileType::Directory {
            return Err(in_the_way("it holds files that no interrupted run leaves"));
        }
        if parent.look(cluster)?.is_none() {
            hand.rename(&staging, aside, parent, cluster).map_err(failed("put back", parent.shown(cluster)))?;
            hand.sync(parent)?;
            hand.sync(&staging)?;
        } else if staging.look(tree)?.is_some() {
            return Err(in_the_way(
                "it holds the tree that an interrupted run moved aside, and somebody has made another since",
            ));
        }
    }
    clear(hand, parent, &staging, &name)
}

fn has_marker(staging: &Place) -> Result<bool, DiskError> {
    let marker = OsStr::new(MARKER);
    if staging.look(marker)?.as_ref().map(kind) != Some(FileType::RegularFile) {
        return Ok(false);
    }
    let mut text = Vec::new();
    staging
        .open(marker)?
        .take(MARKER_TEXT.len() as u64 + 1)
        .read_to_end(&mut text)
        .map_err(failed("read", staging.shown(marker)))?;
    // A run can end in the middle of writing it.
    Ok(MARKER_TEXT.as_bytes().starts_with(&text))
}

/// Removes the staging directory, the marker last.
fn clear(hand: &mut Hand<'_>, parent: &Place, staging: &Place, name: &OsStr) -> Result<(), DiskError> {
    for part in [TREE, ASIDE, MARKER] {
        hand.remove_all(staging, OsStr::new(part), MAX_DEPTH + 1)?;
    }
    hand.remove_directory(parent, name)?;
    hand.sync(parent)
}

/// Makes the tree beside the old one and puts it in its place.
///
/// On an error the caller recovers, as after an interrupted run.
pub(super) fn replace(
    hand: &mut Hand<'_>,
    parent: &Place,
    cluster: &OsStr,
    old: Option<&Old>,
    goal: &Goal<'_>,
) -> Result<(), DiskError> {
    let name = staging_name(cluster);
    let staging = hand.make_directory(parent, &name)?;
    hand.make_file(&staging, OsStr::new(MARKER), &mut MARKER_TEXT.as_bytes(), 0o666)?;
    let new = hand.make_directory(&staging, OsStr::new(TREE))?;
    stage(hand, old.map(|old| &old.place), &new, goal)?;
    hand.sync(&staging)?;
    check(&new, goal)?;
    drop(new);

    match old {
        None => {
            hand.rename(&staging, OsStr::new(TREE), parent, cluster)
                .map_err(|cause| unmoved(parent, cluster, cause))?;
        }
        Some(old) => swap(hand, parent, cluster, &staging, old)?,
    }
    // The old tree may only go once the disk has the new one under its name.
    hand.sync(parent).and_then(|()| hand.sync(&staging)).and_then(|()| clear(hand, parent, &staging, &name)).map_err(
        |cause| DiskError::Leftover {
            target: parent.shown(cluster),
            staging: staging.path.clone(),
            cause: Box::new(cause),
        },
    )
}

/// Swaps the new tree and the old one.
fn swap(hand: &mut Hand<'_>, parent: &Place, cluster: &OsStr, staging: &Place, old: &Old) -> Result<(), DiskError> {
    let (tree, aside) = (OsStr::new(TREE), OsStr::new(ASIDE));
    let untouched = |name| -> Result<bool, DiskError> { Ok(scan(&staging.enter(name)?)?.same(&old.directory)) };
    let changed = || DiskError::ChangedMeanwhile { path: parent.shown(cluster) };
    match hand.exchange(staging, tree, parent, cluster) {
        Ok(()) => {
            // Now that nobody finds the old tree by its name any more, it holds still: what was
            // written into it between the first look and the exchange must not be removed.
            if !matches!(untouched(tree), Ok(true)) {
                if hand.exchange(staging, tree, parent, cluster).is_err() {
                    // Without the marker no run takes the old tree for its own leftovers.
                    let _ = hand.remove_file(staging, OsStr::new(MARKER));
                    return Err(DiskError::InTheWay {
                        path: staging.path.clone(),
                        why: "it holds the old tree, which somebody changed during this run",
                    });
                }
                return Err(changed());
            }
        }
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
            hand.rename(parent, cluster, staging, aside).map_err(|cause| unmoved(parent, cluster, cause))?;
            if !untouched(aside)? {
                return Err(changed());
            }
            hand.rename(staging, tree, parent, cluster).map_err(|cause| unmoved(parent, cluster, cause))?;
        }
        Err(cause) => return Err(unmoved(parent, cluster, cause)),
    }
    Ok(())
}

fn unmoved(parent: &Place, cluster: &OsStr, cause: Errno) -> DiskError {
    let path = parent.shown(cluster);
    match cause {
        Errno::XDEV | Errno::BUSY => DiskError::Unmovable { path },
        Errno::NOENT | Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR => DiskError::ChangedMeanwhile { path },
        cause => failed("replace", path)(cause),
    }
}

/// Makes a directory's content.
fn stage(hand: &mut Hand<'_>, old: Option<&Place>, new: &Place, goal: &Goal<'_>) -> Result<(), DiskError> {
    for (name, item) in &goal.entries {
        match item {
            Item::Directory(below) => {
                let into = hand.make_directory(new, name)?;
                let from = match (old, &below.old) {
                    (Some(old), Some(_)) => Some(old.enter(name)?),
                    _ => None,
                };
                stage(hand, from.as_ref(), &into, below)?;
            }
            Item::Text { text, at_hand } => {
                // A second name keeps time and mode of a file that does not change.
                if let (Some(old), true) = (old, at_hand)
                    && hand.link(old, new, name).is_ok()
                {
                    continue;
                }
                hand.make_file(new, name, &mut text.as_bytes(), 0o666)?;
            }
            Item::Keep(node) => {
                if let Some(old) = old {
                    keep(hand, old, new, name, node)?;
                }
            }
        }
    }
    if let Some(stat) = &goal.old {
        hand.dress(new, stat)?;
    }
    hand.sync(new)
}

/// Takes over what is somebody else's.
fn keep(hand: &mut Hand<'_>, old: &Place, new: &Place, name: &OsStr, node: &Node) -> Result<(), DiskError> {
    match node {
        Node::Link { target, .. } => hand.make_link(new, name, target),
        Node::File(_) => {
            if hand.link(old, new, name).is_ok() {
                return Ok(());
            }
            let mut from = old.open(name)?;
            let into = hand.make_file(new, name, &mut from, 0o600)?;
            imitate(&from, &into).map_err(failed("set mode and time of", new.shown(name)))
        }
        // There is no way to copy a pipe or a socket that somebody may hold open.
        Node::Directory(_) | Node::Other(_) => hand.link(old, new, name).map_err(failed("keep", old.shown(name))),
    }
}

fn imitate(from: &File, into: &File) -> io::Result<()> {
    let known = from.metadata()?;
    into.set_permissions(known.permissions())?;
    into.set_times(FileTimes::new().set_modified(known.modified()?))
}

/// Reads back what was staged and compares it with what was meant.
fn check(place: &Place, goal: &Goal<'_>) -> Result<(), DiskError> {
    let wrong = |name: &OsStr, why| Err(DiskError::ReadBack { path: place.shown(name), why });
    for name in place.names()? {
        if !goal.entries.contains_key(&name) {
            return wrong(&name, "it was not planned");
        }
    }
    for (name, item) in &goal.entries {
        let Some(found) = place.look(name)? else {
            return wrong(name, "it is missing");
        };
        let is = kind(&found);
        match item {
            Item::Directory(below) if is == FileType::Directory => {
                check(&place.enter(name)?, below)?;
            }
            Item::Text { text, .. } if is == FileType::RegularFile => {
                let mut content = Vec::with_capacity(text.len() + 1);
                place
                    .open(name)?
                    .take(text.len() as u64 + 1)
                    .read_to_end(&mut content)
                    .map_err(failed("read back", place.shown(name)))?;
                if content != text.as_bytes() {
                    return wrong(name, "its content differs");
                }
            }
            Item::Keep(Node::File(old)) if is == FileType::RegularFile => {
                if found.st_size != old.st_size {
                    return wrong(name, "its length differs");
                }
            }
            Item::Keep(Node::Link { target, .. }) if is == FileType::Symlink => {
                if place.target(name)? != *target {
                    return wrong(name, "the link points elsewhere");
                }
            }
            Item::Keep(Node::Other(old)) if is == kind(old) => {}
            _ => return wrong(name, kind_word(is)),
        }
    }
    Ok(())
}
