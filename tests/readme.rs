//! The README: its commands are run in order, as a reader would.

mod common;

use std::path::Path;
use std::process::Command;

use common::{available, has, root};

/// The fenced blocks of one language.
fn blocks(language: &str) -> Vec<String> {
    let text = std::fs::read_to_string(root().join("README.md")).unwrap();
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

fn run(script: &str, folder: &Path) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_portgen")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let output = Command::new("sh")
        .args(["-e", "-c", script])
        .current_dir(folder)
        .env("PATH", path)
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{script}\n{said}");
    said
}

#[test]
fn the_two_commands_are_two() {
    let cargo: Vec<String> = blocks("sh").into_iter().filter(|block| block.starts_with("cargo")).collect();
    let [main_job, tests, lab] = cargo.as_slice() else { panic!("{cargo:?}") };
    // The lab is one of the tests: a command of its own prints what it proved.
    assert_eq!((tests.as_str(), lab.as_str()), ("cargo test\n", "cargo test --test lab\n"));
    assert!(main_job.starts_with("cargo run -- "), "{main_job}");
    // The same arguments, with the program that is built already.
    let scratch = tempfile::tempdir().unwrap();
    let spec =
        main_job.trim().strip_prefix("cargo run -- ").unwrap().replace("target/tour", scratch.path().to_str().unwrap());
    run(&format!("portgen {spec}"), &root());
    assert!(scratch.path().join("kong-nodeport-redirect/README.md").is_file());
}

#[test]
fn the_tour_can_be_walked() {
    if !available("git", has("git")) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let mut said = String::new();
    for block in blocks("sh").iter().filter(|block| !block.starts_with("cargo")) {
        said.push_str(&run(block, scratch.path()));
    }
    assert!(scratch.path().join("rendered/seoul-1/nodes/edge/etc/portgen/portgen.nft").is_file());
    // What the page shows of the report is what is reported.
    let shown = blocks("text").into_iter().find(|block| block.starts_with("error[")).unwrap();
    for line in shown.lines() {
        let line = line.split('…').next().unwrap();
        assert!(said.contains(line), "the README shows\n{line}\nbut the commands say\n{said}");
    }
}

#[test]
fn the_diff_of_the_tour_speaks_of_the_limits() {
    let scratch = tempfile::tempdir().unwrap();
    let init = &blocks("sh")[2];
    run(&format!("{init}\nportgen render\nsed -i 's/# limits:/limits:/' portgen.yaml"), scratch.path());
    let diff = common::portgen(scratch.path(), &["diff"]);
    assert_eq!(diff.status.code(), Some(1));
    assert!(
        common::stdout(&diff).contains("+-A PORTGEN-LIMITS -p tcp --syn --dport 30080"),
        "{}",
        common::stdout(&diff)
    );
}

#[test]
fn every_link_leads_somewhere() {
    let text = std::fs::read_to_string(root().join("README.md")).unwrap();
    for target in text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
        assert!(target.starts_with("http") || root().join(target).exists(), "{target}");
    }
}
