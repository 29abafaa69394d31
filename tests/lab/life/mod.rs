//! Life on a node: what the unit's own lines do while a node boots, changes, and lives next to kube-proxy.
//!
//! Every trial runs lines of the rendered unit and changes nothing of them; the string it gives is its line in the
//! published table.

mod docker;
pub mod faults;
mod firewalld;
mod kube_proxy;
mod masquerade;
mod migrate;
pub mod neighbours;
mod node;
mod reload;
mod rules;
mod unit;

use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::Trial;

use crate::data_plane::{DataPlane, Traffic};
use crate::net::{FAMILIES, Family};
use crate::node::{Tree, Variant};
use crate::page;
use crate::scene::{Scene, spec};
use crate::traffic::{self, Conversation, IMPATIENCE, Outcome, PATIENCE, Source, Transport};

/// Something that happens on a node.
pub struct Life {
    pub title: &'static str,
    /// Where it is tried.
    pub data_planes: &'static [DataPlane],
    /// Lets it happen, and tells what came of it; an error when that is not what portgen promises.
    pub show: fn(Stage) -> Result<String, String>,
}

/// Where it happens: a data plane, and trees as portgen renders them or with a fault of `faults`.
#[derive(Clone, Copy)]
pub struct Stage {
    pub data_plane: DataPlane,
    pub fault: Option<&'static faults::Fault>,
}

impl Stage {
    fn tree(self, spec: &str) -> Result<Arc<Tree>, String> {
        let tree = Tree::render(spec)?;
        if let Some(fault) = self.fault {
            fault.plant(&tree);
        }
        Ok(Arc::new(tree))
    }

    fn spec(self, exposure: &str) -> String {
        spec(self.data_plane, exposure, false)
    }

    /// What stands on the nodes before portgen comes, and the tree for them.
    fn scene(self, exposure: &str) -> Result<(Scene, Arc<Tree>), String> {
        let spec = self.spec(exposure);
        let tree = self.tree(&spec)?;
        Ok((Scene::new(self.data_plane, &spec), tree))
    }
}

const KUBE_PROXY: &[DataPlane] =
    &[DataPlane::Iptables(Variant::Nft), DataPlane::Iptables(Variant::Legacy), DataPlane::Nftables];

const fn life(title: &'static str, show: fn(Stage) -> Result<String, String>) -> Life {
    Life { title, data_planes: KUBE_PROXY, show }
}

/// A migration, walked step by step.
const fn migration(title: &'static str, show: fn(Stage) -> Result<String, String>) -> Life {
    Life { title, data_planes: NFT, show }
}

/// With limits, what a reload does depends on which program `iptables` is; the rest of it is nft's business.
const PROGRAMS: &[DataPlane] = &[DataPlane::Iptables(Variant::Nft), DataPlane::Iptables(Variant::Legacy)];
const NFT: &[DataPlane] = &[DataPlane::Iptables(Variant::Nft), DataPlane::Nftables];
const ONE: &[DataPlane] = &[DataPlane::Iptables(Variant::Nft)];

