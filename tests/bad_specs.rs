//! Bad specs: what each must be told, and that none of them panics, hangs or eats the machine.
//!
//! A folder of `tests/bad` is a case: a faulty `portgen.yaml`, the files it needs, and `expected.txt`, the report that
//! `portgen check` gives when it runs there. `PORTGEN_UPDATE=1 cargo test --test bad_specs` writes these files anew;
//! read the difference as a user would. What is too large or too strange for a repository is made here.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{Read as _, Seek as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// No fewer cases than this.
const FEWEST: usize = 60;
/// The memory a run may take, in KiB: the kernel refuses any more data.
const MEMORY: u32 = 64 * 1024;
/// The CPU time a run may take, in seconds: the kernel ends it after that.
const SECOND: u32 = 1;
/// The same for a megabyte of text, which a build without optimization reads ten times slower.
const LARGE: u32 = if cfg!(debug_assertions) { 6 } else { SECOND };
/// When a run hangs without using the CPU; generous, as the machine may be busy.
const WALL: Duration = Duration::from_secs(30);

/// What a run of the program left behind.
struct Outcome {
    stdout: String,
    stderr: String,
    /// The exit code, or the signal that ended it.
    code: Result<i32, i32>,
}

impl Outcome {
    /// As `expected.txt` has it.
    fn text(&self) -> String {
        let mut text = self.stdout.clone();
        match self.code {
            Ok(code) => writeln!(text, "exit: {code}").unwrap(),
            Err(signal) => writeln!(text, "signal: {signal}").unwrap(),
        }
        if !self.stderr.is_empty() {
            write!(text, "stderr:\n{}", self.stderr).unwrap();
        }
        text
    }

    /// What no text may bring about: a panic, an end by the kernel, or output that moves a cursor.
    fn complaint(&self) -> Option<String> {
        let raw = |text: &str| text.chars().find(|&c| (c.is_control() && c != '\n') || is_bidirectional(c));
        match self.code {
            _ if self.stderr.contains("panicked") => Some(format!("it panicked: {}", start(&self.stderr))),
            _ if self.out_of_memory() => Some(format!("it took more than {MEMORY} KiB")),
            Err(24 | 9) => Some("it took too long".to_owned()),
            Err(signal) => Some(format!("signal {signal} ended it: {}", start(&self.stderr))),
            Ok(0..=2) => raw(&self.stdout).or(raw(&self.stderr)).map(|c| format!("it printed a raw {c:?}")),
            Ok(code) => Some(format!("it ended with {code}")),
        }
    }

    fn out_of_memory(&self) -> bool {
        self.stderr.contains("memory allocation") || self.text().contains("out of memory")
    }

    /// The same for a spec that must not pass.
    fn pass_or_complaint(&self) -> Option<String> {
        self.complaint().or_else(|| (self.code == Ok(0)).then(|| "nothing wrong was found".to_owned()))
    }
}

/// Characters that turn the direction of a line.
fn is_bidirectional(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn start(text: &str) -> String {
    text.chars().take(400).collect()
}

/// Runs `portgen check` in a folder, bounded by the kernel, with a standard input of its own.
fn check(folder: &Path, arguments: &[&str], seconds: u32, stdin: Stdio) -> Outcome {
    let (mut stdout, mut stderr) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
    let mut child = Command::new("sh")
        .arg("-c")
        .arg(format!("ulimit -c 0; ulimit -d {MEMORY}; ulimit -t {seconds}; exec \"$0\" check --color never \"$@\""))
        .arg(env!("CARGO_BIN_EXE_portgen"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("RUST_BACKTRACE")
        .stdin(stdin)
        .stdout(stdout.try_clone().unwrap())
        .stderr(stderr.try_clone().unwrap())
        .spawn()
        .unwrap();
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if started.elapsed() > WALL {
            child.kill().unwrap();
        }
        thread::sleep(Duration::from_millis(2));
    };
    let text = |file: &mut File| {
        let mut bytes = Vec::new();
        file.rewind().unwrap();
        file.read_to_end(&mut bytes).unwrap();
        String::from_utf8(bytes).expect("reports are UTF-8")
    };
    Outcome {
        stdout: text(&mut stdout),
        stderr: text(&mut stderr),
        code: status.code().ok_or_else(|| status.signal().unwrap_or_default()),
    }
}

/// The folders of `tests/bad`, sorted.
fn cases() -> Vec<PathBuf> {
    let entries = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad")).unwrap();
    let mut cases: Vec<_> = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    cases.sort();
    assert!(cases.len() >= FEWEST, "{} cases, at least {FEWEST} are wanted", cases.len());
    cases
}

/// Does the same with every item, on two threads, and fails with everything that went wrong.
fn each<T: Sync>(items: &[T], run: impl Fn(&T, &mut Vec<String>) + Sync) {
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let mut mine = Vec::new();
                    run(item, &mut mine);
                    wrong.lock().unwrap().append(&mut mine);
                }
            });
        }
    });
    let mut wrong = wrong.into_inner().unwrap();
    wrong.sort();
    assert!(wrong.is_empty(), "{} wrong:\n\n{}", wrong.len(), wrong.join("\n"));
}

