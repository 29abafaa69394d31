//! What to see after a step, before anybody depends on it.

use super::What;
use super::entry::Entry;
use super::mix::Side;
use super::reach::left_out;
use super::stages::Stage;
use crate::compare::Change;
use crate::output;
use crate::plan::{Gateway, Plan, ServiceType};

/// Something to see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What is seen when all is well.
    pub sees: String,
    /// What to run, if anything shows it.
    pub commands: Vec<String>,
    /// Whether it is run from the folder of the tree.
    pub in_tree: bool,
}

/// The checks of a stage, in order.
pub fn checks(stage: &Stage<'_>, before: &Plan, changes: &[Change]) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut see = |sees: String, commands: Vec<String>| checks.push(Check { sees, commands, in_tree: false });
    let gateway = stage.entry.gateway;
    let tried = stage.tried.filter(|tried| is_told_by_an_answer(stage, *tried));
    let answers = |side: Side<'_>, word: &str| {
        let but = if left_out(&stage.plan, side).is_some() { ", which is what nodes without a pod give" } else { "" };
        let strategy = &side.gateway.strategy;
        let asked = if strategy.allow_from().is_empty() { "" } else { ", asked from an address of `allowFrom`" };
        let sees = format!("{} {word}{asked}: a status code, not `000`{but}", strategy.name());
        (sees, output::requests(side.plan, side.gateway))
    };
    if let (What::Open, Some(tried)) = (&stage.what, stage.tried) {
        let Gateway { namespace, service, .. } = tried.gateway;
        let command =
            format!("kubectl -n {namespace} get endpointslices -l kubernetes.io/service-name={}", service.name);
        see("every pod is an endpoint of the new Service".to_owned(), vec![command]);
    }
    if matches!(stage.what, What::Pods | What::Finish) {
        see("the rollout ends".to_owned(), vec![output::rollout(gateway)]);
    }
    if let Some(tried) = tried {
        let (sees, commands) = answers(tried, "answers");
        see(sees, commands);
    }
    if let What::Move(from, to) = &stage.what {
        see(
            format!(
                "names, and whatever stands before the gateway, lead to {to}; the TTL that the names had before has passed"
            ),
            Vec::new(),
        );
        let counters = if from.is_of_nodes() { output::nodes_shown(&stage.plan) } else { Vec::new() };
        see(format!("no client connects to {from} any longer: its counters and the access log stand still"), counters);
    } else if stage.answers && !tried.is_some_and(|tried| tried.is(stage.entry)) {
        let (sees, commands) =
            answers(stage.entry, if stage.what == What::Finish { "answers" } else { "still answers" });
        see(sees, commands);
    }
    for (sees, commands) in output::nodes_checked(before, &stage.plan, changes) {
        checks.push(Check { sees, commands, in_tree: true });
    }
    checks
}

/// Whether an answer at the ports of a way in tells that it answers, and not another one there.
fn is_told_by_an_answer(stage: &Stage<'_>, tried: Side<'_>) -> bool {
    if stage.what != What::Open {
        return true;
    }
    // A NodePort Service is tried by the doors that lead to it, where it has some.
    let by_doors = tried.gateway.needs.service_type == ServiceType::NodePort && tried.has_doors();
    !by_doors && !Entry::of(stage.entry).leads_on_to(&Entry::of(tried))
}
