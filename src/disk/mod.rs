//! The only room that touches files: reads specs and committed trees, writes a tree whole or not.

mod error;
mod guard;
mod lock;
mod place;
mod plan;
mod read;
mod swap;
mod tree;

use std::ffi::OsStr;
use std::io;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::AtFlags;
use rustix::io::Errno;

pub use error::DiskError;
pub use lock::Lock;
pub use plan::Plan;
pub use read::{find_specs, folders, is_folder, read_source, read_stdin, real_path};
pub use tree::{Entry, Tree};

use crate::artifact::{Artifacts, LOCK_NAME};
use error::failed;
use place::{Hand, Place};
use plan::{Old, decide};

/// How a tree is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WriteOptions {
    /// Whether files that somebody else edited or made are overwritten.
    pub force: bool,
}

/// What a write did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteReport {
    /// What was decided; after a write with force, `edited` and `in_the_way` are overwritten.
    pub plan: Plan,
    /// Whether anything was written; a tree that is as it should be is not touched.
    pub written: bool,
}

/// Reads the tree of a cluster as it is committed; a directory that is missing is an empty tree.
///
/// # Errors
///
/// If the directory is none or a link, is unreadable or too large, its lock is broken, or an
/// interrupted run has yet to be repaired.
pub fn read_tree(dir: &Utf8Path) -> Result<Tree, DiskError> {
    let place = match (dir.parent(), dir.file_name()) {
        (Some(parent), Some(name)) => match guard::to_read(parent, guard::PATIENCE)? {
            // The parent stays open, and so locked, until the tree is read.
            Some(parent) => {
                let place = tree::open_to_look(&parent, OsStr::new(name))?;
                return place.map_or_else(|| Ok(Tree::default()), |place| tree::load(&place));
            }
            None => None,
        },
        _ => Place::at(dir)?,
    };
    place.map_or_else(|| Ok(Tree::default()), |place| tree::load(&place))
}

/// Decides what [`write_tree`] would do to `parent/<cluster>`, and writes nothing.
///
/// # Errors
///
/// Whatever `write_tree` refuses even with force; what needs force is in the plan.
pub fn plan_tree(parent: &Utf8Path, artifacts: &Artifacts, version: &str) -> Result<Plan, DiskError> {
    let cluster = cluster_name(artifacts)?;
    let parent_place = guard::to_read(parent, guard::PATIENCE)?;
    let old = match &parent_place {
        Some(parent) => tree::open_to_look(parent, cluster)?.map(Old::look).transpose()?,
        None => None,
    };
    let target = target_path(parent, artifacts);
    let lock_text = lock_text(&target, artifacts, version)?;
    decide(target, old.as_ref(), artifacts, &lock_text).map(|(plan, _)| plan)
}

/// Makes `parent/<cluster>` hold these files, in one step or not at all.
///
/// What portgen did not write stays. The rest of the rules is in [`Plan`].
///
/// # Errors
///
/// If somebody else's content is where a file goes and there is no force, if a directory or a
/// link is in the way, if another run holds `parent`, or if the system refuses something. The old
/// tree is then as it was; only [`DiskError::Leftover`] comes after the new one is in place.
pub fn write_tree(
    parent: &Utf8Path,
    artifacts: &Artifacts,
    version: &str,
    options: WriteOptions,
) -> Result<WriteReport, DiskError> {
    write_tree_by_steps(parent, artifacts, version, options, guard::PATIENCE, &mut |_| Ok(()))
}