fn name(case: &Path) -> String {
    case.file_name().unwrap().to_string_lossy().into_owned()
}

#[test]
fn every_bad_spec_gives_its_report() {
    let update = std::env::var_os("PORTGEN_UPDATE").is_some_and(|value| value == "1");
    each(&cases(), |case, wrong| {
        let outcome = check(case, &["portgen.yaml"], SECOND, Stdio::null());
        if let Some(complaint) = outcome.pass_or_complaint() {
            wrong.push(format!("{}: {complaint}", name(case)));
        }
        let path = case.join("expected.txt");
        if update {
            fs::write(path, outcome.text()).unwrap();
            return;
        }
        match fs::read_to_string(path) {
            Err(_) => wrong.push(format!("{}: it has no expected.txt", name(case))),
            Ok(expected) if expected == outcome.text() => {}
            Ok(expected) => {
                let (got, name) = (outcome.text(), name(case));
                wrong.push(format!("{name}: expected\n{expected}\n{name}: got\n{got}"));
            }
        }
    });
}

#[test]
fn every_case_says_what_is_wrong_with_it() {
    each(&cases(), |case, wrong| {
        let spec = fs::read(case.join("portgen.yaml")).unwrap();
        let spec = spec.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&spec);
        if !spec.starts_with(b"# ") && name(case) != "yaml-empty" {
            wrong.push(format!("{}: its first line is no comment", name(case)));
        }
    });
}

#[test]
fn every_format_reports_every_bad_spec() {
    each(&cases(), |case, wrong| {
        let text = check(case, &["portgen.yaml"], SECOND, Stdio::null());
        for format in ["json", "sarif", "github", "markdown"] {
            let outcome = check(case, &["--format", format, "portgen.yaml"], SECOND, Stdio::null());
            let mut say = |what: &str| wrong.push(format!("{}, {format}: {what}", name(case)));
            if let Some(complaint) = outcome.complaint() {
                say(&complaint);
                continue;
            }
            if outcome.code != text.code {
                say(&format!("it ends with {:?}, text with {:?}", outcome.code, text.code));
            }
            let parsed = || serde_json::from_str::<serde_json::Value>(&outcome.stdout);
            // One frame of the text is one finding.
            let frames = text.stdout.lines().filter(|line| line.trim_start().starts_with("--> ")).count();
            let findings = match format {
                "json" => parsed().ok().and_then(|json| Some(json["findings"].as_array()?.len())),
                "sarif" => parsed().ok().and_then(|json| Some(json["runs"][0]["results"].as_array()?.len())),
                "github" => Some(outcome.stdout.lines().filter(|line| line.starts_with("::")).count()),
                _ => continue,
            };
            if findings != Some(frames) {
                say(&format!("{findings:?} findings, text has {frames}"));
            }
        }
    });
}

