//! Runs a case on a data plane: renders its spec, loads the tree, sends every packet, judges what came of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::cases::{ByHand, Case};
use crate::data_plane::DataPlane;
use crate::knowledge;
use crate::net::{FAMILIES, Family};
use crate::node::{Tree, Variant};
use crate::probe::{PROBES, Probe};
use crate::scene::{Kind, Scene, spec};
use crate::traced;
use crate::traffic::{IMPATIENCE, Outcome, PATIENCE};

pub const DATA_PLANES: [DataPlane; 4] =
    [DataPlane::Iptables(Variant::Nft), DataPlane::Iptables(Variant::Legacy), DataPlane::Nftables, DataPlane::Cilium];

/// What the probes of a case met on a data plane in one family.
pub type Met = BTreeMap<Probe, Outcome>;

/// What became of a case on a data plane.
#[derive(Debug, Clone)]
pub enum Cell {
    /// portgen writes it, and it carries packets.
    Works(BTreeMap<Family, Met>),
    /// portgen refuses it by this rule, and built by hand it meets this.
    Refused(String, Probe, BTreeMap<Family, Outcome>),
}

/// Runs a case on a data plane.
pub fn run(case: &Case, data_plane: DataPlane, kind: Kind) -> Result<Cell, String> {
    let spec = case.spec(data_plane);
    let cell = match Tree::render(&spec) {
        Ok(tree) => {
            let scene = Scene::served(data_plane, kind, &spec);
            Cell::Works(carry(case, scene, &Arc::new(tree), PATIENCE, |_, _| false)?)
        }
        Err(report) => refused(case, data_plane, kind, &report)?,
    };
    traced::agrees(case, data_plane, &cell)?;
    knowledge::says(case, data_plane, matches!(cell, Cell::Works(_)))?;
    Ok(cell)
}

/// Loads a tree and sends every packet of a case through it.
fn carry(
    case: &Case,
    mut scene: Scene,
    tree: &Arc<Tree>,
    patience: Duration,
    enough: impl Fn(&Outcome, &Outcome) -> bool,
) -> Result<BTreeMap<Family, Met>, String> {
    scene.install(tree);
    let met = probe_all(case, &mut scene, patience, enough);
    judge(case, scene.data_plane, &met)?;
    match scene.net.wrong_checksums() {
        0 => Ok(met),
        wrong => Err(format!("{wrong} packets arrived with a wrong checksum")),
    }
}

/// Runs a case with one file of its tree changed, until the first thing goes wrong; gives what that was.
pub fn run_changed(case: &Case, data_plane: DataPlane, file: &str, change: fn(&str) -> String) -> Option<String> {
    let spec = case.spec(data_plane);
    let tree = Tree::render(&spec).expect("it is accepted");
    tree.mutate(file, change);
    // A fault shows in what does not come: waiting long for it proves no more.
    let patience = Duration::from_millis(1_500);
    carry(case, Scene::new(data_plane, &spec), &Arc::new(tree), patience, |met, expected| met != expected).err()
}

/// Builds by hand what portgen refuses: what it writes where it does not, or the rules that people copy.
fn refused(case: &Case, data_plane: DataPlane, kind: Kind, report: &str) -> Result<Cell, String> {
    let rule = report.split(['[', ']']).nth(1).ok_or_else(|| report.to_owned())?;
    let attempt = (case.refused)(data_plane).ok_or_else(|| format!("nobody expects this:\n{report}"))?;
    let elsewhere = spec(DataPlane::Iptables(Variant::Nft), "{strategy: nodePortRedirect}", case.udp);
    let (spec, tree) = match attempt.by_hand {
        ByHand::Elsewhere => {
            let spec = case.spec(DataPlane::Iptables(Variant::Nft));
            let tree = Tree::render(&spec).map_err(|report| format!("not even elsewhere:\n{report}"))?;
            (spec, tree)
        }
        ByHand::Pending => (case.spec(DataPlane::Cilium), Tree::by_hand(&[])),
        ByHand::Unit(lines) => (elsewhere, Tree::by_hand(&[("systemd/system/portgen.service", lines)])),
    };
    let mut scene = Scene::served(data_plane, kind, &spec);
    scene.install(&Arc::new(tree));
    if let ByHand::Pending = attempt.by_hand {
        scene.services[0].load_balancer.clear();
        scene.services[0].external_ips.clear();
        scene.sync();
    }
    let mut met = BTreeMap::new();
    for family in FAMILIES {
        let patience = if attempt.meets == Outcome::Timeout { IMPATIENCE } else { PATIENCE };
        let outcome = attempt.probe.run(&mut scene, family, patience);
        if outcome != attempt.meets {
            return Err(format!("{} built by hand: {outcome}, and not {}", family.name(), attempt.meets));
        }
        met.insert(family, outcome);
    }
    Ok(Cell::Refused(rule.to_owned(), attempt.probe, met))
}

fn probe_all(
    case: &Case,
    scene: &mut Scene,
    patience: Duration,
    enough: impl Fn(&Outcome, &Outcome) -> bool,
) -> BTreeMap<Family, Met> {
    let mut met: BTreeMap<Family, Met> = BTreeMap::new();
    for family in FAMILIES {
        for probe in PROBES {
            let Some(expected) = (case.expected)(probe, scene.data_plane, family) else { continue };
            // What should stay away is not waited for as long as what should come.
            let patience = match (&expected, scene.data_plane) {
                (Outcome::Timeout, _) => IMPATIENCE,
                // An emulated machine takes its time.
                (_, DataPlane::Ipvs) => 4 * patience,
                _ => patience,
            };
            let outcome = probe.run(scene, family, patience);
            let enough = enough(&outcome, &expected);
            met.entry(family).or_default().insert(probe, outcome);
            if enough {
                return met;
            }
        }
        if scene.services.len() > 1 {
            scene.set_endpoints(&[0]);
        }
    }
    met
}

/// Whether everything met is what was expected; what is not is told.
fn judge(case: &Case, data_plane: DataPlane, met: &BTreeMap<Family, Met>) -> Result<(), String> {
    let mut wrong = Vec::new();
    for (&family, met) in met {
        for (&probe, outcome) in met {
            let expected = (case.expected)(probe, data_plane, family).expect("it was asked");
            if *outcome != expected {
                wrong.push(format!("{} {}: {outcome}, and not {expected}", family.name(), probe.title()));
            }
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

/// What something meets, the same in both families.
pub fn same_in_both_families(mut meet: impl FnMut(Family) -> Result<Outcome, String>) -> Result<String, String> {
    let mut met = Vec::new();
    for family in FAMILIES {
        met.push(meet(family).map_err(|worked| format!("{}: {worked}", family.name()))?);
    }
    if met[0] == met[1] { Ok(met[0].to_string()) } else { Ok(format!("IPv4: {}; IPv6: {}", met[0], met[1])) }
}
