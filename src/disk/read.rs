//! Finds and reads specs: bounded, and never waiting for what is not a file.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::{Mode, OFlags};

use super::error::{DiskError, failed};
use crate::artifact::LOCK_NAME;

/// How long a spec may be.
const MAX_SOURCE: u64 = 1024 * 1024;
/// How deep specs are looked for.
const MAX_DEPTH: usize = 32;
/// How many specs there may be.
const MAX_SPECS: usize = 10_000;

/// Reads a text file of at most 1 MiB.
///
/// # Errors
///
/// If it is missing or unreadable, not a file, longer, or not UTF-8.
pub fn read_source(path: &Utf8Path) -> Result<String, DiskError> {
    let read = |cause| failed("read", path)(cause);
    // Opening a device can already do something to it, so its kind is asked first.
    expect_file(path, &fs::metadata(path).map_err(read)?)?;
    // Still without waiting: the path can become a pipe between the two calls.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = rustix::fs::open(path.as_std_path(), flags, Mode::empty())
        .map(File::from)
        .map_err(|cause| read(cause.into()))?;
    let known = file.metadata().map_err(read)?;
    expect_file(path, &known)?;
    if known.len() > MAX_SOURCE {
        return Err(DiskError::TooLarge { path: path.to_owned(), limit: MAX_SOURCE });
    }
    read_text(path, file)
}

/// Reads the standard input to its end, at most 1 MiB.
///
/// # Errors
///
/// If it is unreadable, longer, or not UTF-8; the error calls it `-`.
pub fn read_stdin() -> Result<String, DiskError> {
    read_text(Utf8Path::new("-"), io::stdin().lock())
}

/// Reads a text; whatever its length was said to be, no more than the bound is read.
pub(super) fn read_text(path: &Utf8Path, reader: impl Read) -> Result<String, DiskError> {
    let mut bytes = Vec::new();
    reader.take(MAX_SOURCE + 1).read_to_end(&mut bytes).map_err(failed("read", path))?;
    if bytes.len() as u64 > MAX_SOURCE {
        return Err(DiskError::TooLarge { path: path.to_owned(), limit: MAX_SOURCE });
    }
    String::from_utf8(bytes)
        .map_err(|error| DiskError::NotUtf8 { path: path.to_owned(), offset: error.utf8_error().valid_up_to() })
}

fn expect_file(path: &Utf8Path, known: &fs::Metadata) -> Result<(), DiskError> {
    let kind = known.file_type();
    let kind = match kind {
        _ if kind.is_file() => return Ok(()),
        _ if kind.is_dir() => "a directory",
        _ if kind.is_fifo() => "a pipe",
        _ if kind.is_socket() => "a socket",
        _ => "a device",
    };
    Err(DiskError::NotAFile { path: path.to_owned(), kind })
}

/// Every `*.yaml` and `*.yml` file below a directory, sorted; links, hidden directories and
/// rendered trees are passed over.
///
/// # Errors
///
/// If a directory is unreadable, there are more than 10,000 such files, they are more than 32
/// directories deep, or one has a name that is not UTF-8.
pub fn find_specs(dir: &Utf8Path) -> Result<Vec<Utf8PathBuf>, DiskError> {
    let start = if dir.as_str().is_empty() { Utf8Path::new(".") } else { dir };
    let mut found = Vec::new();
    let mut to_visit = vec![(start.as_std_path().to_owned(), 0)];
    while let Some((directory, depth)) = to_visit.pop() {
        visit(start, &directory, depth, &mut to_visit, &mut found)?;
    }
    found.sort();
    Ok(found)
}

fn visit(
    start: &Utf8Path,
    directory: &Path,
    depth: usize,
    to_visit: &mut Vec<(PathBuf, usize)>,
    found: &mut Vec<Utf8PathBuf>,
) -> Result<(), DiskError> {
    let list = |cause| failed("list the directory", shown(directory))(cause);
    let entries = fs::read_dir(directory).map_err(list)?.collect::<io::Result<Vec<_>>>().map_err(list)?;
    // Who names a rendered tree outright wants to see what is in it.
    if depth > 0 && entries.iter().any(|entry| entry.file_name() == LOCK_NAME) {
        return Ok(());
    }
    for entry in entries {
        let name = entry.file_name();
        // So that `.` gives `a.yaml` and not `./a.yaml`.
        let path = if directory == Path::new(".") { PathBuf::from(&name) } else { entry.path() };
        let kind = entry.file_type().map_err(failed("look at", shown(&path)))?;
        if kind.is_dir() && !name.as_encoded_bytes().starts_with(b".") {
            if depth == MAX_DEPTH {
                return Err(DiskError::TooDeep { path: shown(&path), limit: MAX_DEPTH });
            }
            to_visit.push((path, depth + 1));
        } else if kind.is_file() && path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
        {
            if found.len() == MAX_SPECS {
                return Err(DiskError::TooMany { path: start.to_owned(), limit: MAX_SPECS });
            }
            let path = Utf8PathBuf::from_path_buf(path).map_err(|path| DiskError::FileName { path: shown(&path) })?;
            found.push(path);
        }
    }
    Ok(())
}

/// Whether a path is a folder, or a link to one.
pub fn is_folder(path: &Utf8Path) -> bool {
    path.is_dir()
}

/// A path without links, or why there is none, in a few words.
///
/// # Errors
///
/// What the system says: the path does not exist, or may not be looked at.
pub fn real_path(path: &Utf8Path) -> Result<Utf8PathBuf, String> {
    path.canonicalize_utf8().map_err(|error| error.to_string().split(" (os").next().unwrap_or_default().to_lowercase())
}

/// The folders right below `dir`, hidden ones and links left out, sorted.
///
/// # Errors
///
/// If the directory is unreadable or a name in it is not UTF-8.
pub fn folders(dir: &Utf8Path) -> Result<Vec<Utf8PathBuf>, DiskError> {
    let list = |cause| failed("list the directory", dir)(cause);
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(list)? {
        let entry = entry.map_err(list)?;
        let kind = entry.file_type().map_err(failed("look at", shown(&entry.path())))?;
        if kind.is_dir() && !entry.file_name().as_encoded_bytes().starts_with(b".") {
            let path = Utf8PathBuf::from_path_buf(entry.path());
            found.push(path.map_err(|path| DiskError::FileName { path: shown(&path) })?);
        }
    }
    found.sort();
    Ok(found)
}

fn shown(path: &Path) -> Utf8PathBuf {
    Utf8PathBuf::from(path.to_string_lossy().into_owned())
}
