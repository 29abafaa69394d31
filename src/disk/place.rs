//! An open directory and the name it is shown by: every path is one step from one of these.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::{self, AtFlags, Dir, FileType, Mode, OFlags, RawMode, Stat};
use rustix::io::Errno;

use super::error::{DiskError, failed};

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// An open directory. Steps from it never follow a link, whoever swaps names meanwhile.
#[derive(Debug)]
pub(super) struct Place {
    pub fd: std::os::fd::OwnedFd,
    pub path: Utf8PathBuf,
}

impl Place {
    /// Opens a directory by path; the only way in that follows links. `None` if there is none.
    pub fn at(path: &Utf8Path) -> Result<Option<Self>, DiskError> {
        let path = if path.as_str().is_empty() { Utf8Path::new(".") } else { path };
        match fs::open(path.as_std_path(), DIRECTORY, Mode::empty()) {
            Ok(fd) => Ok(Some(Self { fd, path: path.to_owned() })),
            Err(Errno::NOENT) => Ok(None),
            Err(Errno::NOTDIR) => {
                let kind = fs::stat(path.as_std_path()).map_or("below a file", |stat| kind_word(kind(&stat)));
                Err(DiskError::NotADirectory { path: path.to_owned(), kind })
            }
            Err(cause) => Err(failed("open the directory", path)(cause)),
        }
    }

    /// Opens a directory in this one.
    pub fn enter(&self, name: &OsStr) -> Result<Self, DiskError> {
        let path = self.shown(name);
        let fd = fs::openat(&self.fd, name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty())
            .map_err(failed("open the directory", &path))?;
        Ok(Self { fd, path })
    }

    /// Opens a file in this directory for reading; a pipe does not make it wait.
    pub fn open(&self, name: &OsStr) -> Result<File, DiskError> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        fs::openat(&self.fd, name, flags, Mode::empty()).map(File::from).map_err(failed("read", self.shown(name)))
    }

    /// What is known of this directory itself.
    pub fn stat(&self) -> Result<Stat, DiskError> {
        fs::fstat(&self.fd).map_err(failed("look at", &self.path))
    }

    /// What is known of a name in this directory; of a link, not of what it points to.
    pub fn look(&self, name: &OsStr) -> Result<Option<Stat>, DiskError> {
        match fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(cause) => Err(failed("look at", self.shown(name))(cause)),
        }
    }

    /// Every name in this directory, in no order.
    pub fn names(&self) -> Result<Vec<OsString>, DiskError> {
        let list = || -> rustix::io::Result<Vec<OsString>> {
            let mut names = Vec::new();
            for entry in Dir::read_from(&self.fd)? {
                let entry = entry?;
                let name = entry.file_name().to_bytes();
                if name != b"." && name != b".." {
                    names.push(OsStr::from_bytes(name).to_owned());
                }
            }
            Ok(names)
        };
        list().map_err(failed("list", &self.path))
    }

    /// Where a link points.
    pub fn target(&self, name: &OsStr) -> Result<OsString, DiskError> {
        fs::readlinkat(&self.fd, name, Vec::new())
            .map(|target| OsStr::from_bytes(target.as_bytes()).to_owned())
            .map_err(failed("read the link", self.shown(name)))
    }

    /// The path of a name in this directory, for people.
    pub fn shown(&self, name: &OsStr) -> Utf8PathBuf {
        let name = name.to_string_lossy();
        if self.path == "." { Utf8PathBuf::from(&*name) } else { self.path.join(&*name) }
    }
}

/// What kind of thing it is.
pub(super) fn kind(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode as RawMode)
}

/// The word for a kind, with its article.
pub(super) fn kind_word(kind: FileType) -> &'static str {
    match kind {
        FileType::RegularFile => "a file",
        FileType::Directory => "a directory",
        FileType::Symlink => "a symbolic link",
        FileType::Fifo => "a pipe",
        FileType::Socket => "a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        FileType::Unknown => "something else",
    }
}

