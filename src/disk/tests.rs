//! What the disk room promises, on real directories: also when it is stopped at any step.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, symlink};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::*;
use crate::artifact::Artifact;

/// A directory of its own for each test.
struct Scene {
    _temp: TempDir,
    root: Utf8PathBuf,
}

/// Everything of a tree that counts: kind, content and mode by path.
type Picture = BTreeMap<PathBuf, String>;

impl Scene {
    fn new() -> Self {
        let temp = TempDir::new().unwrap();
        let root = Utf8PathBuf::from_path_buf(temp.path().canonicalize().unwrap()).unwrap();
        Self { _temp: temp, root }
    }

    fn dir(&self) -> Utf8PathBuf {
        self.root.join("rendered")
    }

    fn at(&self, path: &str) -> Utf8PathBuf {
        self.dir().join("a").join(path)
    }

    fn put(&self, path: &str, text: &str) {
        let path = self.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn text(&self, path: &str) -> String {
        fs::read_to_string(self.at(path)).unwrap()
    }

    fn has(&self, path: &str) -> bool {
        self.at(path).symlink_metadata().is_ok()
    }

    fn write(&self, files: &[(&str, &str)]) -> Result<WriteReport, DiskError> {
        write_tree(&self.dir(), &artifacts(files), "0.1.0", WriteOptions::default())
    }

    fn force(&self, files: &[(&str, &str)]) -> Result<WriteReport, DiskError> {
        write_tree(&self.dir(), &artifacts(files), "0.1.0", WriteOptions { force: true })
    }

    fn plan(&self, files: &[(&str, &str)]) -> Result<Plan, DiskError> {
        plan_tree(&self.dir(), &artifacts(files), "0.1.0")
    }

    fn steps(
        &self,
        files: &[(&str, &str)],
        before: &mut dyn FnMut(&'static str) -> io::Result<()>,
    ) -> Result<WriteReport, DiskError> {
        let options = WriteOptions::default();
        write_tree_by_steps(&self.dir(), &artifacts(files), "0.1.0", options, Duration::from_secs(5), before)
    }

    fn picture(&self) -> Picture {
        picture(&self.dir().join("a"))
    }

    /// What is in the directory beside the trees.
    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(self.dir())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

fn artifacts(files: &[(&str, &str)]) -> Artifacts {
    let mut all = Artifacts::new("a");
    for (path, text) in files {
        let (path, text) = ((*path).into(), (*text).to_owned());
        all.insert(Artifact { path, text, route: "gateways.kong".to_owned() }).unwrap();
    }
    all
}

fn picture(dir: &Utf8Path) -> Picture {
    fn add(at: &std::path::Path, base: &std::path::Path, all: &mut Picture) {
        let known = at.symlink_metadata().unwrap();
        let mode = known.mode();
        let kind = known.file_type();
        let what = if kind.is_symlink() {
            format!("link to {}", fs::read_link(at).unwrap().display())
        } else if kind.is_dir() {
            for entry in fs::read_dir(at).unwrap() {
                add(&entry.unwrap().path(), base, all);
            }
            format!("{mode:o} directory")
        } else if kind.is_file() {
            format!("{mode:o} file {:?}", fs::read(at).unwrap())
        } else {
            format!("{mode:o} other")
        };
        all.insert(at.strip_prefix(base).unwrap().to_owned(), what);
    }
    let mut all = Picture::new();
    if dir.symlink_metadata().is_ok() {
        add(dir.as_std_path(), dir.as_std_path(), &mut all);
    }
    all
}

fn paths(list: &[Utf8PathBuf]) -> Vec<&str> {
    list.iter().map(|path| path.as_str()).collect()
}

fn make_pipe(path: &Utf8Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

fn system(errno: Errno) -> io::Error {
    errno.into()
}

// Sources

#[test]
fn a_source_is_read_whole_and_through_a_link() {
    let scene = Scene::new();
    let path = scene.root.join("a.yaml");
    fs::write(&path, "kind: Clüster\n").unwrap();
    symlink("a.yaml", scene.root.join("b.yaml")).unwrap();
    assert_eq!(read_source(&path).unwrap(), "kind: Clüster\n");
    assert_eq!(read_source(&scene.root.join("b.yaml")).unwrap(), "kind: Clüster\n");
}

#[test]
fn a_source_has_a_bound() {
    let scene = Scene::new();
    let path = scene.root.join("a.yaml");
    fs::write(&path, "x".repeat(1024 * 1024)).unwrap();
    assert_eq!(read_source(&path).unwrap().len(), 1024 * 1024);
    // A terabyte of nothing; reading it would take a while.
    fs::File::create(&path).unwrap().set_len(1 << 40).unwrap();
    let start = Instant::now();
    let error = read_source(&path).unwrap_err();
    assert!(matches!(error, DiskError::TooLarge { limit: 1_048_576, .. }), "{error}");
    assert!(start.elapsed() < Duration::from_secs(1));
    // A stream does not say how long it is.
    let error = read::read_text(Utf8Path::new("-"), io::repeat(b'x')).unwrap_err();
    assert!(error.to_string().starts_with("`-` is larger than 1048576 bytes"), "{error}");
}

#[test]
fn a_source_is_utf_8() {
    let scene = Scene::new();
    let path = scene.root.join("a.yaml");
    fs::write(&path, b"kind: \xff\n").unwrap();
    let error = read_source(&path).unwrap_err();
    assert!(matches!(error, DiskError::NotUtf8 { offset: 6, .. }), "{error}");
}

#[test]
fn what_is_no_file_is_no_source_and_does_not_make_it_wait() {
    let scene = Scene::new();
    let pipe = scene.root.join("pipe");
    make_pipe(&pipe);
    let socket = scene.root.join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let cases =
        [(scene.root.clone(), "a directory"), (pipe, "a pipe"), (socket, "a socket"), ("/dev/zero".into(), "a device")];
    for (path, expected) in cases {
        match read_source(&path).unwrap_err() {
            DiskError::NotAFile { kind, .. } => assert_eq!(kind, expected),
            error => panic!("{error}"),
        }
    }
    let error = read_source(&scene.root.join("none.yaml")).unwrap_err().to_string();
    assert!(error.contains("none.yaml`: No such file or directory; check the path"), "{error}");
}

#[test]
fn specs_are_found_in_order_and_rendered_trees_are_not() {
    let scene = Scene::new();
    for path in [
        "b.yaml",
        "a/z.yml",
        "a/a.yaml",
        "a.yaml",
        "notes.txt",
        "yaml",
        ".hidden/x.yaml",
        "rendered/a/.portgen.lock",
        "rendered/a/x.yaml",
        "rendered/a/deep/x.yaml",
        "rendered/other.yaml",
    ] {
        let path = scene.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
    fs::create_dir(scene.root.join("directory.yaml")).unwrap();
    symlink("b.yaml", scene.root.join("link.yaml")).unwrap();
    symlink("a", scene.root.join("link")).unwrap();
    symlink("..", scene.root.join("a/loop")).unwrap();
    let found = find_specs(&scene.root).unwrap();
    let found: Vec<_> = found.iter().map(|path| path.strip_prefix(&scene.root).unwrap().as_str()).collect();
    assert_eq!(found, ["a/a.yaml", "a/z.yml", "a.yaml", "b.yaml", "rendered/other.yaml"]);
    // A directory that is named itself is looked into, whatever it is.
    assert_eq!(find_specs(&scene.root.join("rendered/a")).unwrap().len(), 2);
    assert!(find_specs(&scene.root.join("none")).is_err());
}

#[test]
fn the_search_for_specs_has_bounds() {
    let scene = Scene::new();
    let deep = |levels: usize| scene.root.join(vec!["d"; levels].join("/"));
    fs::create_dir_all(deep(32)).unwrap();
    fs::write(deep(32).join("a.yaml"), "").unwrap();
    assert_eq!(find_specs(&scene.root).unwrap().len(), 1);
    fs::create_dir_all(deep(33)).unwrap();
    assert!(matches!(find_specs(&scene.root), Err(DiskError::TooDeep { limit: 32, .. })));

    let scene = Scene::new();
    for number in 0..10_000 {
        fs::File::create(scene.root.join(format!("{number}.yaml"))).unwrap();
    }
    assert_eq!(find_specs(&scene.root).unwrap().len(), 10_000);
    fs::File::create(scene.root.join("more.yaml")).unwrap();
    assert!(matches!(find_specs(&scene.root), Err(DiskError::TooMany { limit: 10_000, .. })));
}

#[cfg(target_os = "linux")]
#[test]
fn a_spec_whose_name_cannot_be_shown_is_an_error_and_other_files_are_not() {
    let scene = Scene::new();
    let odd = |name: &[u8]| scene.root.as_std_path().join(OsStr::from_bytes(name));
    fs::write(odd(b"\xff.txt"), "").unwrap();
    assert!(find_specs(&scene.root).unwrap().is_empty());
    fs::write(odd(b"\xff.yaml"), "").unwrap();
    assert!(matches!(find_specs(&scene.root), Err(DiskError::FileName { .. })));
}

// Trees

const ONE: &[(&str, &str)] =
    &[("helm/kong.values.yaml", "kong: 1\n"), ("nodes/a/rules.nft", "a\n"), ("README.md", "x\n")];
const TWO: &[(&str, &str)] =
    &[("helm/kong.values.yaml", "kong: 2\n"), ("nodes/b/rules.nft", "b\n"), ("README.md", "x\n")];

#[test]
fn a_first_write_makes_everything() {
    let scene = Scene::new();
    let plan = scene.plan(ONE).unwrap();
    assert!(!scene.dir().exists(), "a plan writes nothing");
    let report = scene.write(ONE).unwrap();
    assert_eq!(report, WriteReport { plan, written: true });
    assert_eq!(paths(&report.plan.added), ["README.md", "helm/kong.values.yaml", "nodes/a/rules.nft"]);
    assert_eq!(report.plan.target, scene.dir().join("a"));
    assert!(report.plan.lock_changed);
    assert_eq!(scene.text("helm/kong.values.yaml"), "kong: 1\n");
    assert_eq!(scene.names(), ["a"]);
    assert!(scene.plan(ONE).unwrap().is_current());
}

#[test]
fn a_tree_reads_back_as_values() {
    let scene = Scene::new();
    assert_eq!(read_tree(&scene.dir().join("a")).unwrap(), Tree::default());
    scene.write(ONE).unwrap();
    symlink("/etc", scene.at("link")).unwrap();
    make_pipe(&scene.at("pipe"));
    fs::File::create(scene.at("large")).unwrap().set_len(1 << 40).unwrap();
    let tree = read_tree(&scene.dir().join("a")).unwrap();
    let get = |path: &str| tree.files.get(Utf8Path::new(path));
    assert_eq!(get("nodes/a/rules.nft"), Some(&Entry::File(b"a\n".to_vec())));
    assert_eq!(get("link"), Some(&Entry::Link("/etc".into())));
    assert_eq!(get("pipe"), Some(&Entry::Other("a pipe")));
    assert_eq!(get("large"), Some(&Entry::Large(1 << 40)));
    assert_eq!(tree.files.len(), 6, "neither the lock nor what is behind the link");
    let lock = tree.lock.unwrap();
    assert_eq!(lock.portgen, "0.1.0");
    assert_eq!(lock.files.len(), 3);
}

#[test]
fn a_tree_that_is_as_it_should_be_is_not_touched() {
    let scene = Scene::new();
    scene.write(ONE).unwrap();
    scene.put("notes.txt", "mine\n");
    let times = || -> Vec<_> {
        ["", "README.md", "nodes/a", "nodes/a/rules.nft", ".portgen.lock", "..", "../.."]
            .iter()
            .map(|path| {
                let known = fs::metadata(scene.at(path)).unwrap();
                (known.ino(), known.mtime(), known.mtime_nsec(), known.ctime(), known.ctime_nsec())
            })
            .collect()
    };
    let before = times();
    let report = scene.steps(ONE, &mut |step| panic!("{step}")).unwrap();
    assert!(!report.written);
    assert_eq!(paths(&report.plan.foreign), ["notes.txt"]);
    assert_eq!(report.plan.unchanged.len(), 3);
    assert!(!scene.force(ONE).unwrap().written);
    assert_eq!(times(), before);
}

#[test]
fn a_later_write_adds_changes_and_removes() {
    let scene = Scene::new();
    scene.write(ONE).unwrap();
    let readme = fs::metadata(scene.at("README.md")).unwrap();
    let report = scene.write(TWO).unwrap();
    assert_eq!(paths(&report.plan.added), ["nodes/b/rules.nft"]);
    assert_eq!(paths(&report.plan.changed), ["helm/kong.values.yaml"]);
    assert_eq!(paths(&report.plan.removed), ["nodes/a/rules.nft"]);
    assert_eq!(paths(&report.plan.unchanged), ["README.md"]);
    assert_eq!(scene.text("helm/kong.values.yaml"), "kong: 2\n");
    assert!(!scene.has("nodes/a"), "a directory that gets empty goes");
    assert_eq!(fs::metadata(scene.at("README.md")).unwrap().mtime_nsec(), readme.mtime_nsec());
    assert_eq!(scene.names(), ["a"]);
    // However it came about, the tree is the same.
    let fresh = Scene::new();
    fresh.write(TWO).unwrap();
    assert_eq!(scene.picture(), fresh.picture());
}

#[test]
fn a_tree_can_become_empty() {
    let scene = Scene::new();
    scene.write(ONE).unwrap();
    assert_eq!(scene.write(&[]).unwrap().plan.removed.len(), 3);
    assert_eq!(scene.picture().len(), 2, "the directory and its lock");
    assert!(!scene.write(&[]).unwrap().written);
}

#[test]
fn a_file_that_was_deleted_by_hand_comes_back() {
    let scene = Scene::new();
    scene.write(ONE).unwrap();
    let whole = scene.picture();
    fs::remove_dir_all(scene.at("nodes")).unwrap();
    assert_eq!(paths(&scene.write(ONE).unwrap().plan.added), ["nodes/a/rules.nft"]);
    assert_eq!(scene.picture(), whole);
}

#[test]
fn another_version_changes_the_lock_only() {
    let scene = Scene::new();
    scene.write(ONE).unwrap();
    let all = artifacts(ONE);
    let report = write_tree(&scene.dir(), &all, "0.2.0", WriteOptions::default()).unwrap();
    assert!(report.written && report.plan.lock_changed);
    assert_eq!(report.plan.unchanged.len(), 3);
    assert!(scene.text(".portgen.lock").contains(r#""portgen": "0.2.0""#));
}

#[test]
fn an_edited_file_is_refused_and_forced() {
    let scene = Scene::new();
    scene.write(ONE).unwrap();
    scene.put("helm/kong.values.yaml", "mine\n");
    let before = scene.picture();
    let error = scene.write(TWO).unwrap_err();
    let path = scene.at("helm/kong.values.yaml");
    assert_eq!(
        error.to_string(),
        format!(
            "`{path}` was edited by hand since portgen wrote it; move the change into the spec, or pass --force to overwrite it"
        )
    );
    // Also where the spec did not change.
    assert!(matches!(scene.write(ONE), Err(DiskError::Edited { .. })));
    assert_eq!(scene.picture(), before);
    assert_eq!(scene.names(), ["a"]);
    assert_eq!(paths(&scene.plan(TWO).unwrap().edited), ["helm/kong.values.yaml"]);

    let report = scene.force(TWO).unwrap();
    assert_eq!(paths(&report.plan.edited), ["helm/kong.values.yaml"]);
    assert_eq!(scene.text("helm/kong.values.yaml"), "kong: 2\n");
    assert!(scene.plan(TWO).unwrap().is_current());
}

#[test]
fn an_edit_to_what_the_spec_now_says_is_adopted() {
    let scene = Scene::new();
    scene.write(ONE).unwrap();
    scene.put("helm/kong.values.yaml", "kong: 2\n");
    scene.put("nodes/b/rules.nft", "b\n");
    let report = scene.write(TWO).unwrap();
    assert_eq!(report.plan.unchanged.len(), 3);
    assert!(scene.plan(TWO).unwrap().is_current());
}

#[test]
fn a_strangers_file_is_refused_and_forced() {
    let scene = Scene::new();
    scene.put("README.md", "mine\n");
    match scene.write(ONE).unwrap_err() {
        error @ DiskError::Edited { .. } => {
            assert!(error.to_string().contains("portgen did not write it"), "{error}");
        }
        error => panic!("{error}"),
    }
    assert_eq!(scene.text("README.md"), "mine\n");
    let report = scene.force(ONE).unwrap();
    assert_eq!(paths(&report.plan.in_the_way), ["README.md"]);
    assert_eq!(scene.text("README.md"), "x\n");
}

#[test]
fn a_file_of_portgens_that_was_edited_is_not_removed() {
    let scene = Scene::new();
    scene.write(ONE).unwrap();
    scene.put("nodes/a/rules.nft", "mine\n");
    assert_eq!(paths(&scene.plan(TWO).unwrap().kept), ["nodes/a/rules.nft"]);
    let report = scene.force(TWO).unwrap();
    assert_eq!(paths(&report.plan.kept), ["nodes/a/rules.nft"]);
    assert!(report.plan.removed.is_empty() && report.plan.foreign.is_empty());
    assert_eq!(scene.text("nodes/a/rules.nft"), "mine\n");
    // From now on it is a stranger's.
    assert_eq!(paths(&scene.plan(TWO).unwrap().foreign), ["nodes/a/rules.nft"]);
}

#[test]
fn a_strangers_things_stay_as_they_are() {
    let scene = Scene::new();
    scene.write(ONE).unwrap();
    scene.put("notes/run.sh", "#!/bin/sh\n");
    scene.put("nodes/a/extra.nft", "extra\n");
    fs::set_permissions(scene.at("notes/run.sh"), fs::Permissions::from_mode(0o750)).unwrap();
    fs::create_dir_all(scene.at("empty/below")).unwrap();
    fs::set_permissions(scene.at("empty/below"), fs::Permissions::from_mode(0o2711)).unwrap();
    fs::set_permissions(scene.at("notes"), fs::Permissions::from_mode(0o500)).unwrap();
    fs::set_permissions(scene.at(""), fs::Permissions::from_mode(0o700)).unwrap();
    symlink("/nowhere", scene.at("dangling")).unwrap();
    symlink("notes", scene.at("current")).unwrap();
    make_pipe(&scene.at("pipe"));
    let odd = scene.at("").as_std_path().join(OsStr::from_bytes(b"odd\xff"));
    if cfg!(target_os = "linux") {
        fs::write(&odd, "odd").unwrap();
    }
    let before = scene.picture();
    let inode = fs::metadata(scene.at("notes/run.sh")).unwrap().ino();
    let report = scene.write(TWO).unwrap();
    let mut expected = before.clone();
    let fresh = Scene::new();
    fresh.write(TWO).unwrap();
    for gone in ["nodes/a/rules.nft", "helm/kong.values.yaml", ".portgen.lock"] {
        expected.remove(&PathBuf::from(gone));
    }
    for (path, what) in fresh.picture() {
        expected.entry(path).or_insert(what);
    }
    assert_eq!(scene.picture(), expected);
    assert!(scene.at("pipe").symlink_metadata().unwrap().file_type().is_fifo());
    assert_eq!(fs::metadata(scene.at("notes/run.sh")).unwrap().ino(), inode);
    let foreign: BTreeSet<_> = paths(&report.plan.foreign).into_iter().collect();
    assert!(
        foreign.is_superset(&["notes/run.sh", "nodes/a/extra.nft", "dangling", "current", "pipe"].into()),
        "{foreign:?}"
    );

    // And where a file cannot have two names, it is copied.
    scene.put("large", &"x".repeat(100_000));
    fs::remove_file(scene.at("pipe")).unwrap();
    let time = fs::metadata(scene.at("notes/run.sh")).unwrap().modified().unwrap();
    let mut before = scene.picture();
    scene
        .steps(ONE, &mut |step| {
            if step == "link file" { Err(system(Errno::XDEV)) } else { Ok(()) }
        })
        .unwrap();
    let known = fs::metadata(scene.at("notes/run.sh")).unwrap();
    assert_ne!(known.ino(), inode);
    assert_eq!(known.modified().unwrap(), time);
    scene.write(TWO).unwrap();
    let mut after = scene.picture();
    for picture in [&mut before, &mut after] {
        picture.remove(&PathBuf::from("helm/kong.values.yaml"));
    }
    assert_eq!(after, before);
}

#[test]
fn a_link_where_a_file_goes_is_refused_and_replaced_by_force() {
    let scene = Scene::new();
    scene.write(ONE).unwrap();
    let outside = scene.root.join("outside");
    // Even the right content does not count behind a link.
    fs::write(&outside, "x\n").unwrap();
    fs::remove_file(scene.at("README.md")).unwrap();
    symlink(&outside, scene.at("README.md")).unwrap();
    assert!(matches!(scene.write(ONE), Err(DiskError::Edited { .. })));
    assert_eq!(paths(&scene.force(TWO).unwrap().plan.edited), ["README.md"]);
    assert!(scene.at("README.md").symlink_metadata().unwrap().is_file());
    assert_eq!(fs::read_to_string(outside).unwrap(), "x\n");
}

#[test]
fn a_directory_where_a_file_goes_is_refused_even_by_force() {
    let scene = Scene::new();
    for thing in ["README.md/mine", "README.md"] {
        if thing == "README.md" {
            fs::remove_dir_all(scene.dir()).unwrap();
            fs::create_dir_all(scene.at(thing)).unwrap();
        } else {
            scene.put(thing, "");
        }
        for result in [scene.write(ONE), scene.force(ONE)] {
            let error = result.unwrap_err();
            assert!(matches!(error, DiskError::Occupied { kind: "a directory", .. }), "{thing}: {error}");
        }
    }
    fs::remove_dir_all(scene.dir()).unwrap();
    fs::create_dir_all(scene.at("")).unwrap();
    make_pipe(&scene.at("nodes"));
    assert!(matches!(scene.force(ONE), Err(DiskError::Occupied { kind: "a pipe", .. })));
    assert_eq!(scene.names(), ["a"]);
}

#[test]
fn a_linked_directory_is_refused_even_by_force() {
    let scene = Scene::new();
    let outside = scene.root.join("outside");
    fs::create_dir_all(outside.join("a")).unwrap();
    fs::write(outside.join("a/rules.nft"), "a\n").unwrap();
    scene.write(ONE).unwrap();
    fs::remove_dir_all(scene.at("nodes")).unwrap();
    symlink(&outside, scene.at("nodes")).unwrap();
    // With it in the spec, and with it no longer there.
    for files in [ONE, &TWO[..1]] {
        for result in [scene.write(files), scene.force(files)] {
            match result.unwrap_err() {
                DiskError::Link { path } => assert_eq!(path, scene.at("nodes")),
                error => panic!("{error}"),
            }
        }
        assert!(scene.plan(files).is_err());
    }
    assert_eq!(fs::read_to_string(outside.join("a/rules.nft")).unwrap(), "a\n");
}

#[test]
fn the_tree_itself_is_no_link_and_no_file_but_its_parent_can_be() {
    let scene = Scene::new();
    fs::create_dir_all(scene.root.join("real/b")).unwrap();
    symlink("real", scene.dir()).unwrap();
    symlink("b", scene.dir().join("a")).unwrap();
    assert!(matches!(scene.force(ONE), Err(DiskError::Link { .. })));
    assert!(matches!(scene.plan(ONE), Err(DiskError::Link { .. })));
    assert!(matches!(read_tree(&scene.dir().join("a")), Err(DiskError::Link { .. })));
    fs::remove_file(scene.dir().join("a")).unwrap();
    fs::write(scene.dir().join("a"), "").unwrap();
    assert!(matches!(scene.force(ONE), Err(DiskError::NotADirectory { kind: "a file", .. })));
    fs::remove_file(scene.dir().join("a")).unwrap();
    scene.write(ONE).unwrap();
    assert!(scene.root.join("real/a/README.md").is_file());
    assert!(fs::symlink_metadata(scene.dir()).unwrap().is_symlink());

    let error = write_tree(&scene.dir().join("a/README.md"), &artifacts(ONE), "0", WriteOptions::default());
    assert!(matches!(error, Err(DiskError::NotADirectory { .. })));
}

#[test]
fn a_file_can_become_a_directory_and_a_directory_a_file() {
    let scene = Scene::new();
    scene.write(&[("nodes", "n\n"), ("x/y/z", "z\n")]).unwrap();
    scene.write(&[("nodes/a", "a\n"), ("nodes/b", "b\n"), ("x", "x\n")]).unwrap();
    assert_eq!(scene.text("nodes/b"), "b\n");
    assert_eq!(scene.text("x"), "x\n");
    // But not over a stranger's content.
    scene.put("x", "mine\n");
    assert!(matches!(scene.write(&[("x/y", "")]), Err(DiskError::Edited { .. })));
    let report = scene.force(&[("x/y", ""), ("x/z", "")]).unwrap();
    assert_eq!(paths(&report.plan.edited), ["x"]);
    assert!(report.plan.kept.is_empty());
    assert!(scene.has("x/y"));
}

#[test]
fn a_broken_lock_stops_everything() {
    let digest = format!("sha256:{}", "0".repeat(64));
    for text in [
        "<<<<<<< HEAD\n".to_owned(),
        r#"{"version": 7}"#.to_owned(),
        format!(r#"{{"version":1,"portgen":"0","files":{{"../x":"{digest}"}}}}"#),
        format!(r#"{{"version":1,"portgen":"0","files":{{"/etc/x":"{digest}"}}}}"#),
    ] {
        let scene = Scene::new();
        scene.write(ONE).unwrap();
        scene.put(".portgen.lock", &text);
        let before = scene.picture();
        for result in [scene.write(TWO), scene.force(TWO)] {
            let error = result.unwrap_err();
            assert!(matches!(error, DiskError::Lock { .. }), "{error}");
        }
        assert!(scene.plan(TWO).is_err() && read_tree(&scene.dir().join("a")).is_err());
        assert_eq!(scene.picture(), before);
        assert_eq!(scene.names(), ["a"]);
        // What the message advises works.
        fs::remove_file(scene.at(".portgen.lock")).unwrap();
        assert!(matches!(scene.write(TWO), Err(DiskError::Edited { .. })));
        scene.force(TWO).unwrap();
        assert_eq!(paths(&scene.plan(TWO).unwrap().foreign), ["nodes/a/rules.nft"]);
    }
    let scene = Scene::new();
    fs::create_dir_all(scene.at(".portgen.lock")).unwrap();
    assert!(matches!(scene.force(ONE), Err(DiskError::Lock { .. })));
    fs::remove_dir(scene.at(".portgen.lock")).unwrap();
    symlink("/dev/zero", scene.at(".portgen.lock")).unwrap();
    assert!(matches!(scene.force(ONE), Err(DiskError::Lock { .. })));
}

#[test]
fn a_cluster_has_the_name_of_a_directory() {
    let scene = Scene::new();
    for name in ["", ".", "..", "a/b", "/a", ".portgen-a.new", "a\0", "a\n", &"a".repeat(201)] {
        let result = write_tree(&scene.dir(), &Artifacts::new(name), "0", WriteOptions { force: true });
        assert!(matches!(result, Err(DiskError::ClusterName { .. })), "{name:?}");
        assert!(plan_tree(&scene.dir(), &Artifacts::new(name), "0").is_err());
    }
    assert!(!scene.dir().exists());
}

// Two at once

#[test]
fn a_second_run_waits_and_then_gives_up() {
    let scene = Scene::new();
    let held = guard::to_write(&scene.dir(), Duration::ZERO).unwrap();
    let result = write_tree_by_steps(
        &scene.dir(),
        &artifacts(ONE),
        "0",
        WriteOptions::default(),
        Duration::from_millis(50),
        &mut |_| Ok(()),
    );
    assert!(matches!(result, Err(DiskError::Busy { .. })));
    assert!(matches!(guard::to_read(&scene.dir(), Duration::ZERO), Err(DiskError::Busy { .. })));
    assert!(scene.names().is_empty());
    drop(held);
    scene.write(ONE).unwrap();
    // Readers do not keep each other out.
    let _reader = guard::to_read(&scene.dir(), Duration::ZERO).unwrap();
    assert!(scene.plan(ONE).unwrap().is_current());
}

#[test]
fn runs_at_the_same_time_come_one_after_the_other() {
    let scene = Scene::new();
    std::thread::scope(|scope| {
        for files in [ONE, TWO, ONE, TWO] {
            let scene = &scene;
            scope.spawn(move || {
                for _ in 0..5 {
                    scene.write(files).unwrap();
                    let plan = scene.plan(files).unwrap();
                    assert!(plan.edited.is_empty() && plan.foreign.is_empty(), "{plan:?}");
                }
            });
        }
    });
    assert_eq!(scene.names(), ["a"]);
}

#[test]
fn a_change_during_the_run_is_kept() {
    for exchange in [true, false] {
        let scene = Scene::new();
        scene.write(ONE).unwrap();
        scene.put("mine", "before");
        let mut done = false;
        let result = scene.steps(TWO, &mut |step| {
            if step == "exchange" && !done {
                done = true;
                // As an editor saves: a new file over the old name.
                fs::write(scene.root.join("new"), "after\n").unwrap();
                fs::rename(scene.root.join("new"), scene.at("mine")).unwrap();
                scene.put("also mine", "");
            }
            if step == "exchange" && !exchange { Err(system(Errno::INVAL)) } else { Ok(()) }
        });
        assert!(matches!(result, Err(DiskError::ChangedMeanwhile { .. })), "{result:?}");
        assert_eq!(scene.text("mine"), "after\n");
        assert_eq!(scene.text("helm/kong.values.yaml"), "kong: 1\n");
        assert_eq!(scene.names(), ["a"]);
        scene.write(TWO).unwrap();
        assert_eq!(scene.text("mine"), "after\n");
        assert!(scene.has("also mine"));
    }
}

#[test]
fn an_old_tree_that_cannot_be_put_back_is_not_removed() {
    let scene = Scene::new();
    scene.write(ONE).unwrap();
    let mut exchanges = 0;
    let result = scene.steps(TWO, &mut |step| {
        if step == "exchange" {
            exchanges += 1;
            if exchanges == 2 {
                return Err(system(Errno::IO));
            }
            scene.put("mine", "");
        }
        Ok(())
    });
    assert!(matches!(result, Err(DiskError::InTheWay { .. })), "{result:?}");
    assert!(matches!(scene.force(TWO), Err(DiskError::InTheWay { .. })));
    assert!(scene.dir().join(".portgen-a.new/tree/mine").is_file());
}

#[test]
fn a_tree_that_appears_during_the_first_run_is_kept() {
    let scene = Scene::new();
    let mut done = false;
    let result = scene.steps(ONE, &mut |step| {
        if step == "rename" && !done {
            done = true;
            scene.put("mine", "");
        }
        Ok(())
    });
    assert!(matches!(result, Err(DiskError::ChangedMeanwhile { .. })), "{result:?}");
    assert_eq!(scene.picture().len(), 2);
    assert_eq!(scene.names(), ["a"]);
}

#[test]
fn what_does_not_read_back_is_not_put_in_place() {
    let staged = ".portgen-a.new/tree/README.md";
    let spoil: [fn(&Utf8Path); 4] = [
        |path| fs::write(path, "y\n").unwrap(),
        |path| fs::write(path, "x\nmore").unwrap(),
        |path| fs::remove_file(path).unwrap(),
        |path| fs::write(path.with_file_name("more"), "").unwrap(),
    ];
    for spoil in spoil {
        let scene = Scene::new();
        scene.write(TWO).unwrap();
        let before = scene.picture();
        let mut syncs = 0;
        let result = scene.steps(&[("README.md", "x2\n")], &mut |step| {
            if step == "sync directory" {
                syncs += 1;
                // The last one before the reading back.
                if syncs == 2 {
                    spoil(&scene.dir().join(staged));
                }
            }
            Ok(())
        });
        assert!(matches!(result, Err(DiskError::ReadBack { .. })), "{result:?}");
        assert_eq!(scene.picture(), before);
        assert_eq!(scene.names(), ["a"]);
    }
}

// Failures and crashes

/// A tree with something of everything, and what it becomes.
fn rich() -> Scene {
    let scene = Scene::new();
    scene.write(ONE).unwrap();
    scene.put("notes/mine.txt", "mine\n");
    fs::create_dir(scene.at("empty")).unwrap();
    symlink("/etc", scene.at("link")).unwrap();
    scene
}

/// Which steps the file system of a test refuses.
type Refuse = fn(&'static str) -> io::Result<()>;

const REFUSALS: [Refuse; 4] = [
    |_| Ok(()),
    |step| if step == "exchange" { Err(system(Errno::INVAL)) } else { Ok(()) },
    |step| match step {
        "exchange" | "rename" => Err(system(Errno::NOSYS)),
        _ => Ok(()),
    },
    |step| if step == "link file" { Err(system(Errno::PERM)) } else { Ok(()) },
];

/// Runs until just before the step with this number, and ends there as a kill would.
fn killed(scene: &Scene, files: &[(&str, &str)], at: usize, refuse: Refuse) -> bool {
    struct Kill;
    let mut count = 0;
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        scene.steps(files, &mut |step| {
            if count == at {
                resume_unwind(Box::new(Kill));
            }
            count += 1;
            refuse(step)
        })
    }));
    match outcome {
        Ok(result) => {
            result.unwrap();
            false
        }
        Err(payload) if payload.is::<Kill>() => true,
        Err(payload) => resume_unwind(payload),
    }
}

#[test]
fn a_run_that_is_stopped_at_any_step_leaves_the_old_tree_or_the_new() {
    for (number, refuse) in REFUSALS.into_iter().enumerate() {
        let (before, after) = {
            let scene = rich();
            let before = scene.picture();
            scene.write(TWO).unwrap();
            (before, scene.picture())
        };
        let mut seen = [0, 0, 0];
        for at in 0.. {
            let scene = rich();
            let stopped = killed(&scene, TWO, at, refuse);
            let now = scene.picture();
            if now == before {
                seen[0] += 1;
            } else if now == after {
                seen[1] += 1;
            } else {
                // Only where names cannot be exchanged there is a moment without a tree.
                assert!(now.is_empty() && [1, 2].contains(&number), "{number} {at}: {now:?}");
                assert!(matches!(scene.plan(TWO), Err(DiskError::Interrupted { .. })));
                assert!(matches!(read_tree(&scene.dir().join("a")), Err(DiskError::Interrupted { .. })));
                seen[2] += 1;
            }
            // Whatever the next run wants, it gets it, and nothing is left over.
            let (files, expected) = if at % 2 == 0 { (TWO, &after) } else { (ONE, &before) };
            scene.write(files).unwrap();
            assert_eq!(&scene.picture(), expected, "{number} {at}");
            assert_eq!(scene.names(), ["a"], "{number} {at}");
            if !stopped {
                break;
            }
        }
        assert!(seen[0] > 10 && seen[1] > 10, "{number}: {seen:?}");
        assert_eq!(seen[2] > 0, [1, 2].contains(&number), "{number}: {seen:?}");
    }
}

#[test]
fn a_first_run_that_is_stopped_at_any_step_leaves_nothing_or_the_tree() {
    let after = {
        let scene = Scene::new();
        scene.write(ONE).unwrap();
        scene.picture()
    };
    for refuse in REFUSALS {
        for at in 0.. {
            let scene = Scene::new();
            let stopped = killed(&scene, ONE, at, refuse);
            let now = scene.picture();
            assert!(now.is_empty() || now == after, "{at}: {now:?}");
            scene.write(ONE).unwrap();
            assert_eq!(scene.picture(), after);
            assert_eq!(scene.names(), ["a"]);
            if !stopped {
                break;
            }
        }
    }
}

#[test]
fn a_repair_that_is_stopped_at_any_step_is_repaired() {
    for refuse in [REFUSALS[0], REFUSALS[1]] {
        let (before, after) = {
            let scene = rich();
            let before = scene.picture();
            scene.write(TWO).unwrap();
            (before, scene.picture())
        };
        let total = (0..1000).find(|at| !killed(&rich(), TWO, *at, refuse)).unwrap();
        // From the first steps over the swap to the last steps of the removal.
        for first in (0..total).step_by(4) {
            for second in (0..).step_by(3) {
                let scene = rich();
                killed(&scene, TWO, first, refuse);
                let stopped = killed(&scene, TWO, second, refuse);
                let now = scene.picture();
                let whole = now == before || now == after;
                assert!(whole || now.is_empty(), "{first} {second}: {now:?}");
                scene.write(TWO).unwrap();
                assert_eq!(scene.picture(), after, "{first} {second}");
                assert_eq!(scene.names(), ["a"], "{first} {second}");
                if !stopped {
                    break;
                }
            }
        }
    }
}

#[test]
fn an_error_at_any_step_leaves_the_old_tree_and_no_leftovers() {
    for refuse in REFUSALS {
        let (before, after) = {
            let scene = rich();
            let before = scene.picture();
            scene.write(TWO).unwrap();
            (before, scene.picture())
        };
        for at in 0.. {
            let scene = rich();
            let mut count = 0;
            let mut refused = "";
            let result = scene.steps(TWO, &mut |step| {
                count += 1;
                if count > at {
                    // A full disk stays full.
                    if refused.is_empty() {
                        refused = step;
                    }
                    return Err(system(Errno::NOSPC));
                }
                refuse(step)
            });
            let Err(error) = result else {
                assert_eq!(scene.picture(), after);
                assert_eq!(scene.names(), ["a"]);
                // Some refusals have another way; a run that met none is the last one.
                if refused.is_empty() {
                    break;
                }
                continue;
            };
            let text = error.to_string();
            assert!(text.contains("No space left on device; free some space"), "{text}");
            assert!(text.contains(scene.dir().as_str()), "{text}");
            if matches!(error, DiskError::Leftover { .. }) {
                assert_eq!(scene.picture(), after, "{at} {refused}");
                // The next run finishes it, even if it has nothing else to do.
                assert!(!scene.write(TWO).unwrap().written);
            } else {
                assert_eq!(scene.picture(), before, "{at} {refused}");
            }
            assert_eq!(scene.names(), ["a"], "{at} {refused}");
        }
    }
}

#[test]
fn a_tree_that_cannot_be_renamed_is_left() {
    for errno in [Errno::XDEV, Errno::BUSY, Errno::ACCESS] {
        let scene = rich();
        let before = scene.picture();
        let error = scene
            .steps(TWO, &mut |step| {
                if step == "exchange" { Err(system(errno)) } else { Ok(()) }
            })
            .unwrap_err();
        if errno == Errno::ACCESS {
            assert!(error.to_string().starts_with("cannot replace `"), "{error}");
        } else {
            assert!(matches!(error, DiskError::Unmovable { .. }), "{error}");
        }
        assert_eq!(scene.picture(), before);
        assert_eq!(scene.names(), ["a"]);
    }
}

#[test]
fn a_directory_without_permission_is_named() {
    let scene = Scene::new();
    scene.write(ONE).unwrap();
    fs::set_permissions(scene.dir(), fs::Permissions::from_mode(0o555)).unwrap();
    let result = scene.write(TWO);
    fs::set_permissions(scene.dir(), fs::Permissions::from_mode(0o755)).unwrap();
    match result {
        // For root nothing is without permission.
        Ok(_) => {}
        Err(error) => {
            let text = error.to_string();
            assert!(text.contains("Permission denied; check its owner"), "{text}");
            assert!(text.contains("create the directory `"), "{text}");
            assert_eq!(scene.text("helm/kong.values.yaml"), "kong: 1\n");
        }
    }
}

#[test]
fn somebody_elses_staging_is_not_touched() {
    let staging = |scene: &Scene| scene.dir().join(".portgen-a.new");
    // A directory without the marker.
    let scene = rich();
    fs::create_dir(staging(&scene)).unwrap();
    fs::write(staging(&scene).join("mine"), "").unwrap();
    assert!(matches!(scene.force(TWO), Err(DiskError::InTheWay { .. })));
    // With the marker, but also with what portgen does not make.
    fs::write(staging(&scene).join("portgen-staging"), "portgen").unwrap();
    assert!(matches!(scene.force(TWO), Err(DiskError::InTheWay { .. })));
    assert!(staging(&scene).join("mine").exists());
    // A marker that says something else.
    fs::remove_file(staging(&scene).join("mine")).unwrap();
    fs::create_dir(staging(&scene).join("tree")).unwrap();
    fs::write(staging(&scene).join("portgen-staging"), "mine").unwrap();
    assert!(matches!(scene.force(TWO), Err(DiskError::InTheWay { .. })));
    fs::write(staging(&scene).join("portgen-staging"), "portgen makes").unwrap();
    // A link in it goes, what it points to stays.
    let outside = scene.root.join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("precious"), "").unwrap();
    symlink(&outside, staging(&scene).join("tree/link")).unwrap();
    symlink(&outside, staging(&scene).join("old")).unwrap();
    assert!(matches!(scene.force(TWO), Err(DiskError::InTheWay { .. })));
    fs::remove_file(staging(&scene).join("old")).unwrap();
    scene.write(TWO).unwrap();
    assert_eq!(scene.names(), ["a"]);
    assert!(outside.join("precious").exists());
    // The staging directory itself is a link.
    symlink(&outside, staging(&scene)).unwrap();
    assert!(matches!(scene.force(ONE), Err(DiskError::InTheWay { .. })));
    assert!(outside.join("precious").exists());
    // Of another cluster.
    fs::remove_file(staging(&scene)).unwrap();
    fs::create_dir(scene.dir().join(".portgen-b.new")).unwrap();
    scene.write(ONE).unwrap();
    assert_eq!(scene.names(), [".portgen-b.new", "a"]);
}

#[test]
fn an_old_tree_aside_is_not_removed_for_a_strangers_tree() {
    let scene = rich();
    let refuse = REFUSALS[1];
    let at = (0..1000).find(|at| {
        let scene = rich();
        killed(&scene, TWO, *at, refuse);
        scene.picture().is_empty()
    });
    killed(&scene, TWO, at.unwrap(), refuse);
    scene.put("theirs", "");
    assert!(matches!(scene.force(TWO), Err(DiskError::InTheWay { .. })));
    assert!(scene.dir().join(".portgen-a.new/old/notes/mine.txt").is_file());
    assert!(scene.has("theirs"));
}

/// Set for the child of the test below: where it writes.
const CHILD: &str = "PORTGEN_TEST_DISK_CHILD";

#[test]
fn a_run_that_is_killed_leaves_the_old_tree_or_the_new() {
    if let Ok(dir) = std::env::var(CHILD) {
        // Should the parent be gone, this ends by itself.
        for files in [TWO, ONE].into_iter().cycle().take(10_000) {
            write_tree(Utf8Path::new(&dir), &artifacts(files), "0.1.0", WriteOptions::default()).unwrap();
        }
    }
    let scene = rich();
    let before = scene.picture();
    scene.write(TWO).unwrap();
    let after = scene.picture();
    let module = module_path!().split_once("::").unwrap().1;
    let test = format!("{module}::a_run_that_is_killed_leaves_the_old_tree_or_the_new");
    let mut interrupted = 0;
    for round in 0..20 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &test, "--nocapture"])
            .env(CHILD, scene.dir())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_micros(20_000 + 1_700 * round));
        child.kill().unwrap();
        let status = child.wait().unwrap();
        assert_eq!(status.code(), None, "the child ended by itself");
        let now = scene.picture();
        assert!(now == before || now == after, "{round}: {now:?}");
        interrupted += usize::from(scene.names().len() > 1);
        scene.write(if round % 2 == 0 { ONE } else { TWO }).unwrap();
        assert_eq!(scene.picture(), if round % 2 == 0 { before.clone() } else { after.clone() });
        assert_eq!(scene.names(), ["a"]);
    }
    assert!(interrupted > 0, "no run was killed in its work");
}

// New files

#[test]
fn a_new_file_is_whole_and_never_over_another() {
    let scene = Scene::new();
    let path = scene.root.join("cluster.yaml");
    write_new_file(&path, "kind: Cluster\n").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "kind: Cluster\n");
    let error = write_new_file(&path, "other\n").unwrap_err();
    assert!(matches!(error, DiskError::Exists { .. }), "{error}");
    symlink("nowhere", scene.root.join("link")).unwrap();
    assert!(write_new_file(&scene.root.join("link"), "").is_err());
    assert!(matches!(write_new_file(&scene.root, ""), Err(DiskError::Exists { .. })));
    assert!(matches!(write_new_file(Utf8Path::new(".."), ""), Err(DiskError::Exists { .. })));
    assert!(matches!(
        write_new_file(&scene.root.join("none/x"), ""),
        Err(DiskError::Io { operation: "open the directory", .. })
    ));
    assert!(!scene.root.join("nowhere").exists());
    assert_eq!(picture(&scene.root).len(), 3);
}

#[test]
fn a_new_file_fails_whole_at_any_step() {
    let plain: Refuse = |_| Ok(());
    let without_rename: Refuse = |step| if step == "rename" { Err(system(Errno::INVAL)) } else { Ok(()) };
    for refuse in [plain, without_rename] {
        for at in 0.. {
            let scene = Scene::new();
            let path = scene.root.join("x");
            let mut count = 0;
            let result = write_new_file_by_steps(&path, "text", &mut |step| {
                count += 1;
                if count > at { Err(system(Errno::NOSPC)) } else { refuse(step) }
            });
            let content = fs::read_to_string(&path).ok();
            assert!(content.is_none() || content.as_deref() == Some("text"), "{at}");
            assert_eq!(picture(&scene.root).len(), 1 + usize::from(content.is_some()), "{at}");
            if result.is_ok() {
                assert!(content.is_some());
                break;
            }
        }
        // A name that appears in the last moment.
        let scene = Scene::new();
        let path = scene.root.join("x");
        let result = write_new_file_by_steps(&path, "text", &mut |step| {
            if step == "rename" {
                fs::write(&path, "theirs").unwrap();
            }
            refuse(step)
        });
        assert!(matches!(result, Err(DiskError::Exists { .. })), "{result:?}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "theirs");
        assert_eq!(picture(&scene.root).len(), 2);
    }
}

#[test]
fn leftovers_of_ended_runs_do_not_stop_a_new_file() {
    let scene = Scene::new();
    let leftover = scene.root.join(format!(".portgen-{}-0.new", std::process::id()));
    fs::write(&leftover, "old").unwrap();
    write_new_file(&scene.root.join("x"), "text").unwrap();
    assert_eq!(fs::read_to_string(leftover).unwrap(), "old");
    assert_eq!(picture(&scene.root).len(), 3);
}
