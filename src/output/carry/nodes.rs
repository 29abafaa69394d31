//! From one tree to another on the nodes: what to run there, when, and how it is seen.

use std::collections::BTreeMap;

use super::Fault;
use crate::compare::Change;
use crate::grammar::DnsLabel;
use crate::output::node;
use crate::output::readme::NodeFiles;
use crate::output::readme::steps::on_node;
use crate::plan::Plan;
use crate::plan::node::{Door, NodePlan, Way};

/// The commands for the nodes of every pool whose files differ: those that come before the Services, those in between,
/// and those that come after them.
pub fn carried(from: &Plan, to: &Plan, changes: &[Change]) -> Result<[Vec<String>; 3], Fault> {
    let mut files: NodeFiles<'_> = BTreeMap::new();
    for (pool, plan) in &to.nodes {
        let written = node::files(to, pool, plan)
            .map_err(|path| Fault { path, reason: "it reads back as something else".to_owned() })?;
        files.insert(pool, written);
    }
    let mut run: [Vec<String>; 3] = Default::default();
    for (pool, plan) in to.nodes.iter().filter(|(pool, _)| differs(changes, pool)) {
        let commands = &mut run[position(from.nodes.get(pool), Some(plan))];
        commands.push(format!("# on each node of pool {pool}"));
        if !from.nodes.contains_key(pool) {
            commands.extend(on_node::packages(to, pool, plan).map(|needs| format!("# {needs}")));
        }
        commands.extend(on_node::on_each_node(to, pool, plan, &files));
    }
    for (pool, plan) in gone(from, to) {
        let commands = &mut run[position(Some(plan), None)];
        commands.push(format!("# on each node of pool {pool}"));
        commands.extend(on_node::off_each_node(from, pool, plan));
    }
    Ok(run)
}

/// What to see on the nodes of every pool whose files differ, and what shows it, from the folder of the second tree.
pub fn checked(from: &Plan, to: &Plan, changes: &[Change]) -> Vec<(String, Vec<String>)> {
    let mut checks = Vec::new();
    for (pool, plan) in to.nodes.iter().filter(|(pool, _)| differs(changes, pool)) {
        let leads = |door: &Door| matches!(door.way, Way::Rewrite { .. } | Way::Redirect { .. });
        let counted = if plan.doors.iter().any(leads) { ", and its rules have counted the requests above" } else { "" };
        checks.push((
            format!("each node of pool {pool} has the files of this step, each `OK`, and what they load{counted}"),
            on_node::compared(to, pool, plan),
        ));
    }
    for (pool, _) in gone(from, to) {
        checks.push((
            format!(
                "nothing of portgen's is left on any node of pool {pool}: each line says that there is no such file"
            ),
            on_node::absent(from, pool),
        ));
    }
    checks
}

/// What shows the counters of the rules on the nodes of every pool.
pub fn shown(plan: &Plan) -> Vec<String> {
    plan.nodes.iter().flat_map(|(pool, node)| on_node::shown(plan, pool, node)).collect()
}

fn differs(changes: &[Change], pool: &DnsLabel) -> bool {
    changes.iter().any(|change| change.path.starts_with(format!("nodes/{pool}")))
}

fn gone<'a>(from: &'a Plan, to: &'a Plan) -> impl Iterator<Item = (&'a DnsLabel, &'a NodePlan)> {
    from.nodes.iter().filter(|(pool, _)| !to.nodes.contains_key(*pool))
}

/// A guard stands before the Service opens the port that it guards, and until the Service has gone.
fn position(from: Option<&NodePlan>, to: Option<&NodePlan>) -> usize {
    let doors = |node: Option<&NodePlan>| node.map(|node| node.doors.clone()).unwrap_or_default();
    let (from, to) = (doors(from), doors(to));
    let beyond = |some: &[Door], others: &[Door]| -> Vec<Door> {
        some.iter().filter(|door| !others.contains(door)).cloned().collect()
    };
    let (lost, gained) = (beyond(&from, &to), beyond(&to, &from));
    if gained.is_empty() {
        if lost.is_empty() { 1 } else { 2 }
    } else {
        usize::from(!lost.is_empty() || gained.iter().any(Door::is_public))
    }
}
