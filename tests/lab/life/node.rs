//! A node that is not complete when portgen starts.

use super::{Stage, answers, must_meet, port_80};
use crate::net::{Family, NODES};
use crate::scene::Scene;
use crate::traffic::{self, Outcome, Transport};

pub fn missing_interface(stage: Stage) -> Result<String, String> {
    let spec = stage
        .spec("{strategy: nodePortRedirect}")
        .replace("    os: debian-12\n", "    os: debian-12\n    interfaces: [eth0, bond7]\n");
    let tree = stage.tree(&spec)?;
    let mut scene = Scene::new(stage.data_plane, &spec);
    scene.install(&tree);
    port_80(&scene, &answers(&scene), "over eth0, bond7 missing")?;
    link(&scene);
    over_link(&scene, &Outcome::Refused, "over an interface that is not named")?;
    scene.net.nodes[0].sh(
        // Taking a link down takes its IPv6 addresses away.
        "ip link set late down; ip link set late name bond7; ip link set bond7 up
         ip address add 2001:db8:3::1/64 dev bond7 nodad",
    );
    over_link(&scene, &answers(&scene), "over bond7, once it is there")?;
    port_80(&scene, &answers(&scene), "over eth0, beside bond7")?;
    Ok("loads; answers over the others, and over it from the moment it is there".to_owned())
}

/// A second way from client2 to node1, by an interface that has another name at first.
fn link(scene: &Scene) {
    let (node, client) = (&scene.net.nodes[0], &scene.net.client2);
    node.sh(&format!("ip link add name late type veth peer name late netns {}", client.netns()));
    for (machine, host) in [(node, 1), (client, 2)] {
        machine.sh(&format!(
            "ethtool -K late tx off tso off gso off gro off sg off >/dev/null
             ip link set late up
             ip address add 192.0.2.{}/30 dev late; ip address add 2001:db8:3::{host}/64 dev late nodad",
            128 + host
        ));
    }
    client.sh(&format!("ip route add {} via 192.0.2.129; ip route add {} via 2001:db8:3::1", NODES[0].0, NODES[0].1));
}

fn over_link(scene: &Scene, expected: &Outcome, when: &str) -> Result<(), String> {
    must_meet(expected, when, |family: Family, patience| {
        traffic::probe(&scene.net.client2, Transport::Tcp, scene.at(0, family, 80), patience)
    })
}
