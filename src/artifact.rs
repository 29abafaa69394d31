//! The files of a rendered tree as values: where they go, what is in them, what caused them.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};

/// The list of owned files that the disk room writes into every tree; no artifact may have this path.
pub const LOCK_NAME: &str = ".portgen.lock";

/// One file of the tree: text at a path, and the place in the spec that caused it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// Where it goes, relative to the cluster's directory: `helm/kong.values.yaml`.
    pub path: Utf8PathBuf,
    /// The whole content.
    pub text: String,
    /// The route in the spec that caused it, for reports: `gateways.kong`.
    pub route: String,
}

/// The files of one cluster, ordered by path, each path once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifacts {
    /// The cluster's name, which is also the name of its directory.
    pub cluster: String,
    files: BTreeMap<Utf8PathBuf, Artifact>,
}

/// Why a file cannot be part of a tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArtifactError {
    /// The path could leave the tree, or is not the one way to write it.
    #[error("`{}` cannot be the path of a rendered file: {why}", path.as_str().escape_debug())]
    Path {
        /// The path as given.
        path: Utf8PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Two parts of the spec cause the same file.
    #[error("`{path}` is rendered twice: from `{first}` and from `{second}`")]
    Twice {
        /// The path of both.
        path: Utf8PathBuf,
        /// The route of the one that was there.
        first: String,
        /// The route of the one that came.
        second: String,
    },
    /// A path is a file of its own and also the directory of another file.
    #[error("`{file}` is rendered as a file and also as the directory of `{below}`")]
    FileAndDirectory {
        /// The shorter path.
        file: Utf8PathBuf,
        /// The path below it.
        below: Utf8PathBuf,
    },
}

impl Artifacts {
    /// A cluster without files.
    #[must_use]
    pub fn new(cluster: impl Into<String>) -> Self {
        Self { cluster: cluster.into(), files: BTreeMap::new() }
    }

    /// Adds a file.
    ///
    /// # Errors
    ///
    /// If the path is not a plain relative one, is taken, or is a directory of another file.
    pub fn insert(&mut self, artifact: Artifact) -> Result<(), ArtifactError> {
        let path = &artifact.path;
        if let Some(why) = path_fault(path.as_str()) {
            return Err(ArtifactError::Path { path: path.clone(), why });
        }
        if let Some(other) = self.files.get(path) {
            return Err(ArtifactError::Twice {
                path: path.clone(),
                first: other.route.clone(),
                second: artifact.route,
            });
        }
        if let Some(file) = path.ancestors().skip(1).find(|above| self.files.contains_key(*above)) {
            return Err(ArtifactError::FileAndDirectory { file: file.to_owned(), below: path.clone() });
        }
        // Paths compare by component, so whatever lies below a path follows it at once.
        if let Some((below, _)) = self.files.range(path.clone()..).next().filter(|(next, _)| next.starts_with(path)) {
            return Err(ArtifactError::FileAndDirectory { file: path.clone(), below: below.clone() });
        }
        self.files.insert(path.clone(), artifact);
        Ok(())
    }

    /// The same without the file at a path.
    #[must_use]
    pub fn without(mut self, path: impl AsRef<Utf8Path>) -> Self {
        self.files.remove(path.as_ref());
        self
    }

    /// The files, ordered by path.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Artifact> {
        self.files.values()
    }

    /// The file at a path.
    #[must_use]
    pub fn get(&self, path: impl AsRef<Utf8Path>) -> Option<&Artifact> {
        self.files.get(path.as_ref())
    }

    /// How many files there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
}

/// What is wrong with the path of a file in a tree, if anything.
pub(crate) fn path_fault(path: &str) -> Option<&'static str> {
    if path.is_empty() {
        return Some("it is empty");
    }
    if path.starts_with('/') {
        return Some("it is absolute");
    }
    if path.chars().any(char::is_control) {
        return Some("it has a control character");
    }
    // `Utf8Path::components` drops `.` and doubled slashes silently; one file must have one name.
    for part in path.split('/') {
        match part {
            "" => return Some("it has an empty component"),
            "." => return Some("it has a `.` component"),
            ".." => return Some("it has a `..` component"),
            _ => {}
        }
    }
    if path == LOCK_NAME || path.starts_with(".portgen.lock/") {
        return Some("the name is reserved for portgen's own list of files");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artifact(path: &str, route: &str) -> Artifact {
        Artifact { path: path.into(), text: String::new(), route: route.into() }
    }

    #[test]
    fn files_come_back_by_path_and_in_order() {
        let mut all = Artifacts::new("a");
        assert!(all.is_empty());
        for path in ["nodes/b.yaml", "nodes.yaml", "helm/x.yaml", "nodes/a.yaml"] {
            all.insert(artifact(path, "r")).unwrap();
        }
        let paths: Vec<_> = all.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["helm/x.yaml", "nodes/a.yaml", "nodes/b.yaml", "nodes.yaml"]);
        assert_eq!(all.len(), 4);
        assert!(all.get("nodes/a.yaml").is_some());
        assert!(all.get("nodes").is_none());
    }

    #[test]
    fn a_path_that_is_not_plain_is_refused() {
        let paths = [
            "",
            "/a",
            "..",
            "../a",
            "a/..",
            "a/../b",
            ".",
            "./a",
            "a/./b",
            "a//b",
            "a/",
            "a\0b",
            "a\nb",
            ".portgen.lock",
            ".portgen.lock/a",
        ];
        for path in paths {
            let error = Artifacts::new("a").insert(artifact(path, "r")).unwrap_err();
            assert!(matches!(error, ArtifactError::Path { .. }), "{path:?}: {error}");
            assert!(!error.to_string().contains(['\0', '\n']));
        }
    }

    #[test]
    fn a_path_is_taken_once_and_is_not_also_a_directory() {
        let mut all = Artifacts::new("a");
        all.insert(artifact("a/b", "one")).unwrap();
        all.insert(artifact("a/b-c", "one")).unwrap();
        let twice = all.insert(artifact("a/b", "two")).unwrap_err();
        assert_eq!(twice.to_string(), "`a/b` is rendered twice: from `one` and from `two`");
        for path in ["a", "a/b/c", "a/b/c/d"] {
            let error = all.insert(artifact(path, "two")).unwrap_err();
            assert!(matches!(error, ArtifactError::FileAndDirectory { .. }), "{path}");
        }
        assert_eq!(all.len(), 2);
    }
}
