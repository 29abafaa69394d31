//! Reloads under load: 200 connections transfer data and new ones come, while the spec changes again and again.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::mem;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::{Stage, answers, must_meet};
use crate::net::FAMILIES;
use crate::scene::{Scene, spec};
use crate::traffic::{self, Conversation, Outcome, PATIENCE, Transport};

const CONNECTIONS: usize = 200;
const RELOADS: usize = 20;
/// How long a connection rests between its transfers: two cores have to carry 200 of them.
const PACE: Duration = Duration::from_millis(30);
const PACE_OF_NEW: Duration = Duration::from_millis(5);

/// One load at a time: two of them at once measure how patient two cores are.
pub static ALONE: Mutex<()> = Mutex::new(());

/// Reloads again and again, with the one spec and the other. The second has one port more, and lets more clients in where
/// the first has an allow-list.
pub fn under_load(stage: Stage, [few, more]: [&str; 2]) -> Result<String, String> {
    // One that failed leaves nothing behind that the next one minds.
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let shut_out = few.contains("allowFrom");
    let (few, more) = (stage.spec(few), spec(stage.data_plane, more, true));
    let mut scene = Scene::new(stage.data_plane, &more);
    let trees = [stage.tree(&more)?, stage.tree(&few)?];
    scene.install(&trees[1]);
    let load = Load::start(&scene)?;
    for reload in 0..RELOADS {
        scene.replace(0, &trees[reload % 2]);
        scene.unit(0, "ExecReload");
        load.goes_on().map_err(|what| format!("reload {}: {what}", reload + 1))?;
    }
    load.stop()?;
    let second_client = |scene: &Scene, outcome: &Outcome, when: &str| {
        must_meet(outcome, when, |family, patience| {
            traffic::probe(&scene.net.client2, Transport::Tcp, scene.at(0, family, 80), patience)
        })
    };
    let expected = if shut_out { Outcome::Timeout } else { answers(&scene) };
    second_client(&scene, &expected, "a second client, at last")?;
    scene.replace(0, &trees[0]);
    scene.unit(0, "ExecReload");
    second_client(&scene, &answers(&scene), "a second client, with the other spec")?;
    must_meet(&answers(&scene), "the port that only the other spec has", |family, patience| {
        traffic::probe(&scene.net.client, Transport::Udp, scene.at(0, family, 443), patience)
    })?;
    Ok(format!("{RELOADS} reloads: none of {CONNECTIONS} open connections breaks, and none of the new ones fails"))
}

/// Connections that go on until they are told to stop.
struct Load {
    progress: Arc<Progress>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Progress {
    stop: AtomicBool,
    /// How often each connection has fetched and sent its bytes; then, how many new ones were answered, by family.
    rounds: Vec<AtomicU64>,
    /// What went wrong.
    faults: Mutex<Vec<String>>,
}

impl Load {
    fn start(scene: &Scene) -> Result<Self, String> {
        room_for_sockets();
        let rounds = (0..CONNECTIONS + FAMILIES.len()).map(|_| AtomicU64::new(0)).collect();
        let mut load = Self { progress: Arc::new(Progress { rounds, ..Progress::default() }), threads: Vec::new() };
        let address = |number: usize| scene.at(0, FAMILIES[number % 2], 80);
        for number in 0..CONNECTIONS {
            let open = Conversation::open(&scene.net.client, address(number), PATIENCE)
                .map_err(|outcome| format!("connection {number}: {outcome}"))?;
            let progress = Arc::clone(&load.progress);
            load.threads.push(thread::spawn(move || progress.note(transfer(open, number, &progress))));
        }
        for number in CONNECTIONS..CONNECTIONS + FAMILIES.len() {
            let (to, progress) = (address(number), Arc::clone(&load.progress));
            load.threads.push(scene.net.client.spawn(move || progress.note(come_and_go(to, number, &progress))));
        }
        load.goes_on()?;
        Ok(load)
    }

    /// Waits until every connection has fetched and sent its bytes once more from beginning to end, and new ones came.
    fn goes_on(&self) -> Result<(), String> {
        let progress = &self.progress;
        let count = || -> Vec<u64> { progress.rounds.iter().map(|count| count.load(Ordering::Relaxed)).collect() };
        let before = count();
        // Each of them loses its patience by itself; this is for a machine that hardly gets to any.
        let ends = Instant::now() + 4 * PATIENCE;
        // The round that a connection was in may have been nearly over.
        while count().iter().zip(&before).any(|(now, before)| *now < before + 2) {
            progress.fine()?;
            if Instant::now() > ends {
                return Err("some connection does not get on".to_owned());
            }
            thread::sleep(Duration::from_millis(1));
        }
        progress.fine()
    }

    /// Ends them all, in good order.
    fn stop(mut self) -> Result<(), String> {
        self.progress.stop.store(true, Ordering::Relaxed);
        for thread in mem::take(&mut self.threads) {
            thread.join().expect("a thread");
        }
        self.progress.fine()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.progress.stop.store(true, Ordering::Relaxed);
    }
}

impl Progress {
    fn note(&self, done: Result<(), String>) {
        self.faults.lock().expect("nobody panics with it").extend(done.err());
    }

    fn fine(&self) -> Result<(), String> {
        let faults = self.faults.lock().expect("nobody panics with it");
        faults.first().map_or(Ok(()), |first| Err(format!("{} connections broke or failed: {first}", faults.len())))
    }
}

/// Fetches and sends, each connection a number of bytes of its own: every byte is counted on both sides.
fn transfer(mut open: Conversation, number: usize, progress: &Progress) -> Result<(), String> {
    let bytes = 500 + 10 * number as u64;
    while !progress.stop.load(Ordering::Relaxed) {
        for outcome in [open.get(bytes), open.put(bytes)] {
            if outcome != Outcome::Whole {
                return Err(format!("connection {number}: {outcome}"));
            }
        }
        progress.rounds[number].fetch_add(1, Ordering::Relaxed);
        thread::sleep(PACE);
    }
    Ok(())
}

/// Opens one connection after the other; the first that fails ends it.
fn come_and_go(to: SocketAddr, number: usize, progress: &Progress) -> Result<(), String> {
    while !progress.stop.load(Ordering::Relaxed) {
        let since = Instant::now();
        come(to).map_err(|error| format!("a new connection to {to}, after {:.1?}: {error}", since.elapsed()))?;
        progress.rounds[number].fetch_add(1, Ordering::Relaxed);
        thread::sleep(PACE_OF_NEW);
    }
    Ok(())
}

pub fn come(to: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&to, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"who\n")?;
    if BufReader::new(&stream).read_line(&mut String::new())? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    // A reset leaves nothing behind: the client's ports would run out.
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO))
}

/// Both ends of all connections are open in this process: more files than a process may have unless it asks.
fn room_for_sockets() {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    setrlimit(Resource::RLIMIT_NOFILE, most, most).expect("up to the hard limit");
}
