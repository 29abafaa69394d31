//! From one way in to another without an outage: the trees between the two, and what to run and to check at each.
//!
//! A migration is a list of plans that no spec can say, such as a NodePort Service in front of pods of the host's
//! network. Each is rendered and checked as any plan; the commands are told by the files that differ.

mod checks;
mod entry;
mod mix;
mod reach;
mod service;
mod stages;
mod step;
mod words;

pub use checks::Check;
pub use entry::Entry;

use crate::artifact::Artifacts;
use crate::check;
use crate::compare::Change;
use crate::finding::Finding;
use crate::grammar::DnsLabel;
use crate::output::{self, Fault};
use crate::plan::Plan;
use mix::Side;

/// The steps from one way in to another.
#[derive(Debug)]
pub struct Migration {
    /// The gateway.
    pub gateway: DnsLabel,
    /// The strategy it has.
    pub from: &'static str,
    /// The strategy it gets.
    pub to: &'static str,
    /// What the new way does without.
    pub losses: Vec<Note>,
    /// The tree before the first step.
    pub start: Artifacts,
    /// The steps in order; the last tree is that of the new spec. Those in between have no README of their own.
    pub steps: Vec<Step>,
}

impl Migration {
    /// Where some clients are not answered.
    pub fn gaps(&self) -> impl Iterator<Item = Gap> {
        self.steps.iter().flat_map(|step| step.gaps.iter().copied())
    }

    /// Whether the steps before this one, counted from 1, have written the new way into the spec.
    #[must_use]
    pub fn is_in_spec_before(&self, number: usize) -> bool {
        self.steps.iter().take(number.saturating_sub(1)).any(|step| step.what == What::Finish)
    }
}

/// One step.
#[derive(Debug)]
pub struct Step {
    /// What it does.
    pub what: What,
    /// What the cluster is after it.
    pub plan: Plan,
    /// The tree after it.
    pub tree: Artifacts,
    /// What it changes in the tree.
    pub changes: Vec<Change>,
    /// What to run, from the tree's folder.
    pub commands: Vec<String>,
    /// What to see before the next step.
    pub checks: Vec<Check>,
    /// What to run, from the folder of the tree before it, to go back.
    pub back: Vec<String>,
    /// What to know.
    pub notes: Vec<Note>,
    /// Who is not answered, and for how long.
    pub gaps: Vec<Gap>,
}

impl Step {
    /// Whether it has a tree to write: one that differs, or that of the new spec.
    #[must_use]
    pub fn is_written(&self) -> bool {
        !self.changes.is_empty() || self.what == What::Finish
    }
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// What pods and Services to come need, and what is there does not mind.
    Prepare,
    /// The new Service, before the pods that are there.
    Open,
    /// The nodes' ports lead another way.
    Doors,
    /// Clients connect elsewhere.
    Move(Entry, Entry),
    /// Nodes no longer do what nobody uses.
    Shut,
    /// Other pods.
    Pods,
    /// Each node's clients meet the pod of that node.
    Narrow,
    /// What only the old way needed goes, and the spec says the new one.
    Finish,
}

/// Who is not answered while a step is done, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gap {
    /// One Service cannot be both.
    ServiceReplaced,
    /// Pods listen on other ports than the Service's.
    TwoTargets,
    /// A node's ports lead to a pod that is gone, or not yet there.
    NodeByNode,
    /// No node leads to the pods that come before it has the files of the next step.
    EveryNode,
    /// Nodes without a pod answer nobody any longer.
    FewerNodes {
        /// So many pods there are at least.
        pods: u32,
        /// So many nodes.
        nodes: u32,
    },
    /// Rules and sockets of a proxy change one after the other.
    Sockets,
    /// The containers that are kind's nodes keep the ports they were made with.
    PortsOfKind,
    /// Cilium knows a port of a node's address once, for a mapped port and for a Service.
    OneEntry,
    /// Both ways have the same addresses to give, and these are one Service's at a time.
    SharedAddresses,
    /// The node's rules are taken away and loaded anew, for a file leaves.
    Reloaded,
}