/// The hand that changes the disk: each change is announced, so that a test can let it fail or
/// stop the run right there.
pub(super) struct Hand<'a> {
    before: &'a mut dyn FnMut(&'static str) -> io::Result<()>,
}

impl<'a> Hand<'a> {
    /// A hand that asks before each change.
    pub fn new(before: &'a mut dyn FnMut(&'static str) -> io::Result<()>) -> Self {
        Self { before }
    }

    fn change<T>(
        &mut self,
        step: &'static str,
        change: impl FnOnce() -> rustix::io::Result<T>,
    ) -> rustix::io::Result<T> {
        (self.before)(step).map_err(|cause| Errno::from_io_error(&cause).unwrap_or(Errno::IO))?;
        change()
    }

    /// Makes a directory and opens it.
    pub fn make_directory(&mut self, at: &Place, name: &OsStr) -> Result<Place, DiskError> {
        self.change("make directory", || fs::mkdirat(&at.fd, name, Mode::from_raw_mode(0o777)))
            .map_err(failed("create the directory", at.shown(name)))?;
        at.enter(name)
    }

    /// Makes a file that was not there, and waits until it is on the disk.
    pub fn make_file(
        &mut self,
        at: &Place,
        name: &OsStr,
        content: &mut dyn io::Read,
        mode: RawMode,
    ) -> Result<File, DiskError> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mut file = self
            .change("create file", || fs::openat(&at.fd, name, flags, Mode::from_raw_mode(mode)))
            .map(File::from)
            .map_err(failed("create", at.shown(name)))?;
        (self.before)("write file")
            .and_then(|()| io::copy(content, &mut file))
            .map_err(failed("write", at.shown(name)))?;
        (self.before)("sync file").and_then(|()| file.sync_all()).map_err(failed("write", at.shown(name)))?;
        Ok(file)
    }

    /// Makes a second name for a file; the error is the system's, since there is another way.
    pub fn link(&mut self, from: &Place, to: &Place, name: &OsStr) -> rustix::io::Result<()> {
        self.change("link file", || fs::linkat(&from.fd, name, &to.fd, name, AtFlags::empty()))
    }

    /// Makes a symbolic link.
    pub fn make_link(&mut self, at: &Place, name: &OsStr, target: &OsStr) -> Result<(), DiskError> {
        self.change("make link", || fs::symlinkat(target, &at.fd, name))
            .map_err(failed("create the link", at.shown(name)))
    }

    /// Gives a directory the owner and the mode of another.
    pub fn dress(&mut self, at: &Place, like: &Stat) -> Result<(), DiskError> {
        let now = at.stat()?;
        if (now.st_uid, now.st_gid) != (like.st_uid, like.st_gid) {
            // Only root can give a directory away; for anyone else the new owner is the normal one.
            let _ = std::os::unix::fs::fchown(&at.fd, Some(like.st_uid), Some(like.st_gid));
        }
        let mode = Mode::from_raw_mode(like.st_mode as RawMode);
        if Mode::from_raw_mode(now.st_mode as RawMode) != mode {
            self.change("set mode", || fs::fchmod(&at.fd, mode)).map_err(failed("set the mode of", &at.path))?;
        }
        Ok(())
    }

    /// Waits until the names in a directory are on the disk.
    pub fn sync(&mut self, at: &Place) -> Result<(), DiskError> {
        match self.change("sync directory", || fs::fsync(&at.fd)) {
            // Some file systems have nothing to sync for a directory, and say so.
            Ok(()) | Err(Errno::INVAL | Errno::NOTSUP) => Ok(()),
            Err(cause) => Err(failed("write", &at.path)(cause)),
        }
    }

    /// Gives a staged file its name, over nothing; the error is the system's.
    pub fn publish(&mut self, at: &Place, staged: &OsStr, name: &OsStr) -> rustix::io::Result<()> {
        match self.change("rename", || rename_over_nothing(at, staged, at, name)) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
            other => return other,
        }
        // A plain rename would overwrite; a second name never does.
        self.change("link file", || fs::linkat(&at.fd, staged, &at.fd, name, AtFlags::empty()))?;
        self.change("remove file", || fs::unlinkat(&at.fd, staged, AtFlags::empty()))
    }

    /// Gives a directory another name, over nothing; the error is the system's.
    pub fn rename(&mut self, from: &Place, old: &OsStr, to: &Place, new: &OsStr) -> rustix::io::Result<()> {
        match self.change("rename", || rename_over_nothing(from, old, to, new)) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
            other => return other,
        }
        // A plain rename puts a directory over nothing but an empty directory, and the lock on
        // the directory keeps other runs from making one between the look and the rename.
        match fs::statat(&to.fd, new, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => {}
            Ok(_) => return Err(Errno::EXIST),
            Err(cause) => return Err(cause),
        }
        self.change("rename plainly", || fs::renameat(&from.fd, old, &to.fd, new))
    }

    /// Swaps two names in one step; the error is the system's, since there is another way.
    pub fn exchange(&mut self, from: &Place, old: &OsStr, to: &Place, new: &OsStr) -> rustix::io::Result<()> {
        self.change("exchange", || exchange(from, old, to, new))
    }

    /// Removes a name that is not a directory; a link goes, what it points to stays.
    pub fn remove_file(&mut self, at: &Place, name: &OsStr) -> Result<(), DiskError> {
        self.change("remove file", || fs::unlinkat(&at.fd, name, AtFlags::empty()))
            .map_err(failed("remove", at.shown(name)))
    }

    /// Removes an empty directory.
    pub fn remove_directory(&mut self, at: &Place, name: &OsStr) -> Result<(), DiskError> {
        self.change("remove directory", || fs::unlinkat(&at.fd, name, AtFlags::REMOVEDIR))
            .map_err(failed("remove the directory", at.shown(name)))
    }

    /// Removes a name and everything below it, on this file system only.
    pub fn remove_all(&mut self, at: &Place, name: &OsStr, depth: usize) -> Result<(), DiskError> {
        let Some(stat) = at.look(name)? else { return Ok(()) };
        if kind(&stat) != FileType::Directory {
            return self.remove_file(at, name);
        }
        let below = at.enter(name)?;
        let stat = below.stat()?;
        if stat.st_dev != at.stat()?.st_dev {
            return Err(DiskError::Mounted { path: below.path });
        }
        if depth == 0 {
            return Err(DiskError::TooDeep { path: below.path, limit: super::tree::MAX_DEPTH });
        }
        let mode = Mode::from_raw_mode(stat.st_mode as RawMode);
        if !mode.contains(Mode::RWXU) {
            // The copy of a directory without write permission could otherwise never be emptied.
            let _ = self.change("set mode", || fs::fchmod(&below.fd, mode | Mode::RWXU));
        }
        for name in below.names()? {
            self.remove_all(&below, &name, depth - 1)?;
        }
        self.remove_directory(at, name)
    }
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn rename_over_nothing(from: &Place, old: &OsStr, to: &Place, new: &OsStr) -> rustix::io::Result<()> {
    fs::renameat_with(&from.fd, old, &to.fd, new, fs::RenameFlags::NOREPLACE)
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn exchange(from: &Place, old: &OsStr, to: &Place, new: &OsStr) -> rustix::io::Result<()> {
    fs::renameat_with(&from.fd, old, &to.fd, new, fs::RenameFlags::EXCHANGE)
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn rename_over_nothing(_: &Place, _: &OsStr, _: &Place, _: &OsStr) -> rustix::io::Result<()> {
    Err(Errno::NOSYS)
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn exchange(_: &Place, _: &OsStr, _: &Place, _: &OsStr) -> rustix::io::Result<()> {
    Err(Errno::NOSYS)
}
