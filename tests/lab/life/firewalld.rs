//! A real firewalld next to portgen's rules. It flushes the tables of iptables, whoever wrote them, and has one of its own
//! in nft; that others have tables there does not concern it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::thread;
use std::time::Duration;

use super::neighbours::{self, Daemon, Neighbourhood};
use super::{HOST_NETWORK, REWRITE, Stage, answers, must_meet, open, port_80, rules, still_open};
use crate::net::NODES;
use crate::traffic::{self, Outcome, Transport};

/// What anybody on this bus may do: everything. Nobody else finds it.
const BUS: &str = "<busconfig><listen>unix:path=SOCKET</listen><auth>EXTERNAL</auth><policy context=\"default\">\
                   <allow send_destination=\"*\"/><allow receive_sender=\"*\"/><allow own=\"*\"/><allow user=\"*\"/>\
                   </policy></busconfig>\n";

/// Folders it wants to find, as its package makes them.
const FOLDERS: [&str; 6] = ["zones", "services", "icmptypes", "ipsets", "helpers", "policies"];

/// A firewalld with its bus, in the zone it has by default.
struct Firewalld<'a> {
    // Ended in this order.
    daemon: Daemon<'a>,
    _bus: Daemon<'a>,
    client: String,
}

/// A command that runs one of its programs, as the shell takes it.
fn program(around: &Neighbourhood, path: &str) -> String {
    let root = neighbours::folder().expect("only trials that have it ask").display();
    let bus = around.path("bus");
    // Its Python modules are Debian's, so is the Python.
    format!(
        "env PYTHONPATH={root}/usr/lib/python3/dist-packages DBUS_SYSTEM_BUS_ADDRESS=unix:path={bus} /usr/bin/python3 \
         {root}/usr/{path}"
    )
}

impl<'a> Firewalld<'a> {
    fn start(around: &Neighbourhood<'a>, backend: &str) -> Result<Self, String> {
        let root = neighbours::folder().expect("only trials that have it ask").display();
        let socket = around.path("bus");
        let config = around.write("bus.conf", &BUS.replace("SOCKET", &socket));
        for folder in FOLDERS {
            fs::create_dir_all(around.path(&format!("etc/{folder}"))).expect("a folder");
        }
        let settings = format!("DefaultZone=public\nFirewallBackend={backend}\nFlushAllOnReload=yes\n");
        around.write("etc/firewalld.conf", &settings);
        let mut bus =
            around.start("bus", &format!("dbus-daemon --config-file={config} --nofork --nopidfile --nosyslog"));
        bus.wait(around, || fs::exists(&socket).unwrap_or(false))?;
        let command = format!(
            "{} --nofork --nopid --log-target file --log-file {} --system-config {} --default-config {root}/usr/lib/firewalld",
            program(around, "sbin/firewalld"),
            around.path("log"),
            around.path("etc"),
        );
        let mut daemon = around.start("firewalld", &command);
        let client = program(around, "bin/firewall-cmd");
        // Its name is on the bus before the rules are written, but it answers only afterwards.
        let state = ["sh", "-c", &format!("{client} --state")];
        daemon.wait(around, || around.machine.try_command(&state, "").status.success())?;
        Ok(Self { daemon, _bus: bus, client })
    }

    /// Something happens to it, in the words of the page; it is gone when that was its end.
    fn meets(self, around: &Neighbourhood, event: &str) -> Result<Option<Self>, String> {
        match event {
            "stop" => return self.daemon.stop().map(|()| None),
            option => drop(around.machine.sh(&format!("{} {option}", self.client))),
        }
        Ok(Some(self))
    }
}

/// It starts, is reloaded in both ways, and stops.
const EVENTS: [&str; 4] = ["start", "--reload", "--complete-reload", "stop"];

