//! From one way in to another without an outage: the trees between the two, and what to run and to check at each.
//!
//! A migration is a list of plans that no spec can say, such as a NodePort Service in front of pods of the host's
//! network. Each is rendered and checked as any plan; the commands are told by the files that differ.

mod entry;
mod mix;
mod stages;
mod words;

pub use entry::Entry;

use crate::artifact::Artifacts;
use crate::check;
use crate::compare::{self, Change, Committed, Kind};
use crate::finding::Finding;
use crate::grammar::DnsLabel;
use crate::output::{self, Fault, Services};
use crate::plan::{Gateway, Plan, ServiceType, protocol_word};
use mix::Side;
use serde_json::json;
use stages::Stage;

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
    /// The steps in order; the last tree is that of the new spec.
    pub steps: Vec<Step>,
}

impl Migration {
    /// The steps during which some clients are not answered.
    pub fn gaps(&self) -> impl Iterator<Item = Gap> {
        self.steps.iter().filter_map(|step| step.gap)
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
    /// Who is not answered meanwhile, and for how long.
    pub gap: Option<Gap>,
}

/// Something to see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What is seen when all is well.
    pub sees: String,
    /// What to run, if anything shows it.
    pub commands: Vec<String>,
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
    /// Rules and sockets of a proxy change one after the other.
    Sockets,
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
    let mut steps: Vec<Step> = Vec::new();
    for stage in stages {
        let findings = check::inspect(&stage.plan);
        if check::refused(&findings) {
            return Err(Refusal::Between(Box::new(stage.what), findings));
        }
        let next = output::render(&stage.plan, &findings)?;
        let changes = changes(&tree, &next);
        let step = step(stage, &before, [&tree, &next], changes)?;
        // Where there is nothing to run there is no step, unless somebody else does it.
        if !step.commands.is_empty() || matches!(step.what, What::Move(..) | What::Finish) {
            before = step.plan.clone();
            tree = next;
            steps.push(step);
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

/// What differs between two trees beside what they say of themselves.
fn changes(from: &Artifacts, to: &Artifacts) -> Vec<Change> {
    let committed: Committed =
        from.iter().map(|artifact| (artifact.path.clone(), Some(artifact.text.clone()))).collect();
    let mut changes = compare::compare(&committed, to);
    changes.retain(|change| change.path != "README.md");
    changes
}

fn step(stage: Stage<'_>, before: &Plan, [from, to]: [&Artifacts; 2], changes: Vec<Change>) -> Result<Step, Fault> {
    let services = if stage.gap == Some(Gap::ServiceReplaced) { Services::Replace } else { Services::Change };
    let mut commands = output::carry_over(before, &stage.plan, &changes, services)?;
    commands.extend(pinned_node_ports(before, &stage));
    let back = output::carry_over(&stage.plan, before, &self::changes(to, from), services)?;
    let mut notes = stage.notes.clone();
    if changes.iter().any(|change| change.path == "cilium/values.yaml") {
        notes.push(Note::CiliumRestarts);
    }
    let gap = stage.gap.or_else(|| reloads(before, &stage.plan, &changes).then_some(Gap::Reloaded));
    let checks = checks(&stage);
    Ok(Step { what: stage.what, plan: stage.plan, tree: to.clone(), changes, commands, checks, back, notes, gap })
}

/// Whether a file leaves nodes that keep others: the unit stops before it starts again.
fn reloads(before: &Plan, after: &Plan, changes: &[Change]) -> bool {
    after.nodes.keys().filter(|pool| before.nodes.contains_key(*pool)).any(|pool| {
        let folder = format!("nodes/{pool}");
        changes.iter().any(|change| change.kind == Kind::Removed && change.path.starts_with(&folder))
    })
}

/// A LoadBalancer Service has node ports of the API server's choice; no chart can say others.
fn pinned_node_ports(before: &Plan, stage: &Stage<'_>) -> Option<String> {
    let gateway = &stage.plan.gateways[&stage.entry.gateway.name];
    let was = &before.gateways[&gateway.name];
    let load_balancer = |gateway: &Gateway| gateway.needs.service_type == ServiceType::LoadBalancer;
    let numbers = |gateway: &Gateway| gateway.ports.values().map(|port| port.node_port).collect::<Vec<_>>();
    let pinned = numbers(gateway).iter().any(Option::is_some);
    if !pinned || !load_balancer(gateway) || !load_balancer(was) || numbers(gateway) == numbers(was) {
        return None;
    }
    let ports: Vec<_> = gateway
        .ports
        .values()
        .map(|port| json!({"port": port.port, "protocol": protocol_word(port.protocol), "nodePort": port.node_port}))
        .collect();
    let object = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": gateway.service.name, "namespace": gateway.namespace},
        "spec": {"ports": ports},
    });
    Some(format!(
        "echo '{object}' | kubectl apply --server-side --force-conflicts --field-manager portgen-migrate -f -"
    ))
}

fn checks(stage: &Stage<'_>) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut see = |sees: String, commands: Vec<String>| checks.push(Check { sees, commands });
    let gateway = stage.entry.gateway;
    match &stage.what {
        What::Open => {
            if let Some(tried) = stage.tried {
                let Gateway { namespace, service, .. } = tried.gateway;
                let command =
                    format!("kubectl -n {namespace} get endpointslices -l kubernetes.io/service-name={}", service.name);
                see("every pod is an endpoint of the new Service".to_owned(), vec![command]);
            }
        }
        What::Pods | What::Finish => {
            see("the rollout ends".to_owned(), vec![output::rollout(gateway)]);
        }
        What::Move(from, to) => {
            see(
                format!(
                    "names, and whatever stands before the gateway, lead to {to}; the TTL that the names had before has passed"
                ),
                Vec::new(),
            );
            let counters = if from.is_of_nodes() && !stage.plan.nodes.is_empty() {
                vec!["# on each node\nnft list table inet portgen".to_owned()]
            } else {
                Vec::new()
            };
            see(
                format!("no client connects to {from} any longer: its counters and the access log stand still"),
                counters,
            );
        }
        What::Prepare | What::Doors | What::Shut | What::Narrow => {}
    }
    // A NodePort Service is tried by the doors that lead to it.
    let by_itself =
        |side: &Side<'_>| stage.what != What::Open || side.gateway.needs.service_type != ServiceType::NodePort;
    if let Some(tried) = stage.tried.filter(by_itself) {
        let sees = format!("{} answers: a status code, not `000`", tried.gateway.strategy.name());
        see(sees, output::requests(tried.plan, tried.gateway));
    }
    let tried = stage.tried.is_some_and(|tried| std::ptr::eq(tried.gateway, gateway));
    if !tried && !matches!(stage.what, What::Move(..)) {
        let sees = format!("{} still answers", gateway.strategy.name());
        let sees = if stage.what == What::Finish { sees.replace(" still", "") } else { sees };
        see(sees, output::requests(stage.entry.plan, gateway));
    }
    checks
}
