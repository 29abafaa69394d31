//! Decides, file by file, what a write would do to a tree, and refuses what it must not do.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::Stat;

use super::error::{DiskError, failed};
use super::lock::{Lock, digest_of};
use super::place::Place;
use super::tree::{Directory, Node, load_lock, scan};
use crate::artifact::{Artifacts, LOCK_NAME};

/// What a write does to a tree; all paths are in the tree, each is in one list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// The directory of the tree.
    pub target: Utf8PathBuf,
    /// Files that are not there yet.
    pub added: Vec<Utf8PathBuf>,
    /// Files that portgen wrote and now writes anew.
    pub changed: Vec<Utf8PathBuf>,
    /// Files that portgen wrote and that are no longer part of the tree.
    pub removed: Vec<Utf8PathBuf>,
    /// Files that already have the right content, whoever wrote them.
    pub unchanged: Vec<Utf8PathBuf>,
    /// Files that portgen wrote, somebody edited, and only `--force` overwrites.
    pub edited: Vec<Utf8PathBuf>,
    /// What portgen never wrote, stands where a file goes, and only `--force` overwrites.
    pub in_the_way: Vec<Utf8PathBuf>,
    /// Files that are no longer part of the tree, but stay because somebody edited them.
    pub kept: Vec<Utf8PathBuf>,
    /// What portgen never wrote and leaves alone.
    pub foreign: Vec<Utf8PathBuf>,
    /// Whether the lock's text changes; with no other change, only who wrote the files does.
    pub lock_changed: bool,
}

impl Plan {
    /// Whether the tree is as it should be, so that a write does nothing.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.added.is_empty()
            && self.changed.is_empty()
            && self.removed.is_empty()
            && self.edited.is_empty()
            && self.in_the_way.is_empty()
            && !self.lock_changed
    }

    /// The error of a write without `--force`, if somebody else's content is where a file goes.
    pub(super) fn refusal(&self) -> Option<DiskError> {
        let shown = |paths: &[Utf8PathBuf]| -> Vec<_> { paths.iter().map(|path| self.target.join(path)).collect() };
        (!self.edited.is_empty() || !self.in_the_way.is_empty())
            .then(|| DiskError::Edited { paths: shown(&self.edited), strangers: shown(&self.in_the_way) })
    }
}

/// A tree as it was found.
#[derive(Debug)]
pub(super) struct Old {
    pub place: Place,
    pub directory: Directory,
    lock: Option<(Lock, Vec<u8>)>,
}

impl Old {
    /// Looks at the whole tree.
    pub fn look(place: Place) -> Result<Self, DiskError> {
        let directory = scan(&place)?;
        let lock = load_lock(&place, &directory)?;
        Ok(Self { place, directory, lock })
    }

    /// Whether a file holds exactly this.
    fn holds(&self, path: &Utf8Path, content: &[u8]) -> Result<bool, DiskError> {
        self.read(path, |file| {
            let mut held = Vec::with_capacity(content.len() + 1);
            // One byte more tells a longer file from an equal one.
            file.take(content.len() as u64 + 1).read_to_end(&mut held)?;
            Ok(held == content)
        })
    }

    /// The digest of a file.
    fn digest(&self, path: &Utf8Path) -> Result<String, DiskError> {
        self.read(path, digest_of)
    }

    /// Reads a file; no link on the way there is followed.
    fn read<T>(&self, path: &Utf8Path, reader: impl FnOnce(&mut File) -> io::Result<T>) -> Result<T, DiskError> {
        let mut names: Vec<_> = path.components().map(|part| part.as_os_str()).collect();
        let last = names.pop().unwrap_or_default();
        let mut below: Option<Place> = None;
        for name in names {
            below = Some(below.as_ref().unwrap_or(&self.place).enter(name)?);
        }
        let place = below.as_ref().unwrap_or(&self.place);
        reader(&mut place.open(last)?).map_err(failed("read", place.shown(last)))
    }
}

/// What is at a path.
enum Found<'a> {
    Nothing,
    Here(&'a Node),
    /// On the way there is something that is not a directory.
    Behind(&'a Utf8Path, &'a Node),
}