pub fn comes_and_goes(stage: Stage, backend: &str) -> Result<String, String> {
    let (mut scene, tree) = stage.scene(REWRITE)?;
    scene.install(&tree);
    let around = Neighbourhood::new(&scene.net.nodes[0]);
    let node = around.machine;
    let (table, own) = (rules::table(node), rules::own(node));
    let mut seen: Vec<(String, Vec<&str>)> = Vec::new();
    let mut firewalld = None;
    for event in EVENTS {
        let chains = rules::kube_proxy(node, stage.data_plane);
        let (mut talking, mut held) = (open(&scene)?, open(&scene)?);
        firewalld = match firewalld.take() {
            None => Some(Firewalld::start(&around, backend)?),
            Some(running) => Firewalld::meets(running, &around, event)?,
        };
        rules::same(&table, &rules::table(node), event)?;
        let kept = rules::own(node) == own;
        let stay = rules::kube_proxy(node, stage.data_plane) == chains;
        let talked = still_open(&mut talking, &format!("{event}, at once"));
        if stay {
            port_80(&scene, &answers(&scene), event)?;
        } else {
            port_80(&scene, &Outcome::Refused, &format!("{event}, and kube-proxy's rules are gone"))?;
            // It sees that its canary is gone, and starts over.
            stage.data_plane.start(node, 0, &scene.services);
        }
        port_80(&scene, &answers(&scene), &format!("{event}, and kube-proxy's rules are there"))?;
        still_open(&mut held, event)?;
        scene.unit(0, "ExecReload");
        rules::same(&own, &rules::own(node), &format!("{event}, then ExecReload"))?;
        port_80(&scene, &answers(&scene), &format!("{event}, then ExecReload"))?;
        if neighbours::flushes_all() && kept {
            return Err(format!("{event}: the limits are there, which no firewalld 1 has left alone so far"));
        }
        let port = if stay { "80 answers at once" } else { "80 is refused until kube-proxy writes its rules again" };
        let limits = if kept { "limits stay" } else { "limits are gone until ExecReload" };
        // With the last rule of NAT, the NAT of open connections goes, too: those that rest do not notice.
        let rest = match talked {
            Ok(()) => "",
            Err(_) if event == "stop" && !stay => ", and a connection that sends before then breaks",
            Err(broken) => return Err(broken),
        };
        let what = format!("{port}{rest}; {limits}");
        match seen.last_mut() {
            Some((last, events)) if *last == what => events.push(event),
            _ => seen.push((what, vec![event])),
        }
    }
    let seen: Vec<String> = seen.iter().map(|(what, events)| format!("{}: {what}", events.join(", "))).collect();
    Ok(format!("the nft table is as before, and open connections go on. {}", seen.join(". ")))
}

/// A process on the node, behind the zone that lets in hardly anything.
pub fn redirected(stage: Stage, backend: &str) -> Result<String, String> {
    let (mut scene, tree) = stage.scene(HOST_NETWORK)?;
    scene.install(&tree);
    let around = Neighbourhood::new(&scene.net.nodes[0]);
    let table = rules::table(around.machine);
    let listener = |expected: &Outcome, when: &str| {
        must_meet(expected, &format!("port 9080 {when}"), |family, patience| {
            traffic::probe(&scene.net.client, Transport::Tcp, (family.of(NODES[0]), 9_080).into(), patience)
        })
    };
    listener(&answers(&scene), "without firewalld")?;
    let mut firewalld = None;
    for event in EVENTS {
        firewalld = match firewalld.take() {
            None => Some(Firewalld::start(&around, backend)?),
            Some(running) => Firewalld::meets(running, &around, event)?,
        };
        rules::same(&table, &rules::table(around.machine), event)?;
        port_80(&scene, &answers(&scene), event)?;
        // It is firewalld that shuts it: or nothing was shown here.
        let expected = if firewalld.is_some() { Outcome::Refused } else { answers(&scene) };
        listener(&expected, event)?;
    }
    Ok(format!("{}: answers at once; firewalld shuts the listener's own port alone", EVENTS.join(", ")))
}

/// systemd reloads portgen as soon as firewalld has been sent its signal, long before it has flushed anything.
pub fn reloaded_by_systemd(stage: Stage, backend: &str) -> Result<String, String> {
    let (mut scene, tree) = stage.scene(REWRITE)?;
    scene.install(&tree);
    let around = Neighbourhood::new(&scene.net.nodes[0]);
    let own = rules::own(around.machine);
    let firewalld = Firewalld::start(&around, backend)?;
    // What the unit finds on such a node: a systemd that says firewalld is active, and firewalld's own client.
    for (name, does) in [("systemctl", "exit 0"), ("firewall-cmd", &format!("exec {} \"$@\"", firewalld.client))] {
        let path = around.write(&format!("programs/{name}"), &format!("#!/bin/sh\n{does}\n"));
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("a program");
    }
    around.machine.overlay_programs(&around.path("programs"));
    let reloads = 3;
    for reload in 1..=reloads {
        if rules::kube_proxy(around.machine, stage.data_plane).is_empty() {
            stage.data_plane.start(around.machine, 0, &scene.services);
        }
        firewalld.daemon.signal("HUP");
        scene.unit(0, "ExecReload");
        // Whatever firewalld still has to flush, it flushes now.
        thread::sleep(Duration::from_secs(1));
        rules::same(&own, &rules::own(around.machine), &format!("reload {reload}"))?;
        if neighbours::flushes_all() && !rules::kube_proxy(around.machine, stage.data_plane).is_empty() {
            return Err(format!("reload {reload}: firewalld flushed nothing"));
        }
    }
    Ok(format!("{reloads} reloads: the rules and the limits are as before after each"))
}
