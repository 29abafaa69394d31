//! Other programs that write rules on a node: a real firewalld and a real dockerd, each on node1 alone.
//!
//! `.ci/neighbours` unpacks them. Where they are not at hand, these trials are ignored, and the page keeps the lines it has.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use tempfile::TempDir;

use super::{Life, NFT, ONE, Stage, caught, docker, each, firewalld, life};
use crate::net::Machine;
use crate::{common, page};

pub const LIVES: &[Life] = &[
    Life {
        title: "firewalld comes and goes, nftables backend",
        data_planes: NFT,
        show: |stage| firewalld::comes_and_goes(stage, "nftables"),
    },
    Life {
        title: "firewalld comes and goes, iptables backend",
        data_planes: NFT,
        show: |stage| firewalld::comes_and_goes(stage, "iptables"),
    },
    Life {
        title: "firewalld comes and goes, nftables backend, hostNetwork",
        data_planes: ONE,
        show: |stage| firewalld::redirected(stage, "nftables"),
    },
    Life {
        title: "firewalld comes and goes, iptables backend, hostNetwork",
        data_planes: ONE,
        show: |stage| firewalld::redirected(stage, "iptables"),
    },
    Life {
        title: "systemd reloads firewalld, nftables backend",
        data_planes: ONE,
        show: |stage| firewalld::reloaded_by_systemd(stage, "nftables"),
    },
    Life {
        title: "systemd reloads firewalld, iptables backend",
        data_planes: ONE,
        show: |stage| firewalld::reloaded_by_systemd(stage, "iptables"),
    },
    life("dockerd comes and goes", docker::comes_and_goes),
];

/// As `life` makes them, and ignored where there are no neighbours or nothing is able to run.
pub fn trials(able: bool) -> Vec<Trial> {
    let there = able && folder().is_some();
    let lives = each(LIVES).map(|(life, data_plane)| {
        Trial::test(life.on(data_plane), move || {
            let seen = (life.show)(Stage { data_plane, fault: None })?;
            if published() {
                page::note(|board| drop(board.lines.insert(life.on(data_plane), seen)));
            }
            Ok(())
        })
    });
    lives.chain(caught(true)).map(|trial| trial.with_ignored_flag(!there)).collect()
}

/// Whose results are on the page: other releases do other things to the tables of others.
const PUBLISHED: [&str; 2] = ["firewalld 1.3.", "docker.io 20.10."];

/// Where both are, if anywhere.
pub fn folder() -> Option<&'static Path> {
    static FOLDER: OnceLock<Option<PathBuf>> = OnceLock::new();
    let look = || common::fetched("firewalld and Docker", ".ci/neighbours", "PORTGEN_NEIGHBOURS", "neighbours");
    FOLDER.get_or_init(look).as_deref()
}

/// Whether these are the releases whose results are on the page.
fn published() -> bool {
    PUBLISHED.iter().all(|start| versions().lines().any(|line| line.starts_with(start)))
}

/// Whether this is a firewalld that flushes everybody's iptables rules, whichever backend it has.
pub fn flushes_all() -> bool {
    versions().lines().any(|line| line.starts_with("firewalld 1."))
}

fn versions() -> String {
    let folder = folder().expect("only trials that have it ask");
    fs::read_to_string(folder.join("versions")).expect("the versions that .ci/neighbours wrote")
}

/// A node that has neighbours: what they write stays there, and goes with this.
pub struct Neighbourhood<'a> {
    pub machine: &'a Machine,
    scratch: TempDir,
    // At most one at a time: two daemons that start at once on two cores are slow enough to look dead.
    _alone: MutexGuard<'static, ()>,
}

static ALONE: Mutex<()> = Mutex::new(());

impl<'a> Neighbourhood<'a> {
    pub fn new(machine: &'a Machine) -> Self {
        // One that failed leaves nothing behind that the next one minds.
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        // Sockets and locks; and containerd makes a folder in /opt whatever it is told.
        machine.private("/run");
        machine.private("/opt");
        Self { machine, scratch: tempfile::tempdir().expect("a folder"), _alone: alone }
    }

    /// A path in the folder that goes with this.
    pub fn path(&self, name: &str) -> String {
        self.scratch.path().join(name).to_str().expect("UTF-8").to_owned()
    }

    pub fn write(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        fs::create_dir_all(Path::new(&path).parent().expect("a folder")).expect("it can be made");
        fs::write(&path, text).expect("it can be written");
        path
    }

    /// What a program has written there so far.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// Starts a program, with whatever it says in a file; given are words of a shell command.
    pub fn start(&self, name: &'static str, command: &str) -> Daemon<'a> {
        let line = format!("exec {command} >{} 2>&1", self.path(&format!("{name}.said")));
        let child = self.machine.start(&["sh", "-c", &line].map(str::to_owned));
        Daemon { name, child, machine: self.machine }
    }
}

/// A program that runs until it is told to end; it is killed where nobody did.
pub struct Daemon<'a> {
    name: &'static str,
    child: Child,
    machine: &'a Machine,
}

impl Daemon<'_> {
    /// Waits until something is so, as long as the program runs.
    pub fn wait(&mut self, around: &Neighbourhood, so: impl Fn() -> bool) -> Result<(), String> {
        let ends = Instant::now() + Duration::from_mins(1);
        while !so() {
            let ended = self.child.try_wait().expect("its state").is_some();
            if ended || Instant::now() > ends {
                let said = around.read(&format!("{}.said", self.name));
                return Err(format!("{} {}: {said}", self.name, if ended { "ended" } else { "is not ready" }));
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    pub fn signal(&self, signal: &str) {
        self.machine.sh(&format!("kill -{signal} {}", self.child.id()));
    }

    /// Asks it to end, and waits until it has.
    pub fn stop(mut self) -> Result<(), String> {
        self.signal("TERM");
        let ends = Instant::now() + Duration::from_secs(15);
        while self.child.try_wait().expect("its state").is_none() {
            if Instant::now() > ends {
                return Err(format!("{} does not stop", self.name));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        // One that ended by itself is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