/// A spec without a fault, to put one in.
const GOOD: &str = r#"apiVersion: portgen/v1alpha1
kind: Cluster
metadata: {name: lab}
cluster:
  kubernetesVersion: "1.33"
  serviceProxy: {type: kube-proxy, mode: iptables}
  ipFamilies: [IPv4, IPv6]
nodePools:
  edge:
    nodeSelector: {pool: edge}
    os: debian-12
    count: 3
gateways:
  kong:
    chart: kong
    namespace: kong
    nodePools: [edge]
    ports:
      http: {port: 80}
    exposure: {strategy: nodePortRedirect}
"#;

/// A text of numbered pieces.
fn numbered(count: usize, piece: impl Fn(usize) -> String) -> String {
    (0..count).fold(String::new(), |text, number| text + &piece(number))
}

/// The good spec with one piece replaced.
fn with(piece: &str, by: &str) -> String {
    assert_eq!(GOOD.matches(piece).count(), 1, "{piece}");
    GOOD.replace(piece, by)
}

/// The good spec with more fields of its gateway.
fn with_more(more: &str) -> String {
    format!("{GOOD}{more}")
}

/// Pieces one after the other, as many as a spec may hold.
fn a_mebibyte(piece: impl Fn(usize) -> String) -> String {
    let mut text = String::new();
    for number in 0.. {
        let next = piece(number);
        if text.len() + next.len() > 1024 * 1024 - 2048 {
            break;
        }
        text.push_str(&next);
    }
    text
}

#[test]
fn the_good_spec_is_good() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("portgen.yaml"), GOOD).unwrap();
    let outcome = check(folder.path(), &["portgen.yaml"], SECOND, Stdio::null());
    assert_eq!(outcome.text(), "no findings\nexit: 0\n");
}

/// A text that is not worth its place in a repository, and what must be said to it.
struct Hostile {
    name: &'static str,
    text: Vec<u8>,
    code: i32,
    says: &'static [&'static str],
}

