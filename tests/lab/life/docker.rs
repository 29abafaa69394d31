//! A real dockerd next to portgen's rules. No container is run.

use super::neighbours::{self, Daemon, Neighbourhood};
use super::{REWRITE, Stage, answers, open, port_80, rules, still_open};

fn start<'a>(around: &Neighbourhood<'a>) -> Result<Daemon<'a>, String> {
    let root = neighbours::folder().expect("only trials that have it ask").display();
    // It would write its key into /etc.
    let key = format!("{{\"deprecated-key-path\": \"{}\"}}", around.path("key.json"));
    let config = around.write("daemon.json", &key);
    let [data, exec, pid, socket] = ["data", "exec", "pid", "socket"].map(|name| around.path(name));
    // What the caller has of a bus may lead to a firewalld.
    let command = format!(
        "env PATH={root}/usr/sbin:{root}/usr/bin:/usr/sbin:/usr/bin:/sbin:/bin DBUS_SYSTEM_BUS_ADDRESS=unix:path={exec}/none \
         dockerd --config-file {config} --data-root {data} --exec-root {exec} --pidfile {pid} --host unix://{socket} \
         --storage-driver vfs --iptables=true"
    );
    let mut docker = around.start("dockerd", &command);
    docker.wait(around, || around.read("dockerd.said").contains("Daemon has completed initialization"))?;
    Ok(docker)
}

pub fn comes_and_goes(stage: Stage) -> Result<String, String> {
    let (mut scene, tree) = stage.scene(REWRITE)?;
    scene.install(&tree);
    let around = Neighbourhood::new(&scene.net.nodes[0]);
    let before = rules::own(around.machine);
    let mut held = open(&scene)?;
    let mut check = |when: &str| {
        rules::same(&before, &rules::own(around.machine), when)?;
        port_80(&scene, &answers(&scene), when)?;
        still_open(&mut held, when)
    };
    let docker = start(&around)?;
    let chains = around.machine.sh(&format!("iptables-{}-save", stage.data_plane.variant().name()));
    if !chains.contains(":DOCKER-USER ") {
        return Err("dockerd wrote no rules".to_owned());
    }
    check("after dockerd started")?;
    docker.stop()?;
    check("after dockerd stopped")?;
    Ok("answers throughout, the rules as before; open connections go on".to_owned())
}