pub const LIVES: &[Life] = &[
    life("started twice", |stage| unit::started_twice(stage, REWRITE)),
    life("started twice, hostNetwork", |stage| unit::started_twice(stage, HOST_NETWORK)),
    life("stopped", |stage| unit::stopped(stage, "{strategy: nodePortRedirect}")),
    life("stopped, with limits, where others use mangle", |stage| unit::stopped(stage, REWRITE)),
    life("stopped, hostNetwork with limits, where others use mangle", |stage| unit::stopped(stage, HOST_NETWORK)),
    life("stopped, with limits, where nobody else uses mangle", unit::stopped_alone),
    life("limits leave the spec", unit::limits_leave),
    life("kube-proxy's chains after start, reload and stop", |stage| unit::chains_untouched(stage, REWRITE)),
    life("kube-proxy's chains after start, reload and stop, hostNetwork", |stage| {
        unit::chains_untouched(stage, HOST_NETWORK)
    }),
    life("reloaded with other limits under load", |stage| reload::under_load(stage, [LIMITS, LIMITS_OTHER])),
    Life {
        title: "reloaded with another allowFrom and the node port opened under load",
        data_planes: NFT,
        show: |stage| reload::under_load(stage, [SOURCES, SOURCES_MORE]),
    },
    Life {
        title: "reloaded with another allowFrom and other limits under load, hostNetwork",
        data_planes: PROGRAMS,
        show: |stage| reload::under_load(stage, [HOST_NETWORK, HOST_NETWORK_MORE]),
    },
    life("kube-proxy writes its rules again", kube_proxy::resyncs),
    life("kube-proxy stops, cleans up and starts again", kube_proxy::restarts),
    life("the Service is deleted and made again", kube_proxy::service_deleted),
    life("the node boots: portgen first, then kube-proxy", kube_proxy::boots),
    life("nft flush ruleset", kube_proxy::flushed),
    life("an interface that is missing at boot", node::missing_interface),
    migration("migrated: nodePortRedirect to metalLB", |stage| migrate::walk(stage, [REDIRECT, METALLB])),
    migration("migrated: metalLB to nodePortRedirect", |stage| migrate::walk(stage, [METALLB, REDIRECT])),
    migration("migrated: hostNetwork to nodePortRedirect", |stage| {
        migrate::walk(stage, [PLAIN_HOST_NETWORK, REDIRECT])
    }),
    migration("migrated at once: hostNetwork to nodePortRedirect", |stage| {
        migrate::at_once(stage, [PLAIN_HOST_NETWORK, REDIRECT])
    }),
    migration("migrated: nodePortRedirect to hostNetwork", |stage| {
        migrate::walk(stage, [REDIRECT, PLAIN_HOST_NETWORK])
    }),
    migration("migrated: hostNetwork with an allow-list and limits to nodePortRedirect", |stage| {
        migrate::walk(stage, [HOST_NETWORK, REWRITE])
    }),
    migration("migrated: nodePortRedirect to hostNetwork with an allow-list and limits", |stage| {
        migrate::walk(stage, [REWRITE, HOST_NETWORK])
    }),
    migration("migrated: nodePortRedirect to nodePort", |stage| {
        migrate::walk(stage, [REDIRECT, "{strategy: nodePort}"])
    }),
    migration("migrated: limits leave nodePortRedirect", |stage| migrate::walk(stage, [LIMITS, REDIRECT])),
    life("masqueraded from the node port", |stage| {
        masquerade::to_the_gateway(stage, "{strategy: nodePortRedirect}", "")
    }),
    life("masqueraded from the node port, allowFrom", |stage| masquerade::to_the_gateway(stage, REWRITE, "")),
    life("masqueraded from the node port, interfaces", |stage| {
        masquerade::to_the_gateway(stage, "{strategy: nodePortRedirect}", "eth0")
    }),
    life("a pod's connection, masqueraded from the node port", |stage| {
        masquerade::to_the_world(stage, REWRITE, 30_080)
    }),
    life("a pod's connection, masqueraded from the listener's port", |stage| {
        masquerade::to_the_world(stage, HOST_NETWORK, 9_080)
    }),
];

/// Where migrations start and end.
const REDIRECT: &str = "{strategy: nodePortRedirect}";
const PLAIN_HOST_NETWORK: &str = "{strategy: hostNetwork}";
const METALLB: &str = "{strategy: metalLB, addresses: [198.51.100.200/32, \"2001:db8:64::200/128\"]}";

/// A port rewrite with everything that a unit can load, and the same for more clients with other limits.
const REWRITE: &str = "{strategy: nodePortRedirect, allowFrom: [192.0.2.0/26, \"2001:db8:1::/64\"], limits: {connectionsPerSource: 10000, newConnectionsPerSecond: 10000, burst: 10000}}";
const REWRITE_MORE: &str = "{strategy: nodePortRedirect, allowFrom: [192.0.2.0/25, \"2001:db8::/46\"], limits: {connectionsPerSource: 9000, newConnectionsPerSecond: 9000, burst: 9000}}";

/// The same for processes on the node.
const HOST_NETWORK: &str = "{strategy: hostNetwork, allowFrom: [192.0.2.0/26, \"2001:db8:1::/64\"], limits: {connectionsPerSource: 10000, newConnectionsPerSecond: 10000, burst: 10000}}";
const HOST_NETWORK_MORE: &str = "{strategy: hostNetwork, allowFrom: [192.0.2.0/25, \"2001:db8::/46\"], limits: {connectionsPerSource: 9000, newConnectionsPerSecond: 9000, burst: 9000}}";

