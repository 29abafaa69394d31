//! A gateway on one of two pools: kube-proxy opens its node port on both nodes, and the second one's rules are no way in.

use std::net::SocketAddr;
use std::sync::Arc;

use libtest_mimic::Trial;

use crate::data_plane::DataPlane;
use crate::net::{FAMILIES, Family, Machine, NODES};
use crate::node::{Tree, Variant};
use crate::scene::{Scene, spec};
use crate::traffic::{self, IMPATIENCE, Outcome, PATIENCE, Source, Transport};

const KUBE_PROXY: [DataPlane; 3] =
    [DataPlane::Iptables(Variant::Nft), DataPlane::Iptables(Variant::Legacy), DataPlane::Nftables];
const NODE_PORTS: [(Transport, u16); 3] =
    [(Transport::Tcp, 30_080), (Transport::Tcp, 30_443), (Transport::Udp, 30_443)];

const SHUT: &str = "{strategy: nodePortRedirect}";
/// One of the two clients.
const GUARDED: &str =
    "{strategy: nodePortRedirect, directNodePort: allow, allowFrom: [192.0.2.0/26, \"2001:db8:1::/64\"]}";

pub fn trials() -> Vec<Trial> {
    let trial = |data_plane: DataPlane, exposure: &'static str, what: &str| {
        let title = format!("a node of another pool: its node port is {what} on {}", data_plane.name());
        Trial::test(title, move || Ok(no_way_around(data_plane, exposure)?))
    };
    KUBE_PROXY
        .into_iter()
        .flat_map(|data_plane| [trial(data_plane, SHUT, "shut"), trial(data_plane, GUARDED, "guarded")])
        .collect()
}

/// The spec of the lab, with a pool of its own for node2.
fn two_pools(data_plane: DataPlane, exposure: &str) -> String {
    let spec = spec(data_plane, exposure, true);
    let both = "addresses: [198.51.100.11, 198.51.100.12, \"2001:db8:64::11\", \"2001:db8:64::12\"]";
    assert!(spec.contains(both), "{spec}");
    let apart = "addresses: [198.51.100.11, \"2001:db8:64::11\"]
  core: {nodeSelector: {pool: core}, os: debian-12, addresses: [198.51.100.12, \"2001:db8:64::12\"]}";
    spec.replace(both, apart).replace("replicas: 2", "replicas: 1")
}

fn no_way_around(data_plane: DataPlane, exposure: &str) -> Result<(), String> {
    let spec = two_pools(data_plane, exposure);
    let tree = |pool| Tree::render(&spec).map(|tree| Arc::new(tree.of_pool(pool)));
    let (edge, core) = (tree("edge")?, tree("core")?);
    let mut scene = Scene::new(data_plane, &spec);
    let answer = Outcome::Answer(Source::Node);
    for (transport, port) in NODE_PORTS {
        meets(&scene.net.client, transport, (1, port), &answer, "without files")?;
    }
    scene.install(&edge);
    scene.replace(1, &core);
    scene.unit(1, "ExecReload");
    let inside = if exposure == SHUT { &Outcome::Timeout } else { &answer };
    for (transport, port) in NODE_PORTS {
        meets(&scene.net.client, transport, (1, port), inside, "a client that may use the gateway")?;
        meets(&scene.net.client2, transport, (1, port), &Outcome::Timeout, "another client")?;
    }
    meets(&scene.net.client, Transport::Tcp, (0, 80), &answer, "where the gateway runs")?;
    meets(&scene.net.client, Transport::Udp, (0, 443), &answer, "where the gateway runs")?;
    meets(&scene.net.client, Transport::Tcp, (1, 80), &Outcome::Refused, "the public port elsewhere")
}

fn meets(
    from: &Machine,
    transport: Transport,
    (node, port): (usize, u16),
    expected: &Outcome,
    when: &str,
) -> Result<(), String> {
    let patience = if *expected == Outcome::Timeout { IMPATIENCE } else { PATIENCE };
    let at = |family: Family| SocketAddr::new(family.of(NODES[node]), port);
    for family in FAMILIES {
        let outcome = traffic::probe(from, transport, at(family), patience);
        if outcome != *expected {
            return Err(format!("{when}, {} to {}: {outcome}, and not {expected}", transport.word(), at(family)));
        }
    }
    Ok(())
}
