//! Nodes that load balancers skip: those with the exclusion label, which kubeadm puts on control-plane nodes.

use crate::finding::{Finding, Place, Rule, Severity};
use crate::plan::{Announce, Plan};

pub static RULE: Rule = Rule {
    name: "excluded-from-load-balancers",
    severity: Severity::Warning,
    acceptable: true,
    page: include_str!("excluded_from_load_balancers.md"),
};

const LABELS: [&str; 2] =
    ["node.kubernetes.io/exclude-from-external-load-balancers", "node-role.kubernetes.io/control-plane"];

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    for gateway in plan.gateways.values() {
        let (announced, who, instead) = match gateway.strategy.announced() {
            Some((announced, "MetalLB")) => {
                (announced, "MetalLB's speakers skip", ", set `speaker.ignoreExcludeLB: true` in MetalLB's values,")
            }
            Some((announced, _)) if announced.how == Announce::Node => (announced, "Cilium's node IPAM skips", ""),
            _ => continue,
        };
        for pool in &announced.announce_from {
            for label in LABELS.into_iter().filter(|label| plan.pools[pool].node_selector.contains_key(*label)) {
                findings.push(
                    Finding::new(
                        &RULE,
                        Place::Value(gateway.exposure("strategy")),
                        format!("{who} nodes that load balancers exclude, and pool `{pool}` selects such nodes"),
                        format!("remove the label `node.kubernetes.io/exclude-from-external-load-balancers` from these nodes{instead} or announce from another pool"),
                    )
                    .also(Place::Key(plan.pools[pool].route.key("nodeSelector").key(label)), "selects them"),
                );
            }
        }
    }
}
