//! What is rendered, held against the programs that will read it.

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::{available, files, has, in_namespace, rendered};

fn ending<'a>(all: &'a [(String, std::path::PathBuf)], endings: &[&str]) -> Vec<&'a (String, std::path::PathBuf)> {
    let found: Vec<_> = all.iter().filter(|(path, _)| endings.iter().any(|ending| path.ends_with(ending))).collect();
    assert!(!found.is_empty(), "nothing ends in {endings:?}");
    found
}

#[test]
fn nft_loads_every_ruleset_and_lists_it_the_same_twice() {
    let Some(namespace) = in_namespace().filter(|_| has("nft")) else {
        available("nft in a network namespace", false);
        return;
    };
    for (name, path) in ending(&rendered(), &[".nft"]) {
        let file = path.to_str().unwrap();
        let checked =
            Command::new(namespace[0]).args(&namespace[1..]).args(["nft", "-c", "-f", file]).output().unwrap();
        assert!(checked.status.success(), "{name}: {}", String::from_utf8_lossy(&checked.stderr));
        let script = format!(
            "set -e; nft -f '{file}'; nft -s list ruleset > '{file}.once'; nft -f '{file}'; nft -s list ruleset | cmp - '{file}.once'; \
             nft 'table inet portgen; delete table inet portgen'; nft list ruleset | cmp - /dev/null"
        );
        let script = script.replace(
            &format!("{file}.once"),
            &format!("{}/{}.once", env!("CARGO_TARGET_TMPDIR"), name.replace('/', "_")),
        );
        let loaded = Command::new(namespace[0]).args(&namespace[1..]).args(["sh", "-c", &script]).output().unwrap();
        assert!(loaded.status.success(), "{name}: {}", String::from_utf8_lossy(&loaded.stderr));
    }
}

#[test]
fn both_iptables_variants_take_every_restore_file() {
    let variants = ["nft", "legacy"];
    let present = variants.iter().all(|variant| has(&format!("iptables-{variant}-restore")));
    let Some(namespace) = in_namespace().filter(|_| present) else {
        available("iptables-nft and iptables-legacy in a network namespace", false);
        return;
    };
    for (name, path) in ending(&rendered(), &["limits.v4", "limits.v6"]) {
        let program = if name.ends_with("v4") { "iptables" } else { "ip6tables" };
        for variant in variants {
            let file = path.display();
            // Restored three times is restored once, and a foreign chain in the same table stays.
            let script = format!(
                "set -e; {program}-{variant}-restore --test --noflush '{file}'; \
                 {program}-{variant} -t mangle -N KUBE-X; \
                 {program}-{variant}-restore -w 30 --noflush '{file}'; once=$({program}-{variant} -t mangle -S; {program}-{variant} -t raw -S); \
                 {program}-{variant}-restore --noflush '{file}'; {program}-{variant}-restore --noflush '{file}'; \
                 twice=$({program}-{variant} -t mangle -S; {program}-{variant} -t raw -S); \
                 test \"$once\" = \"$twice\"; {program}-{variant} -t mangle -S KUBE-X"
            );
            let output = Command::new(namespace[0]).args(&namespace[1..]).args(["sh", "-c", &script]).output().unwrap();
            assert!(output.status.success(), "{name} ({variant}): {}", String::from_utf8_lossy(&output.stderr));
        }
    }
}

#[test]
fn systemd_finds_nothing_to_say_about_any_unit() {
    if !available("systemd-analyze", has("systemd-analyze")) {
        return;
    }
    let mut trees: Vec<std::path::PathBuf> = Vec::new();
    for (_, path) in ending(&rendered(), &[".service", ".socket"]) {
        let folder = path.parent().unwrap().to_owned();
        if !trees.contains(&folder) {
            trees.push(folder);
        }
    }
    for folder in trees {
        // All units of a node at once: a socket names its service.
        let units: Vec<_> = files(&folder).into_iter().map(|(_, path)| path).collect();
        let output = Command::new("systemd-analyze").arg("verify").args(&units).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{}: {said}", folder.display());
    }
}