fn hostile(name: &'static str, text: impl Into<Vec<u8>>, code: i32, says: &'static [&'static str]) -> Hostile {
    Hostile { name, text: text.into(), code, says }
}

fn bomb(level: impl Fn(usize, usize) -> String) -> String {
    let mut text = String::new();
    for number in 1..30 {
        writeln!(text, "{}", level(number, number - 1)).unwrap();
    }
    text
}

fn hostile_texts() -> Vec<Hostile> {
    let mut all = hostile_structures();
    all.extend(hostile_scalars());
    all.extend(hostile_bytes());
    all
}

fn hostile_structures() -> Vec<Hostile> {
    const TOO_DEEP: &[&str] = &["error[yaml-too-deep]: this is nested more than 64 levels deep\n"];
    const TOO_LARGE: &[&str] = &["error: `portgen.yaml` is larger than 1048576 bytes; a spec is far smaller"];
    const TOO_MANY: &[&str] = &["error[yaml-too-large]: aliases expand to more than 10000 values\n"];
    let indented = numbered(1_000, |level| format!("{}a:\n", " ".repeat(level)));
    vec![
        hostile("50 MB of text", "a: b\n".repeat(10_000_000), 2, TOO_LARGE),
        hostile("50 MB on one line", "x".repeat(50_000_000), 2, TOO_LARGE),
        hostile("one byte too many", "#".repeat(1024 * 1024 + 1), 2, TOO_LARGE),
        hostile("100,000 brackets", "[".repeat(100_000), 1, TOO_DEEP),
        hostile("100,000 lists", "- ".repeat(100_000), 1, TOO_DEEP),
        hostile("100,000 maps", "{a: ".repeat(100_000), 1, TOO_DEEP),
        hostile("100,000 keys of keys", "? ".repeat(100_000), 1, TOO_DEEP),
        hostile("100,000 anchors", "&a [".repeat(100_000), 1, TOO_DEEP),
        hostile("1,000 indentations", indented, 1, TOO_DEEP),
        hostile(
            "an alias bomb of lists",
            format!(
                "a0: &a0 [x]\n{}",
                bomb(|now, last| format!("a{now}: &a{now} [{}]", [format!("*a{last}").as_str(); 9].join(",")))
            ),
            1,
            TOO_MANY,
        ),
        hostile(
            "an alias bomb of merged maps",
            format!(
                "a0: &a0 {{k: 1}}\n{}",
                bomb(|now, last| format!("a{now}: &a{now} {{<<: [*a{last}, *a{last}], k{now}: 1}}"))
            ),
            1,
            TOO_MANY,
        ),
        hostile(
            "100 kB, 20,000 times",
            format!("a: &a {}\nb: [{}]\n", "x".repeat(100_000), "*a, ".repeat(20_000)),
            1,
            TOO_MANY,
        ),
    ]
}

fn hostile_scalars() -> Vec<Hostile> {
    let long = "x".repeat(1_000_000);
    vec![
        hostile(
            "a name of 1 MB",
            with("lab", &long),
            1,
            &["error[yaml-too-large]: the text holds more than 10000 values\n"],
        ),
        hostile(
            "a quote of 1 MB, open",
            format!("a: \"{long}\n"),
            1,
            &["error[yaml-syntax]: this quote is not closed"],
        ),
        hostile("a key of 1 MB", format!("{long}: 1\n"), 1, &["error[yaml-too-large]: "]),
        hostile(
            "a quoted key of 1 MB",
            with_more(&format!("    ? \"{long}\"\n    : 1\n")),
            1,
            &["error[yaml-too-large]: "],
        ),
        hostile("a tag of 1 MB", with("lab", &format!("!{long} a")), 1, &["error[yaml-tag]: the tag `!xxxxxxxx"]),
        hostile("an alias of 1 MB", with("lab", &format!("*{long}")), 1, &["error[yaml-alias]: `*xxxxxxxx"]),
        hostile(
            "a comment of 1 MB",
            format!("# {long}\n{}", with("port: 80", "port: 0")),
            1,
            &["portgen.yaml:20:20\n"],
        ),
        hostile("a megabyte of blank lines", "\n".repeat(1_000_000), 1, &["error[yaml-empty]: the text is empty\n"]),
        hostile(
            "a megabyte of dashes",
            "- a\n".repeat(250_000),
            1,
            &["error[yaml-too-large]: the text holds more than 10000 values\n"],
        ),
        hostile(
            "a megabyte of one key",
            "a: 1\n".repeat(200_000),
            1,
            &["error[yaml-duplicate-key]: the key `a` is written twice\n", "100 errors\n"],
        ),
    ]
}

fn hostile_bytes() -> Vec<Hostile> {
    let utf16: Vec<u8> = format!("\u{feff}{GOOD}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut latin1 = GOOD.replace("lab", "caf?").into_bytes();
    let at = latin1.iter().position(|byte| *byte == b'?').unwrap();
    latin1[at] = 0xe9;
    vec![
        hostile("UTF-16", utf16, 2, &["error: `portgen.yaml` is not UTF-8 text", "save it as UTF-8\n"]),
        hostile("Latin 1", latin1, 2, &["error: `portgen.yaml` is not UTF-8 text", "save it as UTF-8\n"]),
        hostile(
            "a NUL byte",
            with("lab", "la\0b"),
            1,
            &["error[yaml-syntax]: the text holds a `\\u{0}` byte\n", "portgen.yaml:3:20\n"],
        ),
        hostile(
            "nothing but NUL bytes",
            "\0".repeat(1_000_000),
            1,
            &["error[yaml-syntax]: the text holds a `\\u{0}` byte\n"],
        ),
        hostile(
            "an escape sequence",
            with("lab", "\u{1b}[2Jlab"),
            1,
            &["error[yaml-syntax]: the text holds the control character `\\u{1b}`\n", "portgen.yaml:3:18\n"],
        ),
    ]
}

#[test]
fn hostile_texts_are_refused() {
    each(&hostile_texts(), |case, wrong| {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("portgen.yaml"), &case.text).unwrap();
        for format in ["text", "json", "sarif", "github", "markdown"] {
            let outcome = check(folder.path(), &["--format", format, "portgen.yaml"], LARGE, Stdio::null());
            let mut say = |what: &str| wrong.push(format!("{}, {format}: {what}", case.name));
            if let Some(complaint) = outcome.pass_or_complaint() {
                say(&complaint);
            } else if outcome.code != Ok(case.code) {
                say(&format!("{:?} instead of {}", outcome.code, case.code));
            } else if outcome.stdout.len() > 1024 * 1024 {
                say(&format!("a report of {} bytes", outcome.stdout.len()));
            } else if format == "text" {
                for says in case.says.iter().filter(|says| !outcome.text().contains(**says)) {
                    say(&format!("it does not say {says:?}, but\n{}", start(&outcome.text())));
                }
            }
        }
    });
}

#[test]
fn hostile_texts_are_refused_as_bases_and_as_standard_input() {
    each(&hostile_texts(), |case, wrong| {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("base.yaml"), &case.text).unwrap();
        fs::write(folder.path().join("portgen.yaml"), "extends: [base.yaml]\n").unwrap();
        let base = check(folder.path(), &["portgen.yaml"], LARGE, Stdio::null());
        let input = File::open(folder.path().join("base.yaml")).unwrap();
        let input = check(folder.path(), &["-"], LARGE, input.into());
        for (how, outcome) in [("as a base", base), ("as standard input", input)] {
            if let Some(complaint) = outcome.pass_or_complaint() {
                wrong.push(format!("{}, {how}: {complaint}", case.name));
            }
        }
    });
}

