//! The states between two trees, in the order in which clients never stand before a closed door.

use super::entry::Entry;
use super::mix::{Mix, Side, State};
use super::reach::left_out;
use super::service::{both, share_addresses, widened};
use super::{Gap, Note, What};
use crate::plan::{Announce, Mechanism, Plan, Strategy, TrafficPolicy};

/// A state and what leads to it.
#[derive(Debug)]
pub struct Stage<'a> {
    pub what: What,
    /// The tree after it.
    pub plan: Plan,
    /// Where clients come in during it.
    pub entry: Side<'a>,
    /// Whether they are answered there after it.
    pub answers: bool,
    /// What has to answer before anybody depends on it.
    pub tried: Option<Side<'a>>,
    pub gaps: Vec<Gap>,
    pub notes: Vec<Note>,
}

/// The way from one side to the other.
struct Walk<'a> {
    mix: Mix<'a>,
    state: State<'a>,
    entry: Side<'a>,
    tried: Option<Side<'a>>,
    /// Whom nodes without a pod have left out so far.
    left_out: Option<Gap>,
    stages: Vec<Stage<'a>>,
}

/// Every state; `bridge` is a way in before any pods, for two sides that both depend on their pods.
pub fn stages<'a>(old: Side<'a>, new: Side<'a>, bridge: Option<Side<'a>>) -> Vec<Stage<'a>> {
    let state = State { pods: old, service: old, beside: None, policy: None, doors: old, opened: false };
    let left_out = left_out(old.plan, old);
    let mut walk = Walk { mix: Mix { old, new }, state, entry: old, tried: None, left_out, stages: Vec::new() };
    let over = match (new.serves(), old.serves()) {
        (true, _) => Some(new),
        (_, true) => Some(old),
        // Without other pods there is nothing to bridge; to other ports no bridge leads.
        _ if old.same_pods(new) || !old.same_targets(new) => None,
        _ => bridge,
    };
    // The pool grows around the address that the Service has.
    let over = over.filter(|_| !widened(old, new));
    let replaced = over.is_some_and(|over| both(old, over).is_none());
    match over {
        // What does not touch the one Service comes first.
        Some(_) if replaced => walk.push(What::Prepare, Vec::new(), None),
        Some(over) => walk.across(over),
        None => walk.directly(),
    }
    walk.finish(replaced);
    walk.stages
}

impl<'a> Walk<'a> {
    fn push(&mut self, what: What, notes: Vec<Note>, gap: Option<Gap>) {
        // `both` was asked before.
        let Some(plan) = self.mix.plan(&self.state) else { return };
        self.push_plan(what, plan, notes, gap);
    }

    fn push_plan(&mut self, what: What, plan: Plan, notes: Vec<Note>, gap: Option<Gap>) {
        let Self { entry, tried, .. } = *self;
        let mut gaps: Vec<Gap> = gap.into_iter().collect();
        // Who was left out before loses nothing.
        if let Some(gap) = left_out(&plan, entry).filter(|gap| self.left_out != Some(*gap)) {
            gaps.push(gap);
            self.left_out = Some(gap);
        }
        let answers = !gaps.contains(&Gap::EveryNode);
        self.stages.push(Stage { what, plan, entry, answers, tried, gaps, notes });
    }

    /// By a Service that stands before the pods of both.
    fn across(&mut self, over: Side<'a>) {
        let Mix { old, new } = self.mix;
        let other_pods = !old.same_pods(new);
        if over.is(old) {
            self.state.policy = (other_pods && local(old)).then_some(TrafficPolicy::Cluster);
            self.push(What::Prepare, seen_from_node(self.state.policy), None);
        } else {
            self.state.service = over;
            self.state.beside = Some(old);
            // A node's guard before its own process would meet the other nodes in place of the clients.
            self.state.policy = old.guards_listeners().then_some(TrafficPolicy::Local);
            self.state.opened = shuts_node_ports_of(old, over) || shuts_node_ports_of(over, old);
            self.tried = Some(over);
            self.push(What::Open, Vec::new(), None);
            self.enter(over);
        }
        if other_pods {
            self.state.pods = new;
            self.state.policy = local(over).then_some(TrafficPolicy::Cluster);
            let gap = if old.same_targets(new) {
                (one_entry(old, new) || one_entry(new, old)).then_some(Gap::OneEntry)
            } else {
                Some(Gap::TwoTargets)
            };
            let mut notes = vec![Note::ConnectionsEndWithPods];
            notes.extend(seen_from_node(self.state.policy));
            if new.guards_listeners() {
                notes.push(Note::ListenersOpen);
            }
            self.push(What::Pods, notes, gap);
        }
        if !over.is(new) {
            if new.guards_listeners() {
                self.state.policy = Some(TrafficPolicy::Local);
                self.push(What::Narrow, Vec::new(), None);
            }
            self.enter(new);
        }
    }