/// As [`write_tree`]; `before` is called before each change of the disk, and its error is taken
/// for the system's. A test stops the run there by unwinding: nothing here cleans up in `drop`.
fn write_tree_by_steps(
    parent: &Utf8Path,
    artifacts: &Artifacts,
    version: &str,
    options: WriteOptions,
    patience: Duration,
    before: &mut dyn FnMut(&'static str) -> io::Result<()>,
) -> Result<WriteReport, DiskError> {
    let cluster = cluster_name(artifacts)?;
    let target = target_path(parent, artifacts);
    let lock_text = lock_text(&target, artifacts, version)?;
    let place = guard::to_write(parent, patience)?;
    let hand = &mut Hand::new(before);
    swap::recover(hand, &place, cluster)?;

    let old = tree::open(&place, cluster)?.map(Old::look).transpose()?;
    let (plan, goal) = decide(target, old.as_ref(), artifacts, &lock_text)?;
    if plan.is_current() {
        return Ok(WriteReport { plan, written: false });
    }
    if let Some(refusal) = plan.refusal().filter(|_| !options.force) {
        return Err(refusal);
    }
    if let Err(error) = swap::replace(hand, &place, cluster, old.as_ref(), &goal) {
        // After these two the old tree is in the staging directory, for a reason.
        if !matches!(error, DiskError::InTheWay { .. } | DiskError::Leftover { .. }) {
            // If this fails too, the first error says more, and the next run tries again.
            let _ = swap::recover(&mut Hand::new(&mut |_| Ok(())), &place, cluster);
        }
        return Err(error);
    }
    Ok(WriteReport { plan, written: true })
}

fn target_path(parent: &Utf8Path, artifacts: &Artifacts) -> Utf8PathBuf {
    parent.join(&artifacts.cluster)
}

fn lock_text(target: &Utf8Path, artifacts: &Artifacts, version: &str) -> Result<String, DiskError> {
    Lock::of(artifacts, version).to_text().map_err(|why| DiskError::Lock { path: target.join(LOCK_NAME), why })
}

/// The name of the cluster's directory: one that stays in `parent`, and that no staging has.
fn cluster_name(artifacts: &Artifacts) -> Result<&OsStr, DiskError> {
    /// Leaves room for what the staging directory adds, below the limit of 255 everywhere.
    const MAX_NAME: usize = 200;
    let name = artifacts.cluster.as_str();
    let bad = name.is_empty()
        || name.len() > MAX_NAME
        || name.starts_with('.')
        || name.contains('/')
        || name.chars().any(char::is_control);
    if bad { Err(DiskError::ClusterName { cluster: name.to_owned() }) } else { Ok(name.as_ref()) }
}

/// Writes a file that was not there, whole or not at all; nothing is ever overwritten.
///
/// # Errors
///
/// If there is anything under that name, even a link to nothing, or the directory is missing or
/// cannot be written to.
pub fn write_new_file(path: &Utf8Path, text: &str) -> Result<(), DiskError> {
    write_new_file_by_steps(path, text, &mut |_| Ok(()))
}

fn write_new_file_by_steps(
    path: &Utf8Path,
    text: &str,
    before: &mut dyn FnMut(&'static str) -> io::Result<()>,
) -> Result<(), DiskError> {
    let exists = || DiskError::Exists { path: path.to_owned() };
    let missing = || io::Error::from(io::ErrorKind::NotFound);
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(exists());
    };
    let place = Place::at(parent)?.ok_or_else(|| failed("open the directory", parent)(missing()))?;
    let name = OsStr::new(name);
    if place.look(name)?.is_some() {
        return Err(exists());
    }
    let hand = &mut Hand::new(before);
    let staged = stage_new_file(hand, &place, text)?;
    let placed = match hand.publish(&place, &staged, name) {
        Ok(()) => Ok(()),
        Err(Errno::EXIST) => Err(exists()),
        Err(cause) => Err(failed("create", path)(cause)),
    };
    if placed.is_err() {
        // The name is this run's own, and the first error says more.
        let _ = rustix::fs::unlinkat(&place.fd, &staged, AtFlags::empty());
    }
    placed.and_then(|()| hand.sync(&place))
}

/// Writes a text under a name that no other run uses.
fn stage_new_file(hand: &mut Hand<'_>, place: &Place, text: &str) -> Result<std::ffi::OsString, DiskError> {
    /// How many names of ended runs with the same number, or of other threads, to pass over.
    const TRIES: u32 = 100;
    let mut round = 0;
    loop {
        let staged = std::ffi::OsString::from(format!(".portgen-{}-{round}.new", std::process::id()));
        match hand.make_file(place, &staged, &mut text.as_bytes(), 0o666) {
            Ok(_) => return Ok(staged),
            Err(DiskError::Io { cause, .. }) if cause.kind() == io::ErrorKind::AlreadyExists && round < TRIES => {
                round += 1;
            }
            Err(error) => {
                if !matches!(&error, DiskError::Io { operation: "create", .. }) {
                    let _ = rustix::fs::unlinkat(&place.fd, &staged, AtFlags::empty());
                }
                return Err(error);
            }
        }
    }
}

#[cfg(test)]
mod tests;
