//! The unit's own lines, one after the other: start, start again, reload, stop.

use std::sync::Arc;

use super::{
    HOST_NETWORK, HOST_NETWORK_MORE, REWRITE_MORE, Stage, answers, must_meet, open, port_80, rules, still_open,
};
use crate::net::NODES;
use crate::node::Tree;
use crate::scene::Scene;
use crate::traffic::{self, Outcome, Transport};

pub fn started_twice(stage: Stage, exposure: &str) -> Result<String, String> {
    let (mut scene, tree) = stage.scene(exposure)?;
    scene.install(&tree);
    let once = rules::all(&scene.net.nodes[0]);
    for setting in ["ExecStart", "ExecReload"] {
        scene.unit(0, setting);
        rules::same(&once, &rules::all(&scene.net.nodes[0]), &format!("{setting} once more"))?;
    }
    port_80(&scene, &answers(&scene), "after that")?;
    Ok("the same ruleset as started once; so after a reload".to_owned())
}

/// Puts into mangle what network plugins and kube-proxy have there.
fn table_in_use(scene: &Scene) {
    canaries(scene);
    on_both_programs(scene, "-t mangle -I PREROUTING -j ACCEPT");
}

/// kube-proxy and the kubelet each put an empty chain into mangle: when it goes, somebody has flushed the tables.
fn canaries(scene: &Scene) {
    on_both_programs(scene, "-t mangle -N KUBE-PROXY-CANARY");
}

fn on_both_programs(scene: &Scene, rule: &str) {
    for program in ["iptables", "ip6tables"] {
        scene.net.nodes[0].sh(&format!("{program}-{} -w 30 {rule}", scene.data_plane.variant().name()));
    }
}

pub fn stopped(stage: Stage, exposure: &str) -> Result<String, String> {
    let (mut scene, tree) = stage.scene(exposure)?;
    if exposure.contains("limits") {
        table_in_use(&scene);
    }
    let before = rules::all(&scene.net.nodes[0]);
    start_and_stop(&mut scene, &tree)?;
    rules::same(&before, &rules::all(&scene.net.nodes[0]), "after stop")?;
    Ok("the ruleset is byte for byte what it was before start; open connections go on".to_owned())
}

/// What is left to read when the kernel's own chains have come into being, and have no rule.
const EMPTY_CHAINS: [&str; 6] = [
    "+chain PREROUTING {",
    "+type filter hook prerouting priority mangle; policy accept;",
    "+}",
    "+",
    "+*mangle",
    "+COMMIT",
];

/// On a node where portgen is the first to have rules at mangle's PREROUTING, this chain stays.
pub fn stopped_alone(stage: Stage) -> Result<String, String> {
    let (mut scene, tree) = stage.scene(super::REWRITE)?;
    canaries(&scene);
    let before = rules::all(&scene.net.nodes[0]);
    start_and_stop(&mut scene, &tree)?;
    let changes = rules::changes(&before, &rules::all(&scene.net.nodes[0]));
    // A chain as iptables saves it, or a line as nft and iptables print them.
    let empty = |line: &str| line.starts_with("+:") && line.ends_with(" ACCEPT") || EMPTY_CHAINS.contains(&line);
    if let Some(line) = changes.iter().find(|line| !empty(line)) {
        return Err(format!("after stop: {line}"));
    }
    Ok(if changes.is_empty() {
        "the ruleset is byte for byte what it was before start".to_owned()
    } else {
        "what stays: mangle's PREROUTING, which is empty and accepts".to_owned()
    })
}

fn start_and_stop(scene: &mut Scene, tree: &Arc<Tree>) -> Result<(), String> {
    scene.install(tree);
    port_80(scene, &answers(scene), "after start")?;
    let mut held = open(scene)?;
    scene.unit(0, "ExecStop");
    still_open(&mut held, "stop")?;
    // systemd runs these lines after a start that failed, too: they find nothing, and that is no error.
    scene.unit(0, "ExecStop");
    port_80(scene, &Outcome::Refused, "after stop")?;
    let port = if scene.services.len() > 1 { 30_080 } else { 9_080 };
    must_meet(&answers(scene), &format!("port {port} after stop"), |family, patience| {
        let to = (family.of(NODES[0]), port).into();
        traffic::probe(&scene.net.client, Transport::Tcp, to, patience)
    })
}

/// What the README says of files that leave the tree: stop with the old unit, then start with the new one.
pub fn limits_leave(stage: Stage) -> Result<String, String> {
    let (mut scene, tree) = stage.scene(super::REWRITE)?;
    let without = stage.tree(&stage.spec("{strategy: nodePortRedirect}"))?;
    table_in_use(&scene);
    let before = rules::all(&scene.net.nodes[0]);
    scene.install(&tree);
    scene.unit(0, "ExecStop");
    scene.replace(0, &without);
    scene.unit(0, "ExecStart");
    port_80(&scene, &answers(&scene), "without limits")?;
    scene.unit(0, "ExecStop");
    rules::same(&before, &rules::all(&scene.net.nodes[0]), "after the new unit's stop")?;
    Ok("stopped by the old unit, started by the new one: nothing of them stays".to_owned())
}

pub fn chains_untouched(stage: Stage, exposure: &str) -> Result<String, String> {
    let (mut scene, tree) = stage.scene(exposure)?;
    let other = if exposure == HOST_NETWORK { HOST_NETWORK_MORE } else { REWRITE_MORE };
    let other = stage.tree(&stage.spec(other))?;
    canaries(&scene);
    let chains = |scene: &Scene| rules::kube_proxy(&scene.net.nodes[0], stage.data_plane);
    let before = chains(&scene);
    scene.install(&tree);
    rules::same(&before, &chains(&scene), "after start")?;
    scene.replace(0, &other);
    scene.unit(0, "ExecReload");
    rules::same(&before, &chains(&scene), "after a reload with another spec")?;
    scene.unit(0, "ExecStop");
    rules::same(&before, &chains(&scene), "after stop")?;
    // The model writes the same text each time: what it would write now is what is there.
    scene.sync();
    rules::same(&before, &chains(&scene), "after kube-proxy wrote its rules again")?;
    Ok(format!("{} lines, the same after each", before.lines().count()))
}