    /// Lets clients in by another way, which is open behind the doors of the nodes.
    fn enter(&mut self, by: Side<'a>) {
        let (from, to) = (Entry::of(self.entry), Entry::of(by));
        let doors = self.state.doors;
        let moves = !from.leads_on_to(&to);
        self.tried = Some(by);
        if !moves || by.has_doors() {
            self.state.doors = by;
            if !moves {
                self.entry = by;
            }
            let mut notes = Vec::new();
            if !moves {
                notes.push(Note::ConnectionsBreakAtDoors);
            }
            if doors.guards_listeners() && !by.guards_listeners() {
                notes.push(Note::ListenersOpen);
            }
            let gap = changes_proxy(doors, by).then_some(Gap::Sockets);
            self.push(What::Doors, notes, gap);
        }
        if moves {
            self.entry = by;
            self.push(What::Move(from, to), Vec::new(), None);
            self.state.doors = by;
            self.state.opened = false;
            self.push(What::Shut, Vec::new(), None);
        }
        self.tried = None;
    }

    /// Without anything that stands before the pods of both.
    fn directly(&mut self) {
        let Mix { old, new } = self.mix;
        if old.same_pods(new) {
            return;
        }
        if old.is_served_before_netfilter() {
            // Its packets meet no rules, so those of the new way can wait for the new pods.
            self.state.doors = new;
        }
        self.push(What::Prepare, Vec::new(), None);
        let doors = self.state.doors;
        let reached = doors.is(new) || new.is_served_before_netfilter() || !(doors.redirects() || new.redirects());
        self.state.pods = new;
        let gap = if reached {
            self.tried = Some(new);
            if Entry::of(old).leads_on_to(&Entry::of(new)) {
                self.entry = new;
            }
            Gap::NodeByNode
        } else {
            Gap::EveryNode
        };
        let mut notes = vec![Note::ConnectionsEndWithPods];
        if new.guards_listeners() && !doors.guards_listeners() {
            notes.push(Note::ListenersOpen);
        }
        self.push(What::Pods, notes, Some(gap));
        self.enter(new);
    }

    fn finish(&mut self, replaced: bool) {
        let new = self.mix.new;
        let (from, to) = (Entry::of(self.entry), Entry::of(new));
        self.entry = new;
        self.tried = None;
        let gap = if replaced && share_addresses(self.mix.old, new) {
            Some(Gap::SharedAddresses)
        } else if replaced {
            Some(Gap::ServiceReplaced)
        } else {
            changes_proxy(self.state.doors, new).then_some(Gap::Sockets)
        };
        self.push_plan(What::Finish, new.plan.clone(), Vec::new(), gap);
        if !from.leads_on_to(&to) {
            self.push_plan(What::Move(from, to), new.plan.clone(), Vec::new(), None);
        }
    }
}

fn local(side: Side<'_>) -> bool {
    side.gateway.needs.policy == Some(TrafficPolicy::Local)
}

fn seen_from_node(policy: Option<TrafficPolicy>) -> Vec<Note> {
    policy.map(|_| Note::SeesNode).into_iter().collect()
}

/// Whether the doors of one shut the node ports that clients of the other use.
fn shuts_node_ports_of(doors: Side<'_>, other: Side<'_>) -> bool {
    matches!(doors.gateway.strategy, Strategy::NodePortRedirect { .. })
        && matches!(other.gateway.strategy, Strategy::NodePort { .. })
}

/// Whether Cilium maps a port for the one that the other's Service has at the same addresses.
fn one_entry(mapped: Side<'_>, other: Side<'_>) -> bool {
    let at_nodes = other.gateway.strategy.announced().map_or_else(
        || matches!(other.gateway.strategy, Strategy::ExternalIps { .. }),
        |(announced, _)| announced.how == Announce::Node,
    );
    mapped.gateway.needs.host_port && mapped.is_served_before_netfilter() && at_nodes
}

/// Whether a proxy on the node starts or ends: its sockets and the rules change one after the other.
fn changes_proxy(from: Side<'_>, to: Side<'_>) -> bool {
    let proxy = |side: Side<'_>| {
        matches!(side.gateway.strategy, Strategy::NodePortRedirect { mechanism: Mechanism::SocketProxy, .. })
    };
    proxy(from) != proxy(to) && from.has_doors() && to.has_doors()
}
