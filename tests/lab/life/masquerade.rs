//! Source ports that the node gives away by itself: sometimes one is a node port, or the port of a listener.

use std::net::SocketAddr;

use super::{Stage, answers, must_meet, port_80};
use crate::net::CLIENT2;
use crate::scene::Scene;
use crate::traffic::{self, Outcome, Source, Transport};

/// `MASQUERADE --random-fully`, as kube-proxy and network plugins write it, takes any port from 1024 on. Here it takes this
/// one each time, and not once in 64,512.
fn only_port(scene: &Scene, rule: &str, port: u16) {
    for program in ["iptables", "ip6tables"] {
        let program = format!("{program}-{} -w 30", scene.data_plane.variant().name());
        scene.net.nodes[0].sh(&format!("{program} -t nat -I POSTROUTING {rule} -j MASQUERADE --to-ports {port}"));
    }
}

/// A client's connection, on its way from the node to the pod.
pub fn to_the_gateway(stage: Stage, exposure: &str, interfaces: &str) -> Result<String, String> {
    let scene = scene(stage, exposure, interfaces)?;
    only_port(&scene, "-p tcp --dport 9080", 30_080);
    port_80(&scene, &answers(&scene), "with the node port as its source port")?;
    Ok("answers".to_owned())
}

/// A pod's connection to the world.
pub fn to_the_world(stage: Stage, exposure: &str, port: u16) -> Result<String, String> {
    let scene = scene(stage, exposure, "")?;
    only_port(&scene, "-o eth0 -p tcp --dport 80", port);
    must_meet(&Outcome::Answer(Source::Node), "a pod to the world", |family, patience| {
        let to = SocketAddr::new(family.of(CLIENT2), 80);
        traffic::probe(&scene.net.pods[0], Transport::Tcp, to, patience)
    })?;
    Ok("answers".to_owned())
}

fn scene(stage: Stage, exposure: &str, interfaces: &str) -> Result<Scene, String> {
    let named = format!("    os: debian-12\n    interfaces: [{interfaces}]\n");
    let spec = stage.spec(exposure).replace("    os: debian-12\n", &named);
    let tree = stage.tree(&spec)?;
    let mut scene = Scene::new(stage.data_plane, &spec);
    scene.install(&tree);
    port_80(&scene, &answers(&scene), "with any other source port")?;
    Ok(scene)
}