/// A port rewrite with limits alone.
const LIMITS: &str =
    "{strategy: nodePortRedirect, limits: {connectionsPerSource: 10000, newConnectionsPerSecond: 10000, burst: 10000}}";
const LIMITS_OTHER: &str =
    "{strategy: nodePortRedirect, limits: {connectionsPerSource: 9000, newConnectionsPerSecond: 9000, burst: 9000}}";

/// An allow-list, and another one with the node port open.
const SOURCES: &str = "{strategy: nodePortRedirect, allowFrom: [192.0.2.0/26, \"2001:db8:1::/64\"]}";
const SOURCES_MORE: &str =
    "{strategy: nodePortRedirect, directNodePort: allow, allowFrom: [192.0.2.0/25, \"2001:db8::/46\"]}";

impl Life {
    /// What it is called on a data plane: in a run, and on the board of the page.
    pub fn on(&self, data_plane: DataPlane) -> String {
        format!("{} on {}", self.title, data_plane.name())
    }
}

fn each(lives: &'static [Life]) -> impl Iterator<Item = (&'static Life, DataPlane)> {
    lives.iter().flat_map(|life| life.data_planes.iter().map(move |&data_plane| (life, data_plane)))
}

/// A test for each of these on each of its data planes, and for each fault; what they saw goes to the board of the page.
pub fn trials() -> Vec<Trial> {
    let lives = each(LIVES)
        .map(|(life, data_plane)| told(life.on(data_plane), move || (life.show)(Stage { data_plane, fault: None })));
    lives.chain(caught(false)).collect()
}

/// The faults that a neighbour shows, or the others.
fn caught(by_neighbours: bool) -> impl Iterator<Item = Trial> {
    let faults = faults::FAULTS.iter().filter(move |fault| fault.needs_neighbours() == by_neighbours);
    faults.map(|fault| told(format!("caught: {}", fault.name), || faults::catch(fault)))
}

fn told(title: String, what: impl FnOnce() -> Result<String, String> + Send + 'static) -> Trial {
    Trial::test(title.clone(), move || {
        let seen = what()?;
        page::note(|board| drop(board.lines.insert(title, seen)));
        Ok(())
    })
}

/// A connection to port 80 of node1 in each family.
fn open(scene: &Scene) -> Result<Vec<Conversation>, String> {
    let open = |family| Conversation::open(&scene.net.client, scene.at(0, family, 80), PATIENCE);
    FAMILIES
        .into_iter()
        .map(open)
        .collect::<Result<_, _>>()
        .map_err(|outcome| format!("a connection to hold: {outcome}"))
}

/// All of them go on.
fn still_open(open: &mut [Conversation], when: &str) -> Result<(), String> {
    open.iter_mut().try_for_each(|open| match open.who() {
        Ok(_) => Ok(()),
        Err(outcome) => Err(format!("a connection that was open before {when}: {outcome}")),
    })
}

/// The client's connections to port 80 of node1 must all end like this.
fn port_80(scene: &Scene, expected: &Outcome, when: &str) -> Result<(), String> {
    must_meet(expected, when, |family, patience| {
        traffic::probe(&scene.net.client, Transport::Tcp, scene.at(0, family, 80), patience)
    })
}

/// Whom the gateway sees: a node, where its Service stands first and chooses among all pods; else the client.
fn answers(scene: &Scene) -> Outcome {
    let among_all = scene.services.len() > 1 && scene.services[0].traffic == Traffic::Cluster;
    Outcome::Answer(if among_all { Source::Node } else { Source::Client })
}

/// What is tried in both families must end like this.
fn must_meet(expected: &Outcome, when: &str, met: impl Fn(Family, Duration) -> Outcome) -> Result<(), String> {
    let patience = if *expected == Outcome::Timeout { IMPATIENCE } else { PATIENCE };
    for family in FAMILIES {
        let outcome = met(family, patience);
        if outcome != *expected {
            return Err(format!("{when}, {}: {outcome}, and not {expected}", family.name()));
        }
    }
    Ok(())
}