/// What to know of a step that has no gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Note {
    /// Connections that are open at a door break.
    ConnectionsBreakAtDoors,
    /// Connections that are open end with their pod.
    ConnectionsEndWithPods,
    /// The ports of processes on the node are open to everyone.
    ListenersOpen,
    /// The gateway sees a node's address.
    SeesNode,
    /// Nothing keeps sources out any longer.
    AllowListGone,
    /// Nothing limits a source any longer.
    LimitsGone,
    /// Cilium's agents restart.
    CiliumRestarts,
    /// The old Service cannot be had back as it was.
    MadeAnew,
}

/// Why there is no way.
#[derive(Debug)]
pub enum Refusal {
    /// Both specs render the same files.
    Nothing,
    /// Other gateways share what MetalLB keeps under this one's name: each old name with the new one.
    Shared(Vec<[String; 2]>),
    /// What stands between the two cannot be.
    Between(Box<What>, Vec<Finding>),
    /// A fault of portgen or of a chart folder.
    Fault(Fault),
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// The way of a gateway from one plan to another. `bridge` is a plan with a way in by a Service at the nodes' own ports,
/// if the cluster can have one: it leads across where both ways in depend on their pods.
///
/// # Errors
/// Where there is no way.
///
/// # Panics
/// If a plan has no such gateway.
pub fn migrate(old: &Plan, new: &Plan, bridge: Option<&Plan>, gateway: &DnsLabel) -> Result<Migration, Refusal> {
    let renamed = output::renamed(old, new);
    if !renamed.is_empty() {
        return Err(Refusal::Shared(renamed));
    }
    let bridge = bridge.map(|plan| Side::of(plan, gateway));
    let stages = stages::stages(Side::of(old, gateway), Side::of(new, gateway), bridge);
    let start = output::render(old, &check::inspect(old))?;
    let (mut before, mut tree) = (old.clone(), start.clone());
    let (mut steps, mut left_out, mut finished): (Vec<Step>, Vec<Gap>, bool) = Default::default();
    for stage in stages {
        let mut findings = check::inspect(&stage.plan);
        // What is accepted is accepted of the old way or of the new one, which were asked.
        findings.retain(|finding| finding.rule.name != check::UNUSED_ACCEPT.name);
        if check::refused(&findings) {
            return Err(Refusal::Between(Box::new(stage.what), findings));
        }
        finished |= stage.what == What::Finish;
        let mut next = output::render(&stage.plan, &findings)?;
        if !finished {
            // It would tell of a spec that there is not.
            next = next.without("README.md");
        }
        let changes = step::changes(&tree, &next);
        let mut step = step::step(stage, &before, [&tree, &next], changes)?;
        // Where there is nothing to run there is no step, unless somebody else does it.
        if !step.commands.is_empty() || matches!(step.what, What::Move(..) | What::Finish) {
            step.gaps.splice(..0, std::mem::take(&mut left_out));
            before = step.plan.clone();
            tree = next;
            steps.push(step);
        } else {
            // Whom nodes leave out they leave out from the next step on.
            left_out.extend(step.gaps.into_iter().filter(|gap| matches!(gap, Gap::FewerNodes { .. })));
        }
    }
    if steps.iter().all(|step| step.commands.is_empty()) {
        return Err(Refusal::Nothing);
    }
    let [from, to] = [old, new].map(|plan| plan.gateways[gateway].strategy.name());
    Ok(Migration { gateway: gateway.clone(), from, to, losses: losses(old, new, gateway), start, steps })
}

fn losses(old: &Plan, new: &Plan, gateway: &DnsLabel) -> Vec<Note> {
    let [old, new] = [old, new].map(|plan| &plan.gateways[gateway].strategy);
    let allow_list = !old.allow_from().is_empty() && new.allow_from().is_empty();
    let limits = old.limits().is_some() && new.limits().is_none();
    [(allow_list, Note::AllowListGone), (limits, Note::LimitsGone)]
        .into_iter()
        .filter_map(|(lost, note)| lost.then_some(note))
        .collect()
}