fn find<'a>(old: &'a Old, path: &'a Utf8Path) -> Found<'a> {
    let mut directory = &old.directory;
    let mut way: Vec<_> = path.ancestors().filter(|above| !above.as_str().is_empty()).collect();
    way.reverse();
    for above in way {
        let name = above.file_name().unwrap_or_default();
        match directory.entries.get(std::ffi::OsStr::new(name)) {
            None => return Found::Nothing,
            Some(node) if above == path => return Found::Here(node),
            Some(Node::Directory(below)) => directory = below,
            Some(node) => return Found::Behind(above, node),
        }
    }
    Found::Nothing
}

/// A directory of the tree to be.
#[derive(Debug)]
pub(super) struct Goal<'a> {
    /// The directory of the old tree that it continues.
    pub old: Option<Stat>,
    pub entries: BTreeMap<OsString, Item<'a>>,
}

/// A thing in the tree to be.
#[derive(Debug)]
pub(super) enum Item<'a> {
    Directory(Goal<'a>),
    /// A file of portgen's; `at_hand` if the old tree has it with the same content.
    Text {
        text: &'a str,
        at_hand: bool,
    },
    /// Somebody else's, as it is in the old tree.
    Keep(&'a Node),
}

/// What a write does, and the tree that it makes.
pub(super) fn decide<'a>(
    target: Utf8PathBuf,
    old: Option<&'a Old>,
    artifacts: &'a Artifacts,
    lock_text: &'a str,
) -> Result<(Plan, Goal<'a>), DiskError> {
    let mut plan = Plan { target, ..Plan::default() };
    let owned = old.and_then(|old| old.lock.as_ref()).map(|(lock, _)| &lock.files);
    // What does not go over to the new tree as it is.
    let mut gone: BTreeSet<&Path> = BTreeSet::from([Path::new(LOCK_NAME)]);

    if let Some(old) = old {
        for (path, wrote) in owned.into_iter().flatten() {
            let path = Utf8Path::new(path);
            if artifacts.get(path).is_some() {
                continue;
            }
            match find(old, path) {
                Found::Here(Node::File(_)) if old.digest(path)? == *wrote => {
                    plan.removed.push(path.to_owned());
                    gone.insert(path.as_std_path());
                }
                Found::Behind(link, Node::Link { .. }) => {
                    return Err(DiskError::Link { path: plan.target.join(link) });
                }
                Found::Here(Node::Directory(_)) | Found::Behind(..) | Found::Nothing => {}
                Found::Here(_) => plan.kept.push(path.to_owned()),
            }
        }
    }

    let mut at_hand = BTreeSet::new();
    for artifact in artifacts.iter() {
        let path = artifact.path.as_path();
        let wrote = owned.and_then(|owned| owned.get(path.as_str()));
        // Only a file or a link can give way: what else stands there holds more than its own.
        let blocked = |plan: &mut Plan, at: &Utf8Path, node: &Node| {
            if !matches!(node, Node::File(_) | Node::Link { .. }) {
                return Err(DiskError::Occupied { path: plan.target.join(at), kind: node.word() });
            }
            let listed = owned.is_some_and(|owned| owned.contains_key(at.as_str()));
            let list = if listed { &mut plan.edited } else { &mut plan.in_the_way };
            if list.last().is_none_or(|last| last != at) {
                list.push(at.to_owned());
            }
            Ok(())
        };
        match old.map_or(Found::Nothing, |old| find(old, path)) {
            // If anything of a directory stays, `put` refuses.
            Found::Nothing | Found::Here(Node::Directory(_)) => plan.added.push(path.to_owned()),
            Found::Behind(at, Node::Link { .. }) => {
                return Err(DiskError::Link { path: plan.target.join(at) });
            }
            Found::Behind(at, node) => {
                plan.added.push(path.to_owned());
                if !plan.removed.iter().any(|removed| removed == at) {
                    plan.kept.retain(|kept| kept != at);
                    blocked(&mut plan, at, node)?;
                    gone.insert(at.as_std_path());
                }
            }
            Found::Here(node) => {
                gone.insert(path.as_std_path());
                let file = old.filter(|_| matches!(node, Node::File(_)));
                // Most files are as they should be, and comparing is cheaper than digesting.
                let same = match file {
                    Some(old) => old.holds(path, artifact.text.as_bytes())?,
                    None => false,
                };
                let found = match file {
                    Some(old) if !same && wrote.is_some() => Some(old.digest(path)?),
                    _ => None,
                };
                if same {
                    plan.unchanged.push(path.to_owned());
                    at_hand.insert(path);
                } else if found.is_some() && found.as_ref() == wrote {
                    plan.changed.push(path.to_owned());
                } else {
                    blocked(&mut plan, path, node)?;
                }
            }
        }
    }
    plan.lock_changed =
        old.and_then(|old| old.lock.as_ref()).is_none_or(|(_, text)| text.as_slice() != lock_text.as_bytes());

    // The lock is ordered by text, everything else by component.
    plan.removed.sort();
    plan.kept.sort();

    let seen = old.map(|old| &old.directory);
    let mut goal = seen
        .and_then(|seen| survivors(seen, &mut PathBuf::new(), &gone, &mut plan))
        .unwrap_or_else(|| Goal { old: seen.map(|seen| seen.stat), entries: BTreeMap::new() });
    for artifact in artifacts.iter() {
        let path = artifact.path.as_path();
        let item = Item::Text { text: &artifact.text, at_hand: at_hand.contains(path) };
        put(&mut goal, seen, &plan.target, path, item)?;
    }
    put(
        &mut goal,
        seen,
        &plan.target,
        Utf8Path::new(LOCK_NAME),
        Item::Text { text: lock_text, at_hand: !plan.lock_changed },
    )?;
    Ok((plan, goal))
}

