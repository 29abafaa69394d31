//! What portgen refuses beside IPVS, built by hand: IPVS makes the address of every Service local to every node.

use std::sync::Arc;

use crate::data_plane::{DataPlane, ServicePort, port_map};
use crate::matrix;
use crate::net::{Family, LOAD_BALANCER};
use crate::node::{Tree, Variant};
use crate::probe::Probe;
use crate::scene::{Kind, Scene, spec};
use crate::traffic::{Conversation, IMPATIENCE, Outcome, PATIENCE, Transport};

/// Rules, what is built, and what shows it.
pub type Shown = (&'static str, &'static str, fn() -> Result<String, String>);

pub const REFUSALS: [Shown; 4] = [
    ("ipvs-without-addresses", "rules that ask for local addresses only; another Service's port 80", without_addresses),
    ("limits-beside-ipvs", "5 connections a source on port 80; 12 to another Service's port 80", limits),
    ("host-port-beside-ipvs", "ports mapped by nftables; another Service's port 80", mapped_by_nftables),
    ("ipvs-without-strict-arp", "a load balancer address whose announcer is gone", without_strict_arp),
];

/// A tree of another mode under IPVS.
fn elsewhere(exposure: &str) -> Scene {
    let spec = spec(DataPlane::Iptables(Variant::Nft), exposure, false);
    let tree = Tree::render(&spec).expect("it is accepted there");
    let mut scene = Scene::served(DataPlane::Ipvs, Kind::Real, &spec);
    scene.install(&Arc::new(tree));
    scene
}

fn without_addresses() -> Result<String, String> {
    let mut scene = elsewhere("{strategy: nodePortRedirect}");
    matrix::same_in_both_families(|family| match Probe::OtherService.run(&mut scene, family, PATIENCE) {
        Outcome::Answer(_) => Err("the other Service answers".to_owned()),
        outcome => Ok(outcome),
    })
}

fn limits() -> Result<String, String> {
    let scene = elsewhere("{strategy: hostNetwork, limits: {connectionsPerSource: 5}}");
    matrix::same_in_both_families(|family| {
        let to = scene.other_service(family);
        let open: Vec<_> =
            (0..12).filter_map(|_| Conversation::open(&scene.net.pods[0], to, IMPATIENCE).ok()).collect();
        if open.len() == 12 { Err("all of them are open".to_owned()) } else { Ok(Outcome::Count(open.len())) }
    })
}

fn mapped_by_nftables() -> Result<String, String> {
    let spec = spec(DataPlane::Ipvs, "{strategy: hostNetwork, bind: direct}", false);
    let mut scene = Scene::served(DataPlane::Ipvs, Kind::Real, &spec);
    let ports = [(80, 9_080), (443, 9_443)].map(|(port, target_port)| ServicePort {
        name: String::new(),
        transport: Transport::Tcp,
        port,
        target_port,
        node_port: None,
    });
    for (node, machine) in scene.net.nodes.iter().enumerate() {
        port_map::load_nftables(machine, node, &ports);
    }
    matrix::same_in_both_families(|family| match Probe::OtherService.run(&mut scene, family, PATIENCE) {
        Outcome::Answer(_) => Err("the other Service answers".to_owned()),
        outcome => Ok(outcome),
    })
}

fn without_strict_arp() -> Result<String, String> {
    let exposure = "{strategy: metalLB, mode: l2, addresses: [198.51.100.200-198.51.100.209, \"2001:db8:64::200-2001:db8:64::209\"]}";
    let scene = Scene::served(DataPlane::Ipvs, Kind::Real, &spec(DataPlane::Ipvs, exposure, false));
    let router = &scene.net.router;
    // The node that announces is cut off; nobody else announces.
    router.sh(&format!("ip link set node1 down; ip route replace {}/32 dev br0", LOAD_BALANCER.0));
    let to = (Family::V4.of(LOAD_BALANCER), 80).into();
    // Whatever comes of it, the router has asked who has the address.
    drop(Conversation::open(&scene.net.client, to, IMPATIENCE));
    let neighbour = router.sh(&format!("ip neigh show {} dev br0", LOAD_BALANCER.0));
    if neighbour.contains("lladdr") {
        return Ok("a node that does not announce it answers ARP".to_owned());
    }
    Err(format!("nobody answers: {neighbour}"))
}