#[test]
fn many_faults_are_told_in_one_run() {
    let ports = numbered(500, |port| format!("      p{port}: {{}}\n"));
    let fields = numbered(500, |field| format!("    field{field}: 1\n"));
    let texts = [
        (with("      http: {port: 80}\n", &ports), "error[missing-field]: `p0` has no `port`\n"),
        (with_more(&fields), "error[unknown-field]: unknown field `field0` in `kong`\n"),
    ];
    each(&texts, |(text, says), wrong| {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("portgen.yaml"), text).unwrap();
        let outcome = check(folder.path(), &["portgen.yaml"], SECOND, Stdio::null());
        wrong.extend(outcome.pass_or_complaint());
        for says in
            [says, "\n100 errors, 400 more left out\n"].into_iter().filter(|says| !outcome.stdout.contains(*says))
        {
            wrong.push(format!("it does not say {says:?}, but\n{}", start(&outcome.text())));
        }
    });
}

/// Fields of a spec are short in life; a mebibyte of any of them may be refused or read, within the limits.
#[test]
fn a_mebibyte_of_anything_stays_within_the_limits() {
    let gateway = |number| {
        format!(
            "  g{number}: {{chart: kong, namespace: n{number}, nodePools: [e{number}], ports: {{h: {{port: 80}}}}, exposure: {{strategy: nodePortRedirect}}}}\n"
        )
    };
    let address = |number: usize| format!("10.{}.{}.{}", number >> 16 & 255, number >> 8 & 255, number & 255);
    let texts = [
        ("unknown fields", with_more(&a_mebibyte(|number| format!("    f{number}: 1\n")))),
        ("empty ports", with("      http: {port: 80}\n", &a_mebibyte(|number| format!("      p{number}: {{}}\n")))),
        (
            "bad port names",
            with("      http: {port: 80}\n", &a_mebibyte(|number| format!("      P{number}: {{port: 1}}\n"))),
        ),
        (
            "ports",
            with(
                "      http: {port: 80}\n",
                &a_mebibyte(|number| format!("      p{number}: {{port: {}}}\n", number % 65535 + 1)),
            ),
        ),
        (
            "interfaces",
            with("    count: 3\n", &format!("    interfaces: [{}]\n", a_mebibyte(|number| format!("e{number},")))),
        ),
        (
            "addresses",
            with("    count: 3\n", &format!("    addresses: [{}]\n", a_mebibyte(|number| address(number) + ","))),
        ),
        (
            "tolerations",
            with(
                "    count: 3\n",
                &format!("    tolerations: [{}]\n", a_mebibyte(|number| format!("{{key: a{number}}},"))),
            ),
        ),
        (
            "pools",
            with(
                "gateways:\n",
                &(a_mebibyte(|number| {
                    format!("  q{number}: {{nodeSelector: {{p: q{number}}}, os: debian-12, count: 1}}\n")
                }) + "gateways:\n"),
            ),
        ),
        ("gateways", with_more(&a_mebibyte(gateway))),
        ("names of pools", with("[edge]", &format!("[{}]", a_mebibyte(|number| format!("e{number},"))))),
        (
            "acceptances",
            with_more(&format!(
                "    accept:\n{}",
                a_mebibyte(|_| "    - {rule: single-replica, reason: x}\n".to_owned())
            )),
        ),
        ("values", with_more(&format!("    values:\n{}", a_mebibyte(|number| format!("      k{number}: 1\n"))))),
        (
            "address ranges",
            with(
                "{strategy: nodePortRedirect}",
                &format!("{{strategy: metalLB, addresses: [{}]}}", a_mebibyte(|number| address(number) + "/32,")),
            ),
        ),
    ];
    each(&texts, |(name, text), wrong| {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("portgen.yaml"), text).unwrap();
        let outcome = check(folder.path(), &["portgen.yaml"], LARGE, Stdio::null());
        wrong.extend(outcome.complaint().map(|complaint| format!("{name}: {complaint}")));
    });
}

