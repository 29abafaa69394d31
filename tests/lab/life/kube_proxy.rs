//! kube-proxy next to portgen's rules: it writes its own again, goes and comes, and loses a Service.
//!
//! Nobody touches portgen's unit in these, except after `nft flush ruleset`. That every `iptables-restore` and `nft` of
//! kube-proxy ends with 0 is asserted where it runs them.

use super::{REWRITE, Stage, answers, port_80, rules};
use crate::data_plane::DataPlane;
use crate::net::FAMILIES;
use crate::node::Variant;
use crate::scene::Scene;
use crate::traffic::{self, Outcome, PATIENCE, Transport};

fn installed(stage: Stage) -> Result<Scene, String> {
    let (mut scene, tree) = stage.scene(REWRITE)?;
    scene.install(&tree);
    port_80(&scene, &answers(&scene), "after start")?;
    Ok(scene)
}

/// Does something with portgen's rules in place; they must be the same afterwards.
fn beside(scene: &mut Scene, when: &str, what: impl FnOnce(&mut Scene)) -> Result<(), String> {
    let before = rules::own(&scene.net.nodes[0]);
    what(scene);
    rules::same(&before, &rules::own(&scene.net.nodes[0]), when)
}

pub fn resyncs(stage: Stage) -> Result<String, String> {
    let mut scene = installed(stage)?;
    let chains = rules::kube_proxy(&scene.net.nodes[0], stage.data_plane);
    beside(&mut scene, "after the same rules", Scene::sync)?;
    rules::same(&chains, &rules::kube_proxy(&scene.net.nodes[0], stage.data_plane), "kube-proxy's own")?;
    port_80(&scene, &answers(&scene), "after the same rules")?;
    beside(&mut scene, "after another endpoint", |scene| scene.set_endpoints(&[1]))?;
    for family in FAMILIES {
        let answer = traffic::who(&scene.net.client, Transport::Tcp, scene.at(0, family, 80), PATIENCE);
        let name = answer.map_or_else(|outcome| outcome.to_string(), |answer| answer.name);
        if name != "pod2" {
            return Err(format!("after another endpoint, {}: {name}, and not pod2", family.name()));
        }
    }
    Ok("answers, also from another endpoint".to_owned())
}

pub fn restarts(stage: Stage) -> Result<String, String> {
    let mut scene = installed(stage)?;
    beside(&mut scene, "while kube-proxy is away", |scene| {
        scene.net.nodes.iter().for_each(|node| stage.data_plane.stop(node));
    })?;
    port_80(&scene, &Outcome::Refused, "while kube-proxy is away")?;
    beside(&mut scene, "after kube-proxy came back", start)?;
    port_80(&scene, &answers(&scene), "after kube-proxy came back")?;
    Ok("refused while it is away; answers again at once when it is back".to_owned())
}

fn start(scene: &mut Scene) {
    for (node, machine) in scene.net.nodes.iter().enumerate() {
        scene.data_plane.start(machine, node, &scene.services);
    }
}

pub fn service_deleted(stage: Stage) -> Result<String, String> {
    let mut scene = installed(stage)?;
    let gateway = scene.services[0].clone();
    let chains = rules::kube_proxy(&scene.net.nodes[0], stage.data_plane);
    beside(&mut scene, "without the Service", |scene| {
        scene.services.remove(0);
        scene.sync();
    })?;
    let fewer = rules::kube_proxy(&scene.net.nodes[0], stage.data_plane);
    if fewer.lines().count() >= chains.lines().count() {
        return Err(format!("kube-proxy deleted nothing:\n{fewer}"));
    }
    port_80(&scene, &Outcome::Refused, "without the Service")?;
    beside(&mut scene, "with the Service again", |scene| {
        scene.services.insert(0, gateway);
        scene.sync();
    })?;
    port_80(&scene, &answers(&scene), "with the Service again")?;
    Ok("refused without it; answers again with it".to_owned())
}

pub fn boots(stage: Stage) -> Result<String, String> {
    let (mut scene, tree) = stage.scene(REWRITE)?;
    for node in &scene.net.nodes {
        stage.data_plane.stop(node);
        // Not even an empty chain of it is there when a node boots.
        node.sh("nft flush ruleset");
    }
    scene.install(&tree);
    port_80(&scene, &Outcome::Refused, "before kube-proxy")?;
    beside(&mut scene, "after kube-proxy started", start)?;
    port_80(&scene, &answers(&scene), "after kube-proxy started")?;
    Ok("refused until kube-proxy has started; answers from then on".to_owned())
}

pub fn flushed(stage: Stage) -> Result<String, String> {
    let scene = installed(stage)?;
    let before = rules::own(&scene.net.nodes[0]);
    let legacy = stage.data_plane == DataPlane::Iptables(Variant::Legacy);
    let chains = rules::kube_proxy(&scene.net.nodes[0], stage.data_plane);
    scene.net.nodes[0].sh("nft flush ruleset");
    port_80(&scene, &Outcome::Refused, "after the flush")?;
    if legacy {
        rules::same(&chains, &rules::kube_proxy(&scene.net.nodes[0], stage.data_plane), "kube-proxy's own")?;
    } else {
        // kube-proxy sees that its canary is gone, and starts over.
        start_on_first(&scene);
        port_80(&scene, &Outcome::Refused, "after kube-proxy came back")?;
    }
    scene.unit(0, "ExecReload");
    rules::same(&before, &rules::own(&scene.net.nodes[0]), "after ExecReload")?;
    port_80(&scene, &answers(&scene), "after ExecReload")?;
    if !legacy {
        // The other way round: portgen's rules are back before kube-proxy notices.
        scene.net.nodes[0].sh("nft flush ruleset");
        scene.unit(0, "ExecReload");
        port_80(&scene, &Outcome::Refused, "before kube-proxy came back")?;
        start_on_first(&scene);
        port_80(&scene, &answers(&scene), "after ExecReload and kube-proxy")?;
    }
    Ok(if legacy {
        "refused, and kube-proxy's rules stay; answers after ExecReload, the rules as before".to_owned()
    } else {
        "refused, also when kube-proxy is back; answers after ExecReload, in either order, the rules as before"
            .to_owned()
    })
}

fn start_on_first(scene: &Scene) {
    scene.data_plane.start(&scene.net.nodes[0], 0, &scene.services);
}
