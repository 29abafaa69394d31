//! What several test files share: where examples lie, how the program is run, how goldens are compared.
#![allow(dead_code, missing_docs)]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The examples that render, by folder name.
pub const EXAMPLES: [&str; 5] = [
    "apisix-hostnetwork-cilium",
    "apisix-metallb",
    "kong-cloud-aws",
    "kong-nodeport-redirect",
    "two-gateways-dual-stack",
];

/// Runs the program in a folder.
pub fn portgen(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_portgen"))
        .args(arguments)
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .output()
        .expect("the program runs")
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

/// Compares with a committed file, or rewrites it with `PORTGEN_UPDATE=1`.
pub fn golden(path: &Path, text: &str) {
    if std::env::var_os("PORTGEN_UPDATE").is_some() {
        fs::create_dir_all(path.parent().expect("a folder")).expect("it can be made");
        fs::write(path, text).expect("it can be written");
        return;
    }
    let committed = fs::read_to_string(path)
        .unwrap_or_else(|_| panic!("{} is missing; PORTGEN_UPDATE=1 cargo test writes it", path.display()));
    assert_eq!(committed, text, "{} is stale; PORTGEN_UPDATE=1 cargo test rewrites it", path.display());
}

/// Every file below a folder, sorted, with its path from there.
pub fn files(folder: &Path) -> Vec<(String, PathBuf)> {
    fn walk(base: &Path, folder: &Path, found: &mut Vec<(String, PathBuf)>) {
        for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(base, &path, found);
            } else {
                found.push((path.strip_prefix(base).expect("below").to_str().expect("UTF-8").to_owned(), path));
            }
        }
    }
    let mut found = Vec::new();
    walk(folder, folder, &mut found);
    found.sort();
    found
}

/// Every rendered file of every example, as (example/path, path).
pub fn rendered() -> Vec<(String, PathBuf)> {
    let examples = EXAMPLES.iter().flat_map(|example| {
        files(&root().join("examples").join(example).join("rendered"))
            .into_iter()
            .map(move |(path, file)| (format!("{example}/{path}"), file))
    });
    // Specs of the strategies and fields that no example shows, rendered for the tools alone.
    examples.chain(files(&variants())).collect()
}

/// Renders `tests/variants` into a folder of this test run, once.
fn variants() -> PathBuf {
    static ONCE: std::sync::OnceLock<PathBuf> = std::sync::OnceLock::new();
    ONCE.get_or_init(|| {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("variants-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        let output = portgen(&root(), &["render", "tests/variants", "-o", folder.to_str().expect("UTF-8")]);
        assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
        folder
    })
    .clone()
}

/// Whether a check that needs a tool or a privilege can run here. In CI it must; elsewhere it says so.
pub fn available(what: &str, present: bool) -> bool {
    if present {
        return true;
    }
    assert!(std::env::var_os("CI").is_none(), "{what} is not available, and CI must have it");
    skipped(what);
    false
}

/// What a script in `.ci` gets: where the variable says it is, or else at its path in the cache that the scripts share.
/// `none` in the variable says that it was looked for and cannot be had.
pub fn fetched(what: &str, script: &str, variable: &str, path: &str) -> Option<PathBuf> {
    let found = match std::env::var_os(variable) {
        Some(none) if none == "none" => {
            skipped(what);
            return None;
        }
        Some(named) => Some(PathBuf::from(named)),
        None => std::env::var_os("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .or_else(|| Some(std::env::home_dir()?.join(".cache")))
            .map(|cache| cache.join("portgen-ci").join(path))
            .filter(|path| path.exists()),
    };
    available(&format!("{what}, which {script} gets,"), found.is_some()).then_some(found).flatten()
}

/// Says that a check was skipped.
pub fn skipped(what: &str) {
    // Past the test runner, which keeps what the macros print from whoever should read it.
    let said = writeln!(
        std::io::stderr(),
        "\n*** SKIPPED: {what} is not available here, so nothing was checked with it ***\n"
    );
    said.expect("standard error takes it");
}

/// Whether a program can be started.
pub fn has(program: &str) -> bool {
    Command::new("sh")
        .args(["-c", &format!("command -v {program}")])
        .output()
        .is_ok_and(|output| output.status.success())
}

/// The command that runs another one in a network namespace of its own; `None` where the kernel allows none.
pub fn in_namespace() -> Option<Vec<&'static str>> {
    [vec!["unshare", "-n"], vec!["unshare", "-Urn"]].into_iter().find(|prefix| {
        Command::new(prefix[0]).args(&prefix[1..]).arg("true").output().is_ok_and(|output| output.status.success())
    })
}

/// A spec of two nodes and one Kong that is exposed this way, behind this service proxy.
pub fn one_kong(proxy: &str, families: &str, addresses: &str, exposure: &str) -> String {
    format!(
        "apiVersion: portgen/v1alpha1
kind: Cluster
metadata: {{name: lab}}
cluster:
  kubernetesVersion: \"1.34\"
  serviceProxy: {proxy}
  ipFamilies: {families}
  podSecurity: privileged
nodePools:
  edge:
    nodeSelector: {{pool: edge}}
    os: debian-12
    addresses: {addresses}
gateways:
  kong:
    chart: kong
    namespace: gw
    nodePools: [edge]
    ports:
      http: {{port: 80}}
      https: {{port: 443, tls: true}}
    replicas: 2
    exposure: {exposure}
"
    )
}
