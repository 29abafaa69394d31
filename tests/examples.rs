//! The examples: their committed trees are what their specs render to, byte for byte.

mod common;

use std::fs;

use common::{EXAMPLES, golden, portgen, root, stderr, stdout};

#[test]
fn every_committed_tree_is_what_its_spec_renders_to() {
    for example in EXAMPLES {
        let folder = root().join("examples").join(example);
        if std::env::var_os("PORTGEN_UPDATE").is_some() {
            let output = portgen(&folder, &["render", "--force"]);
            assert_eq!(output.status.code(), Some(0), "{example}: {}{}", stdout(&output), stderr(&output));
        }
        let output = portgen(&folder, &["render", "--check"]);
        assert_eq!(output.status.code(), Some(0), "{example}: {}{}", stdout(&output), stderr(&output));
    }
}

#[test]
fn every_example_is_among_them() {
    let mut folders: Vec<String> = fs::read_dir(root().join("examples"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    folders.sort();
    let mut known: Vec<String> = EXAMPLES.iter().map(ToString::to_string).collect();
    known.push("kong-nodeport-redirect-refused".to_owned());
    known.sort();
    assert_eq!(folders, known);
}

#[test]
fn the_refused_example_shows_why() {
    let folder = root().join("examples/kong-nodeport-redirect-refused");
    for spec in ["iptables", "cilium"] {
        let path = format!("examples/kong-nodeport-redirect-refused/{spec}.yaml");
        let output = portgen(&root(), &["check", &path]);
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        golden(&folder.join(format!("{spec}.findings.txt")), &stdout(&output));
        let scratch = tempfile::tempdir().unwrap();
        let output = portgen(&root(), &["render", &path, "-o", scratch.path().to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0, "a refused spec writes nothing");
    }
}

#[test]
fn a_tree_does_not_depend_on_where_it_is_rendered() {
    if std::env::var_os("PORTGEN_UPDATE").is_some() {
        // The committed trees are being rewritten beside this test.
        return;
    }
    for example in EXAMPLES {
        let spec = root().join("examples").join(example).join("portgen.yaml");
        let scratch = tempfile::tempdir().unwrap();
        let output = portgen(scratch.path(), &["render", spec.to_str().unwrap(), "-o", "deep/er"]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let committed = root().join("examples").join(example).join("rendered").join(example);
        let here = scratch.path().join("deep/er").join(example);
        let read = |folder: &std::path::Path| -> Vec<(String, String)> {
            common::files(folder).into_iter().map(|(path, file)| (path, fs::read_to_string(file).unwrap())).collect()
        };
        for (committed, here) in read(&committed).iter().zip(read(&here).iter()) {
            assert!(committed == here, "{example}: {} differs", here.0);
        }
        assert_eq!(read(&committed).len(), read(&here).len(), "{example}");
    }
}

#[test]
fn the_resolved_spec_renders_to_the_same_tree() {
    for example in EXAMPLES {
        let folder = root().join("examples").join(example);
        let resolved = portgen(&folder, &["explain", "--resolved", "portgen.yaml"]);
        assert_eq!(resolved.status.code(), Some(0), "{}", stderr(&resolved));
        let scratch = tempfile::tempdir().unwrap();
        fs::write(scratch.path().join("portgen.yaml"), &resolved.stdout).unwrap();
        let output = portgen(scratch.path(), &["render", "--check", "-o", folder.join("rendered").to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(0), "{example}: {}{}", stdout(&output), stderr(&output));
        let again = portgen(scratch.path(), &["explain", "--resolved"]);
        assert_eq!(stdout(&resolved), stdout(&again), "{example}: resolving twice changes nothing");
    }
}

#[test]
fn a_resolved_variant_renders_to_the_same_tree() {
    for (name, path) in common::files(&root().join("tests/variants")) {
        let scratch = tempfile::tempdir().unwrap();
        fs::copy(path, scratch.path().join("portgen.yaml")).unwrap();
        let rendered = portgen(scratch.path(), &["render"]);
        assert_eq!(rendered.status.code(), Some(0), "{name}: {}{}", stdout(&rendered), stderr(&rendered));
        let resolved = portgen(scratch.path(), &["explain", "--resolved"]);
        assert_eq!(resolved.status.code(), Some(0), "{name}: {}", stderr(&resolved));
        fs::write(scratch.path().join("portgen.yaml"), &resolved.stdout).unwrap();
        let output = portgen(scratch.path(), &["render", "--check"]);
        assert_eq!(output.status.code(), Some(0), "{name}: {}{}", stdout(&output), stderr(&output));
    }
}
