//! A committed tree as a git revision has it.

use std::io::Read;
use std::process::{Command, Stdio};

use camino::Utf8Path;

use super::Failure;
use crate::artifact::LOCK_NAME;
use crate::compare::Committed;

/// The files of `folder` in a revision that its lock says portgen owns; empty when the revision has no such folder.
pub fn committed(revision: &str, folder: &Utf8Path, wanted: impl Fn(&str) -> bool) -> Result<Committed, Failure> {
    // A revision that starts with a dash would be an option.
    if revision.is_empty() || revision.starts_with('-') || revision.contains(|c: char| c.is_control() || c == ':') {
        let named = crate::finding::shown(revision);
        return Err(Failure::Usage(format!(
            "`git:{named}` names no revision; write `git:main` or `git:HEAD~1:rendered`"
        )));
    }
    if git(&["rev-parse", "--git-dir"])?.is_none() {
        return Err(Failure::Usage("`--against git:…` needs a git repository, and this folder is in none".to_owned()));
    }
    git(&["rev-parse", "--quiet", "--verify", "--end-of-options", &format!("{revision}^{{commit}}")])?.ok_or_else(
        || Failure::Usage(format!("git knows no revision `{revision}`; a shallow clone has to fetch it first")),
    )?;
    let list = git(&["ls-tree", "-r", "-z", "--name-only", revision, "--", &format!("{folder}/")])?.unwrap_or_default();
    let prefix = format!("{folder}/");
    let mut committed = Committed::new();
    let mut lock = None;
    for name in list.split('\0').filter(|name| !name.is_empty()) {
        let Some(path) = name.strip_prefix(prefix.as_str()) else { continue };
        // `./` makes git read the path as ls-tree gave it: relative to where we are.
        let text = git(&["show", "--no-textconv", &format!("{revision}:./{name}")])?;
        if path == LOCK_NAME {
            lock = text;
        } else {
            committed.insert(path.into(), text);
        }
    }
    let owned = lock.and_then(|text| serde_json::from_str::<serde_json::Value>(&text).ok());
    let owns = |path: &str| owned.as_ref().is_some_and(|lock| lock["files"].get(path).is_some());
    committed.retain(|path, _| owns(path.as_str()) || wanted(path.as_str()));
    Ok(committed)
}

/// What git prints; `None` when it says no.
fn git(arguments: &[&str]) -> Result<Option<String>, Failure> {
    const MOST: u64 = 64 << 20;
    let refuse = |error: std::io::Error| Failure::Usage(format!("cannot run git: {error}"));
    let mut child = Command::new("git")
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(refuse)?;
    let mut output = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        stdout.take(MOST).read_to_end(&mut output).map_err(refuse)?;
    }
    let status = child.wait().map_err(refuse)?;
    Ok(status.success().then(|| String::from_utf8_lossy(&output).into_owned()))
}