#[test]
fn large_bases_stay_within_the_limits() {
    let comment = format!("{GOOD}#{}", "#".repeat(1_000_000));
    let keys = |letter: char| a_mebibyte(|number| format!("{letter}{number}: 1\n"));
    let list = format!("extends: [{}]\n", ["base.yaml"; 64].join(", "));
    let texts = [
        ("64 megabytes of comments", list.clone(), comment),
        ("64 lists", list, format!("x: [{}]\n", "1,".repeat(200_000))),
        ("a large map over a large map", format!("extends: [base.yaml]\n{}", keys('k')), keys('j')),
    ];
    each(&texts, |(name, spec, base), wrong| {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("portgen.yaml"), spec).unwrap();
        fs::write(folder.path().join("base.yaml"), base).unwrap();
        let outcome = check(folder.path(), &["portgen.yaml"], LARGE, Stdio::null());
        wrong.extend(outcome.complaint().map(|complaint| format!("{name}: {complaint}")));
    });
}

#[test]
fn links_lead_nowhere_else() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("base.yaml"), GOOD).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let here = |name: &str| folder.path().join(name);
    let link = |to: &Path, name: &str| std::os::unix::fs::symlink(to, here(name)).unwrap();
    link(&outside.path().join("base.yaml"), "link.yaml");
    link(outside.path(), "bases");
    link(Path::new("/dev/zero"), "zero.yaml");
    link(Path::new("circle.yaml"), "circle.yaml");
    link(Path::new("portgen.yaml"), "again.yaml");
    for (base, says) in [
        ("link.yaml", "cannot read `link.yaml`: it lies outside the folder portgen runs in\n"),
        ("bases/base.yaml", "cannot read `bases/base.yaml`: it lies outside the folder portgen runs in\n"),
        ("bases/none.yaml", "cannot read `bases/none.yaml`: "),
        ("zero.yaml", "cannot read `zero.yaml`: it lies outside the folder portgen runs in\n"),
        ("circle.yaml", "cannot read `circle.yaml`: too many levels of symbolic links\n"),
        ("again.yaml", "bases in a circle: "),
    ] {
        fs::write(here("portgen.yaml"), format!("extends: [{base}]\n")).unwrap();
        let outcome = check(folder.path(), &["portgen.yaml"], SECOND, Stdio::null());
        assert_eq!(outcome.pass_or_complaint(), None, "{base}");
        assert_eq!(outcome.code, Ok(1), "{base}");
        let says = format!("error[unreadable-base]: {says}");
        assert!(outcome.stdout.contains(&says), "{base}: {says:?} in\n{}", outcome.text());
    }
}

