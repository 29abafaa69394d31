//! What is in a committed tree: every name below the cluster's directory, links as links.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::Read as _;

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::{FileType, Stat};

use super::error::{DiskError, failed};
use super::lock::Lock;
use super::place::{Place, kind, kind_word};
use super::swap;
use crate::artifact::LOCK_NAME;

/// How deep a tree may be; each level costs an open directory while it is walked.
pub(super) const MAX_DEPTH: usize = 64;
/// How many names a tree may have; portgen writes dozens, the rest is somebody else's.
const MAX_NAMES: usize = 100_000;
/// How long a file may be for its content to be of interest; portgen writes kilobytes.
const MAX_CONTENT: u64 = 4 * 1024 * 1024;

/// The content of a committed tree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    /// Everything below the directory but directories and the lock, by path in the tree.
    pub files: BTreeMap<Utf8PathBuf, Entry>,
    /// What portgen wrote there, if it ever did.
    pub lock: Option<Lock>,
}

/// One thing in a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A file and its content.
    File(Vec<u8>),
    /// A file of so many bytes, too long to be portgen's.
    Large(u64),
    /// A symbolic link and where it points; it is not followed.
    Link(Utf8PathBuf),
    /// A pipe, a socket or a device, as a word with its article.
    Other(&'static str),
}

/// A directory as it was seen.
#[derive(Debug)]
pub(super) struct Directory {
    pub stat: Stat,
    pub entries: BTreeMap<OsString, Node>,
}

/// A thing as it was seen.
#[derive(Debug)]
pub(super) enum Node {
    Directory(Directory),
    File(Stat),
    Link { stat: Stat, target: OsString },
    Other(Stat),
}

impl Node {
    fn stat(&self) -> &Stat {
        match self {
            Self::Directory(directory) => &directory.stat,
            Self::File(stat) | Self::Link { stat, .. } | Self::Other(stat) => stat,
        }
    }

    /// The word for what it is, with its article.
    pub fn word(&self) -> &'static str {
        kind_word(kind(self.stat()))
    }
}

impl Directory {
    /// Whether nothing was added, removed or changed between two looks.
    pub fn same(&self, other: &Self) -> bool {
        // Neither the time of change nor the inode: a second name for a file changes the one, and
        // on an overlay also the other.
        fn same_content(one: &Stat, two: &Stat) -> bool {
            (one.st_size, one.st_mtime, one.st_mtime_nsec) == (two.st_size, two.st_mtime, two.st_mtime_nsec)
        }
        self.stat.st_mode == other.stat.st_mode
            && self.entries.len() == other.entries.len()
            && self.entries.iter().zip(&other.entries).all(|((name, one), (other_name, two))| {
                name == other_name
                    && match (one, two) {
                        (Node::Directory(one), Node::Directory(two)) => one.same(two),
                        (Node::Link { target: one, .. }, Node::Link { target: two, .. }) => one == two,
                        _ => one.stat().st_mode == two.stat().st_mode && same_content(one.stat(), two.stat()),
                    }
            })
    }
}

/// The directory of a cluster: `None` if there is none, an error if it is anything else.
pub(super) fn open(parent: &Place, cluster: &OsStr) -> Result<Option<Place>, DiskError> {
    match parent.look(cluster)?.as_ref().map(kind) {
        None => Ok(None),
        Some(FileType::Directory) => parent.enter(cluster).map(Some),
        Some(FileType::Symlink) => Err(DiskError::Link { path: parent.shown(cluster) }),
        Some(other) => Err(DiskError::NotADirectory { path: parent.shown(cluster), kind: kind_word(other) }),
    }
}

/// The directory of a cluster for one who only looks, and so cannot repair an interrupted run.
pub(super) fn open_to_look(parent: &Place, cluster: &OsStr) -> Result<Option<Place>, DiskError> {
    let place = open(parent, cluster)?;
    if place.is_none()
        && let Some(staging) = swap::holds_old_tree(parent, cluster)?
    {
        return Err(DiskError::Interrupted { target: parent.shown(cluster), staging });
    }
    Ok(place)
}