/// What stays of a directory. One that was empty is somebody's; one that gets empty is not.
fn survivors<'a>(
    directory: &'a Directory,
    path: &mut PathBuf,
    gone: &BTreeSet<&Path>,
    plan: &mut Plan,
) -> Option<Goal<'a>> {
    let mut entries = BTreeMap::new();
    for (name, node) in &directory.entries {
        path.push(name);
        if let Node::Directory(below) = node {
            if let Some(goal) = survivors(below, path, gone, plan) {
                entries.insert(name.clone(), Item::Directory(goal));
            }
        } else if !gone.contains(path.as_path()) {
            entries.insert(name.clone(), Item::Keep(node));
            let shown = Utf8PathBuf::from(path.to_string_lossy().into_owned());
            if !plan.kept.contains(&shown) {
                plan.foreign.push(shown);
            }
        }
        path.pop();
    }
    (!entries.is_empty() || directory.entries.is_empty()).then_some(Goal { old: Some(directory.stat), entries })
}

/// Puts a file into the tree to be, and the directories it needs.
fn put<'a>(
    goal: &mut Goal<'a>,
    mut seen: Option<&Directory>,
    target: &Utf8Path,
    path: &Utf8Path,
    item: Item<'a>,
) -> Result<(), DiskError> {
    let occupied = |at: &Utf8Path, kind| Err(DiskError::Occupied { path: target.join(at), kind });
    let mut way: Vec<_> = path.ancestors().filter(|above| !above.as_str().is_empty()).collect();
    way.reverse();
    let mut goal = goal;
    for above in way {
        let name = OsString::from(above.file_name().unwrap_or_default());
        if above == path {
            if let Some(Item::Directory(_)) = goal.entries.get(&name) {
                return occupied(path, "a directory");
            }
            goal.entries.insert(name, item);
            return Ok(());
        }
        seen = seen.and_then(|seen| match seen.entries.get(&name) {
            Some(Node::Directory(below)) => Some(below),
            _ => None,
        });
        let below = goal
            .entries
            .entry(name)
            .or_insert_with(|| Item::Directory(Goal { old: seen.map(|seen| seen.stat), entries: BTreeMap::new() }));
        match below {
            Item::Directory(below) => goal = below,
            Item::Text { .. } | Item::Keep(_) => return occupied(above, "a file"),
        }
    }
    Ok(())
}
