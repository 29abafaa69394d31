//! `.portgen.lock`: which files of a tree portgen wrote, and what it wrote into them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::artifact::{Artifacts, path_fault};

/// The only format there is so far.
const FORMAT: u64 = 1;

/// The list of the files that portgen owns in a tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    version: u64,
    /// The version of portgen that wrote the tree.
    pub portgen: String,
    /// The digest of each file, by its path in the tree.
    pub files: BTreeMap<String, String>,
}

impl Lock {
    /// The list for a tree that holds exactly these files.
    #[must_use]
    pub fn of(artifacts: &Artifacts, portgen: &str) -> Self {
        let files =
            artifacts.iter().map(|file| (file.path.as_str().to_owned(), digest(file.text.as_bytes()))).collect();
        Self { version: FORMAT, portgen: portgen.to_owned(), files }
    }

    /// Reads a list; the error says what is wrong with it.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        /// The format is looked at first, so that a later one is named instead of misread.
        #[derive(Deserialize)]
        struct Format {
            version: u64,
        }
        let format: Format = serde_json::from_slice(bytes).map_err(|cause| format!("it is broken ({cause})"))?;
        if format.version != FORMAT {
            return Err(format!("it has format {}, and this portgen knows format {FORMAT} only", format.version));
        }
        let lock: Self = serde_json::from_slice(bytes).map_err(|cause| format!("it is broken ({cause})"))?;
        for (path, digest) in &lock.files {
            if let Some(why) = path_fault(path) {
                return Err(format!("it names `{}`, which cannot be a file of the tree: {why}", path.escape_debug()));
            }
            if !is_digest(digest) {
                return Err(format!("the digest of `{path}` is not `sha256:` and 64 hex digits"));
            }
        }
        Ok(lock)
    }

    /// The file's text: sorted, one line per file, so that it merges and diffs well.
    pub(super) fn to_text(&self) -> Result<String, String> {
        serde_json::to_string_pretty(self).map(|text| text + "\n").map_err(|cause| cause.to_string())
    }
}

/// The digest of a content as the lock spells it.
pub(super) fn digest(content: &[u8]) -> String {
    spell(Sha256::new_with_prefix(content))
}

/// The digest of what a reader gives.
pub(super) fn digest_of(reader: &mut impl std::io::Read) -> std::io::Result<String> {
    let mut hash = Sha256::new();
    let mut buffer = [0; 16 * 1024];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(spell(hash)),
            Ok(count) => hash.update(&buffer[..count]),
            Err(cause) if cause.kind() == std::io::ErrorKind::Interrupted => {}
            Err(cause) => return Err(cause),
        }
    }
}

fn spell(hash: Sha256) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::from("sha256:");
    for byte in hash.finalize() {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:")
        .is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::Artifact;

    #[test]
    fn a_lock_is_pretty_sorted_and_reads_back() {
        let mut artifacts = Artifacts::new("a");
        for (path, text) in [("b/c", ""), ("b-a", "abc")] {
            let route = String::new();
            artifacts.insert(Artifact { path: path.into(), text: text.into(), route }).unwrap();
        }
        let lock = Lock::of(&artifacts, "0.1.0");
        let text = lock.to_text().unwrap();
        assert_eq!(
            text,
            "{\n  \"version\": 1,\n  \"portgen\": \"0.1.0\",\n  \"files\": {\n    \
             \"b-a\": \"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\",\n    \
             \"b/c\": \"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"\n  }\n}\n"
        );
        assert_eq!(Lock::parse(text.as_bytes()).unwrap(), lock);
    }

    #[test]
    fn a_broken_lock_says_what_is_wrong() {
        let zeros = "0".repeat(64);
        let with =
            |path: &str, digest: &str| format!(r#"{{"version":1,"portgen":"0","files":{{"{path}":"{digest}"}}}}"#);
        let good = format!("sha256:{zeros}");
        let cases = [
            (String::new(), "broken"),
            ("<<<<<<< HEAD\n{}".into(), "broken"),
            ("[]".into(), "broken"),
            (r#"{"version":"1"}"#.into(), "broken"),
            (r#"{"version":1,"files":{}}"#.into(), "portgen"),
            (r#"{"version":1,"portgen":"0","files":{},"more":1}"#.into(), "more"),
            (r#"{"version":2,"anything":1}"#.into(), "format 2"),
            (with("../a", &good), "`..`"),
            (with("/a", &good), "absolute"),
            (with("a/./b", &good), "`.`"),
            (with("", &good), "empty"),
            (with(".portgen.lock", &good), "reserved"),
            (with(r"a\u0000", &good), "control"),
            (with("a", "sha256:00"), "digest"),
            (with("a", &format!("md5:{zeros}")), "digest"),
            (with("a", &format!("sha256:{}", "A".repeat(64))), "digest"),
        ];
        for (text, expected) in cases {
            let why = Lock::parse(text.as_bytes()).unwrap_err();
            assert!(why.contains(expected), "{text}: {why}");
        }
        assert!(Lock::parse(with("a/b", &good).as_bytes()).is_ok());
    }
}