/// Looks at every name below a directory.
pub(super) fn scan(place: &Place) -> Result<Directory, DiskError> {
    let mut left = MAX_NAMES;
    scan_below(place, MAX_DEPTH, &mut left).map_err(|error| match error {
        DiskError::TooMany { limit, .. } => DiskError::TooMany { path: place.path.clone(), limit },
        other => other,
    })
}

fn scan_below(place: &Place, depth: usize, left: &mut usize) -> Result<Directory, DiskError> {
    if depth == 0 {
        return Err(DiskError::TooDeep { path: place.path.clone(), limit: MAX_DEPTH });
    }
    let stat = place.stat()?;
    let mut entries = BTreeMap::new();
    for name in place.names()? {
        *left = left.checked_sub(1).ok_or_else(|| DiskError::TooMany { path: place.path.clone(), limit: MAX_NAMES })?;
        // A name can go away between the list and the look.
        let Some(found) = place.look(&name)? else { continue };
        let node = match kind(&found) {
            FileType::Directory => {
                // Only directories: an overlay shows its files under the device of their layer.
                if found.st_dev != stat.st_dev {
                    return Err(DiskError::Mounted { path: place.shown(&name) });
                }
                Node::Directory(scan_below(&place.enter(&name)?, depth - 1, left)?)
            }
            FileType::RegularFile => Node::File(found),
            FileType::Symlink => Node::Link { stat: found, target: place.target(&name)? },
            _ => Node::Other(found),
        };
        entries.insert(name, node);
    }
    Ok(Directory { stat, entries })
}

/// The lock of a tree and its exact text.
pub(super) fn load_lock(place: &Place, directory: &Directory) -> Result<Option<(Lock, Vec<u8>)>, DiskError> {
    let name = OsStr::new(LOCK_NAME);
    let broken = |why: String| DiskError::Lock { path: place.shown(name), why };
    match directory.entries.get(name) {
        None => Ok(None),
        Some(Node::File(_)) => {
            let content = content(place, name)?.map_err(|_| broken("it is far too long".into()))?;
            let lock = Lock::parse(&content).map_err(broken)?;
            Ok(Some((lock, content)))
        }
        Some(node) => Err(broken(format!("it is {}", node.word()))),
    }
}

/// The content of a file, or how long it is if that is too long.
fn content(place: &Place, name: &OsStr) -> Result<Result<Vec<u8>, u64>, DiskError> {
    let file = place.open(name)?;
    let mut bytes = Vec::new();
    let read = |cause| failed("read", place.shown(name))(cause);
    let length = file.metadata().map_err(read)?.len();
    if length > MAX_CONTENT {
        return Ok(Err(length));
    }
    let count = file.take(MAX_CONTENT + 1).read_to_end(&mut bytes).map_err(read)?;
    Ok(if count as u64 > MAX_CONTENT { Err(count as u64) } else { Ok(bytes) })
}

/// The content of a tree as values.
pub(super) fn load(place: &Place) -> Result<Tree, DiskError> {
    let directory = scan(place)?;
    let lock = load_lock(place, &directory)?.map(|(lock, _)| lock);
    let mut files = BTreeMap::new();
    load_below(place, &directory, Utf8Path::new(""), &mut files)?;
    files.remove(Utf8Path::new(LOCK_NAME));
    Ok(Tree { files, lock })
}

fn load_below(
    place: &Place,
    directory: &Directory,
    path: &Utf8Path,
    files: &mut BTreeMap<Utf8PathBuf, Entry>,
) -> Result<(), DiskError> {
    for (name, node) in &directory.entries {
        let below = path.join(&*name.to_string_lossy());
        let entry = match node {
            Node::Directory(directory) => {
                load_below(&place.enter(name)?, directory, &below, files)?;
                continue;
            }
            Node::File(_) => content(place, name)?.map_or_else(Entry::Large, Entry::File),
            Node::Link { target, .. } => Entry::Link((*target.to_string_lossy()).into()),
            Node::Other(_) => Entry::Other(node.word()),
        };
        files.insert(below, entry);
    }
    Ok(())
}