/// YAML as kubectl reads it, against YAML as portgen meant it.
#[test]
fn kubectl_reads_every_file_as_it_was_meant() {
    let program = ["kubectl"].into_iter().find(|program| has(program));
    if !available("kubectl", program.is_some()) {
        return;
    }
    for (name, path) in ending(&rendered(), &[".yaml"]) {
        for (position, meant) in documents(path).into_iter().enumerate() {
            // Any document becomes data of a ConfigMap, which kubectl reads without a cluster.
            let scratch = tempfile::tempdir().unwrap();
            let text = document_text(path, position);
            let wrapped = format!(
                "apiVersion: example.com/v1\nkind: Probe\nmetadata: {{name: probe}}\nspec:\n{}",
                indented(&text)
            );
            let file = scratch.path().join("probe.yaml");
            fs::write(&file, wrapped).unwrap();
            let output = Command::new("kubectl")
                .args(["label", "--local", "-f"])
                .arg(&file)
                .args(["-o", "json", "probe=1"])
                .output()
                .unwrap();
            assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
            let read: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(read["spec"], meant, "{name}");
        }
    }
}

fn document_text(path: &Path, position: usize) -> String {
    let text = fs::read_to_string(path).unwrap();
    text.split("\n---\n").nth(position).unwrap().to_owned()
}

fn indented(text: &str) -> String {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| if line.is_empty() { "\n".to_owned() } else { format!("  {line}\n") })
        .collect()
}

fn documents(path: &Path) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(path).unwrap();
    text.split("\n---\n")
        .map(|text| portgen::source::compose(text, portgen::source::FileId(0)).unwrap().to_json())
        .collect()
}

#[test]
fn kustomize_builds_every_kustomization() {
    if !available("kubectl", has("kubectl")) {
        return;
    }
    for (name, path) in ending(&rendered(), &["kustomization.yaml"]) {
        let output = Command::new("kubectl").arg("kustomize").arg(path.parent().unwrap()).output().unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// What an operator pastes is a shell's to read, and so is what it sends to a node.
#[test]
fn a_shell_reads_every_command_of_every_readme() {
    let mut scripts = 0;
    for (name, path) in ending(&rendered(), &["README.md"]) {
        let text = fs::read_to_string(path).unwrap();
        for block in text.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap()) {
            parses(block, name);
            // What runs on the node stands between quotes.
            if let Some(inner) = block.split("ssh root@\"$NODE\" '").nth(1) {
                parses(inner.rsplit_once('\'').unwrap().0, name);
                scripts += 1;
            }
        }
    }
    assert!(scripts > 5, "{scripts}");
}

fn parses(script: &str, name: &str) {
    let output = Command::new("sh").args(["-n", "-c", script]).output().unwrap();
    assert!(output.status.success(), "{name}: {script}\n{}", String::from_utf8_lossy(&output.stderr));
}

/// The part of the script that takes away what an earlier tree left, with a folder for /etc and no systemd.
#[test]
fn the_script_takes_away_what_an_earlier_tree_left() {
    let (_, path) =
        rendered().into_iter().find(|(name, _)| name.ends_with("apisix-hostnetwork-cilium/README.md")).unwrap();
    let text = fs::read_to_string(path).unwrap();
    let script = text.split("  cd /etc\n").nth(1).unwrap().split("  done\n").next().unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let etc = scratch.path();
    for file in [
        "portgen/portgen.nft",
        "portgen/limits.v4",
        "systemd/system/portgen.service",
        "systemd/system/portgen-a.socket",
        "systemd/system/other.service",
        "sysctl.d/90-portgen.conf",
        "sysctl.d/99-mine.conf",
    ] {
        fs::create_dir_all(etc.join(file).parent().unwrap()).unwrap();
        fs::write(etc.join(file), "").unwrap();
    }
    let log = etc.join("log");
    let script = format!(
        "set -e; systemctl() {{ echo systemctl \"$@\" >> log; }}; sysctl() {{ echo sysctl \"$@\" >> log; }}\n{script}done\n"
    );
    let output = Command::new("sh").args(["-c", &script]).current_dir(etc).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut left: Vec<String> = files(etc).into_iter().map(|(name, _)| name).filter(|name| name != "log").collect();
    left.sort();
    assert_eq!(
        left,
        [
            "portgen/portgen.nft",
            "sysctl.d/99-mine.conf",
            "systemd/system/other.service",
            "systemd/system/portgen.service"
        ]
    );
    let said = fs::read_to_string(log).unwrap();
    assert!(
        said.contains("systemctl disable --now portgen-a.socket") && said.contains("ip_unprivileged_port_start=1024"),
        "{said}"
    );
}
