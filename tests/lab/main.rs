//! The packet lab: the rendered trees of specs, loaded into a real kernel, carry real connections.
//!
//! `cargo test --test lab` runs it and prints the matrix. It runs as root, or unprivileged where the kernel lets it make
//! namespaces; elsewhere every test is counted as ignored, and it says so.
#![allow(missing_docs)]

mod cases;
#[path = "../common/mod.rs"]
mod common;
mod data_plane;
mod dump;
mod faults;
mod ipvs;
mod knowledge;
mod kube_api;
mod life;
mod matrix;
mod models;
mod net;
mod node;
mod other_pool;
mod page;
mod probe;
mod real;
mod refusals;
mod scene;
mod traced;
mod traffic;

use std::process::ExitCode;

use data_plane::DataPlane;
use libtest_mimic::{Arguments, Trial};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use scene::Kind;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|verb| verb == "serve") {
        return traffic::serve_forever(&arguments[1..]);
    }
    let mut arguments = Arguments::from_args();
    // Most of a trial is waiting.
    arguments.test_threads.get_or_insert(4);
    // Before the first thread: a user namespace takes in a whole process.
    let able = match std::env::var_os(INSIDE) {
        Some(_) => settle(),
        None if own_namespaces() => return inside(),
        None => false,
    };
    let tools = [
        "ip",
        "nft",
        "ethtool",
        "setpriv",
        "conntrack",
        "systemd-socket-activate",
        "iptables-nft",
        "iptables-legacy",
        "ip6tables-nft",
        "ip6tables-legacy",
    ];
    let able = common::available("the right to make network namespaces", able)
        && tools.iter().all(|tool| common::available(tool, common::has(tool)));
    let mut trials: Vec<Trial> = trials().into_iter().map(|trial| trial.with_ignored_flag(!able)).collect();
    trials.extend(life::neighbours::trials(able));
    trials.extend(traced::trials());
    let conclusion = libtest_mimic::run(&arguments, trials);
    // Without neighbours the page keeps what it says of them.
    let whole = able && conclusion.num_filtered_out == 0;
    if page::print_recording() || arguments.list || conclusion.has_failed() || !whole {
        return conclusion.exit_code();
    }
    let page = page::text(page::recorded().as_ref());
    println!("{}\n", page::matrix(&page));
    common::golden(&page::path(), &page);
    ExitCode::SUCCESS
}

fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for case in cases::CASES {
        for data_plane in matrix::DATA_PLANES {
            trials.push(Trial::test(format!("{} on {}", case.title, data_plane.name()), move || {
                let cell = matrix::run(&case, data_plane, Kind::Model)?;
                let at = (case.title.to_owned(), data_plane.name().to_owned());
                page::note(|board| drop(board.cells.insert(at, page::Proof::of(&cell))));
                Ok(())
            }));
            if real::program().is_some() && data_plane != DataPlane::Cilium {
                let title = format!("{} on a real kube-proxy, {}", case.title, data_plane.name());
                trials.push(Trial::test(title, move || Ok(matrix::run(&case, data_plane, Kind::Real).map(drop)?)));
            }
        }
    }
    if page::recording().is_some() {
        for case in cases::CASES {
            let title = format!("{} on a real kube-proxy, {}", case.title, DataPlane::Ipvs.name());
            trials.push(Trial::test(title, move || {
                let cell = matrix::run(&case, DataPlane::Ipvs, Kind::Real)?;
                let at = (case.title.to_owned(), DataPlane::Ipvs.name().to_owned());
                page::note(|board| drop(board.cells.insert(at, page::Proof::of(&cell))));
                // As it comes: a run that is stopped has recorded what it did.
                page::print_recording();
                Ok(())
            }));
        }
    }
    if page::recording().is_some() {
        for (rule, built, show) in ipvs::REFUSALS {
            trials.push(told(format!("refused on a real kube-proxy, IPVS: {built}"), rule, show));
        }
    }
    for data_plane in models::DATA_PLANES {
        for (name, endpoints, traffic) in models::DUMPS {
            let title = format!("the model of {} is a real kube-proxy's: {name}", data_plane.name());
            trials.push(Trial::test(title, move || Ok(models::compare(data_plane, name, endpoints, traffic)?)));
        }
    }
    for refusal in refusals::REFUSALS {
        trials.push(told(format!("refused: {}", refusal.built), refusal.built, refusal.show));
    }
    trials.push(Trial::test("what is known is what was proved", || Ok(knowledge::agrees()?)));
    trials.push(Trial::test("every refusal is shown", || Ok(refusals::complete()?)));
    for fault in faults::FAULTS {
        trials.push(told(format!("caught: {}", fault.name), fault.name, || faults::catch(fault)));
    }
    trials.extend(life::trials());
    trials.extend(other_pool::trials());
    trials
}

/// A trial that tells what it saw in one line of the page.
fn told(title: String, name: &'static str, what: impl FnOnce() -> Result<String, String> + Send + 'static) -> Trial {
    Trial::test(title, move || {
        let seen = what()?;
        page::note(|board| drop(board.lines.insert(name.to_owned(), seen)));
        Ok(())
    })
}

/// Where files of the lab are, in a mount of its own. Not /run: a neighbour may want that for itself.
const SCRATCH: &str = "/mnt";

/// Set for the process that is inside.
const INSIDE: &str = "PORTGEN_LAB_INSIDE";

/// Moves this process into namespaces of its own; tells whether the kernel allows it.
fn own_namespaces() -> bool {
    let (user, group) = (nix::unistd::getuid(), nix::unistd::getgid());
    let private = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWPID;
    if user.is_root() {
        return unshare(private).is_ok();
    }
    unshare(private | CloneFlags::CLONE_NEWUSER).is_ok()
        && std::fs::write("/proc/self/setgroups", "deny").is_ok()
        && std::fs::write("/proc/self/uid_map", format!("0 {user} 1")).is_ok()
        && std::fs::write("/proc/self/gid_map", format!("0 {group} 1")).is_ok()
}

/// Goes on in a process that is the first of its own: when it ends, in whatever way, the kernel ends all that it started.
fn inside() -> ExitCode {
    let program = std::env::current_exe().expect("a path");
    let inner = std::process::Command::new(program)
        .args(std::env::args_os().skip(1))
        .env(INSIDE, "1")
        // What is written there goes with the mount namespace.
        .env("TMPDIR", SCRATCH)
        .status()
        .expect("it starts");
    ExitCode::from(u8::try_from(inner.code().unwrap_or(1)).unwrap_or(1))
}

/// Makes the mounts of the first process: its own processes, a /run for iptables' lock, a folder for the lab's files.
fn settle() -> bool {
    // Before anything else: without the one who waits for it, there is nobody to tell.
    let bound = nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL).is_ok();
    let nothing: Option<&str> = None;
    bound
        && mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing).is_ok()
        && mount(Some("proc"), "/proc", Some("proc"), MsFlags::empty(), nothing).is_ok()
        && ["/run", SCRATCH]
            .iter()
            .all(|at| mount(Some("tmpfs"), *at, Some("tmpfs"), MsFlags::empty(), nothing).is_ok())
}
