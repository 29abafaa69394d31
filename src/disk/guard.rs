//! Keeps two runs apart: a lock on the directory itself, which leaves no file behind.

use std::fs;
use std::io;
use std::thread::sleep;
use std::time::{Duration, Instant};

use camino::Utf8Path;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::error::{DiskError, failed};
use super::place::Place;

/// How long a run waits for another one; a whole run takes a fraction of a second.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

const PAUSE: Duration = Duration::from_millis(20);

/// Opens the directory for one writer, and makes it if it is missing.
pub(super) fn to_write(path: &Utf8Path, patience: Duration) -> Result<Place, DiskError> {
    let place = if let Some(place) = Place::at(path)? {
        place
    } else {
        fs::create_dir_all(path).map_err(failed("create the directory", path))?;
        let gone = || io::Error::from(io::ErrorKind::NotFound);
        Place::at(path)?.ok_or_else(|| failed("open the directory", path)(gone()))?
    };
    // Without the lock two runs would stage into the same directory, so no lock is no run.
    hold(&place, FlockOperation::NonBlockingLockExclusive, patience)?.map_err(failed("lock the directory", path))?;
    Ok(place)
}

/// Opens the directory for readers, who keep writers out while they look; `None` if there is none.
pub(super) fn to_read(path: &Utf8Path, patience: Duration) -> Result<Option<Place>, DiskError> {
    let Some(place) = Place::at(path)? else { return Ok(None) };
    // Some network file systems cannot lock a directory. A reader there risks at worst a report
    // about a tree in the middle of its replacement.
    let _ = hold(&place, FlockOperation::NonBlockingLockShared, patience)?;
    Ok(Some(place))
}

/// The outer error is another run's lock, the inner one the system's.
fn hold(place: &Place, how: FlockOperation, patience: Duration) -> Result<rustix::io::Result<()>, DiskError> {
    let start = Instant::now();
    loop {
        match flock(&place.fd, how) {
            Err(Errno::INTR) => {}
            Err(Errno::WOULDBLOCK) if start.elapsed() < patience => sleep(PAUSE),
            Err(Errno::WOULDBLOCK) => {
                return Err(DiskError::Busy { path: place.path.clone(), seconds: patience.as_secs() });
            }
            other => return Ok(other),
        }
    }
}