#[test]
fn what_is_no_file_is_never_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let here = |name: &str| folder.path().join(name);
    assert!(Command::new("mkfifo").arg(here("pipe.yaml")).status().unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(here("socket.yaml")).unwrap();
    fs::create_dir(here("empty")).unwrap();
    fs::create_dir(here("others")).unwrap();
    fs::write(here("others/app.yaml"), "kind: Deployment\n").unwrap();
    fs::write(here("others/pipe.txt"), GOOD).unwrap();
    fs::create_dir_all(here(&["deep"; 40].join("/"))).unwrap();
    fs::create_dir(here("twins")).unwrap();
    fs::write(here("twins/a.yaml"), GOOD).unwrap();
    fs::write(here("twins/b.yaml"), GOOD).unwrap();
    fs::write(here("extends-pipe.yaml"), "extends: [pipe.yaml]\n").unwrap();
    for (argument, code, says) in [
        ("pipe.yaml", 2, "error: `pipe.yaml` is a pipe, not a file"),
        ("socket.yaml", 2, "error: `socket.yaml` is a socket, not a file"),
        ("/dev/zero", 2, "error: `/dev/zero` is a device, not a file"),
        ("none.yaml", 2, "error: cannot read `none.yaml`: No such file or directory; check the path\n"),
        ("", 2, "error: "),
        (
            "empty",
            2,
            "error: no spec below `empty`: no YAML file there has `apiVersion: portgen/v1alpha1` and `kind: Cluster`\n",
        ),
        ("others", 2, "error: no spec below `others`: "),
        ("deep", 2, "` is more than 32 directories deep; name a directory closer to the files\n"),
        ("twins", 2, "error: two specs are called `lab`, and each cluster has a tree of its own; rename one\n"),
        ("extends-pipe.yaml", 1, "error[unreadable-base]: cannot read `pipe.yaml`: "),
    ] {
        let outcome = check(folder.path(), &[argument], SECOND, Stdio::null());
        assert_eq!(outcome.pass_or_complaint(), None, "{argument}");
        assert_eq!(outcome.code, Ok(code), "{argument}: {}", outcome.text());
        assert!(outcome.text().contains(says), "{argument}: {says:?} in\n{}", outcome.text());
    }
    let zeros = File::open("/dev/zero").unwrap();
    let outcome = check(folder.path(), &["-"], SECOND, zeros.into());
    assert_eq!(
        outcome.text(),
        "exit: 2\nstderr:\nerror: `-` is larger than 1048576 bytes; a spec is far smaller, so this is probably another file\n"
    );
    let outcome = check(folder.path(), &["-"], SECOND, Stdio::null());
    assert_eq!(outcome.code, Ok(1));
    assert!(outcome.stdout.contains("error[yaml-empty]: the text is empty\n --> <stdin>:1:1\n"), "{}", outcome.text());
}

#[test]
fn a_folder_passes_over_no_faulty_spec() {
    let folder = tempfile::tempdir().unwrap();
    let here = |name: &str| folder.path().join(name);
    fs::create_dir(here("clusters")).unwrap();
    fs::write(here("clusters/a.yaml"), with("namespace: kong", "namspace: kong")).unwrap();
    fs::write(here("clusters/b.yaml"), with("kind: Cluster", "kind: cluster")).unwrap();
    fs::write(here("clusters/c.yaml"), with("[edge]", "[edge")).unwrap();
    fs::write(here("clusters/capi.yaml"), "apiVersion: cluster.x-k8s.io/v1beta1\nkind: Cluster\n").unwrap();
    let outcome = check(folder.path(), &["clusters"], SECOND, Stdio::null());
    assert_eq!(outcome.pass_or_complaint(), None);
    for place in ["clusters/a.yaml:16:5\n", "clusters/b.yaml:2:7\n", "clusters/c.yaml:18:10\n"] {
        assert!(outcome.stdout.contains(place), "{place:?} in\n{}", outcome.text());
    }
    assert!(!outcome.stdout.contains("capi"), "{}", outcome.text());
}
