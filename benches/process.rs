//! What a run costs as a process, beside `/bin/true` and a hello-world in Rust in the same run, and where the time goes.
//!
//! `cargo bench` prints it. Every figure is a ratio or stands beside one: machines differ, ratios hardly.
#![allow(missing_docs)]

use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use portgen::chart::Charts;
use portgen::source::Source;
use portgen::{check, disk, input, output, plan};

const RUNS: usize = 300;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, program, rest @ ..] = arguments.as_slice()
        && flag == "--peak"
    {
        peak_of(program, rest);
        return;
    }
    let scratch = tempfile::tempdir().expect("a folder");
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/kong-nodeport-redirect/portgen.yaml");
    fs::copy(&example, scratch.path().join("portgen.yaml")).expect("the example");
    let portgen = env!("CARGO_BIN_EXE_portgen");
    let hello = hello(scratch.path());
    let hello = hello.to_str().expect("UTF-8");
    run(scratch.path(), portgen, &["render"]);

    let programs: [(&str, &str, &[&str]); 6] = [
        ("/bin/true", "/bin/true", &[]),
        ("hello-world in Rust", hello, &[]),
        ("portgen check", portgen, &["check"]),
        ("portgen render (unchanged tree)", portgen, &["render"]),
        ("portgen diff (unchanged tree)", portgen, &["diff"]),
        ("portgen explain single-replica", portgen, &["explain", "single-replica"]),
    ];
    // In turn, so that a slow moment hits all of them alike.
    let mut times: Vec<Vec<Duration>> = vec![Vec::with_capacity(RUNS); programs.len()];
    for _ in 0..RUNS {
        for (times, (_, program, arguments)) in times.iter_mut().zip(&programs) {
            times.push(run(scratch.path(), program, arguments));
        }
    }
    println!("{:<34} {:>10} {:>12} {:>10}", "process, median of 300", "wall", "x /bin/true", "peak");
    let base = median(&mut times[0].clone());
    for (times, (name, program, arguments)) in times.iter_mut().zip(&programs) {
        let time = median(times);
        let ratio = time.as_secs_f64() / base.as_secs_f64();
        let peak = peak(scratch.path(), program, arguments);
        println!("{name:<34} {:>7.2} ms {ratio:>12.2} {peak:>7.1} MB", time.as_secs_f64() * 1e3);
        assert!(peak < 16.0, "{name} takes more than 16 MB");
    }
    let fresh = fresh_render(scratch.path(), portgen);
    println!(
        "{:<34} {:>7.2} ms {:>12.2}",
        "portgen render (into nothing)",
        fresh.as_secs_f64() * 1e3,
        fresh.as_secs_f64() / base.as_secs_f64()
    );
    let size = u32::try_from(fs::metadata(portgen).expect("the program").len()).map_or(f64::INFINITY, f64::from) / 1e6;
    println!("binary: {size:.2} MB");
    assert!(size < 9.0, "the binary has grown beyond 9 MB");
    stages(scratch.path());
}

fn run(folder: &Path, program: &str, arguments: &[&str]) -> Duration {
    let start = Instant::now();
    let status = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("it starts");
    let time = start.elapsed();
    assert!(status.success(), "{program} {arguments:?}");
    time
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn hello(folder: &Path) -> PathBuf {
    let source = folder.join("hello.rs");
    let program = folder.join("hello");
    fs::write(&source, "fn main() { println!(\"hello, world\"); }\n").expect("written");
    let status = Command::new("rustc")
        .args(["-O", "-C", "panic=abort", "-o"])
        .arg(&program)
        .arg(&source)
        .status()
        .expect("rustc");
    assert!(status.success());
    program
}

/// Files, directories and their synchronisation with the disk are most of this one.
fn fresh_render(folder: &Path, portgen: &str) -> Duration {
    let mut times: Vec<Duration> =
        (0..20).map(|number| run(folder, portgen, &["render", "-o", &format!("fresh-{number}")])).collect();
    median(&mut times)
}

/// The kernel's account of one child, taken in a process that has no other.
fn peak(folder: &Path, program: &str, arguments: &[&str]) -> f64 {
    let itself = std::env::current_exe().expect("a path");
    let output = Command::new(itself)
        .arg("--peak")
        .arg(program)
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("it starts");
    String::from_utf8_lossy(&output.stdout).trim().parse::<f64>().expect("a number") / 1024.0
}

fn peak_of(program: &str, arguments: &[String]) {
    let _ = Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let usage =
        nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_CHILDREN).expect("the kernel answers");
    println!("{}", usage.max_rss());
}

fn stages(folder: &Path) {
    let text = fs::read_to_string(folder.join("portgen.yaml")).expect("the spec");
    let source = || Source { path: "portgen.yaml".to_owned(), text: text.clone() };
    let parse = || input::parse(source(), &mut |_, _| Err(String::new()));
    let spec = parse().spec.expect("a spec");
    let charts = || Charts::built_in(|name| name == "kong");
    let planned = plan::build(&spec, &charts());
    let findings = check::inspect(&planned);
    let tree = output::render(&planned, &findings).expect("a tree");
    let rendered = camino::Utf8PathBuf::from_path_buf(folder.join("rendered")).expect("UTF-8");
    println!("\n{:<34} {:>10}", "stage, median of 300", "time");
    timed("input: text to spec", || drop(black_box(parse())));
    timed("chart: profile", || drop(black_box(charts())));
    timed("plan: spec to plan", || drop(black_box(plan::build(&spec, &charts()))));
    timed("check: every rule", || drop(black_box(check::inspect(&planned))));
    timed("output: plan to files, read back", || drop(black_box(output::render(&planned, &findings))));
    timed("disk: compare with the tree", || {
        drop(black_box(disk::plan_tree(&rendered, &tree, env!("CARGO_PKG_VERSION"))));
    });
}

fn timed(name: &str, mut stage: impl FnMut()) {
    let mut times: Vec<Duration> = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            stage();
            start.elapsed()
        })
        .collect();
    println!("{name:<34} {:>7.0} us", median(&mut times).as_secs_f64() * 1e6);
}
