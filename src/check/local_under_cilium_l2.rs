//! `externalTrafficPolicy: Local` behind Cilium's layer 2: the node that answers ARP need not have a pod.

use crate::finding::{Finding, Place, Rule, Severity};
use crate::plan::{Announce, Plan, Strategy, TrafficPolicy};

pub static RULE: Rule = Rule {
    name: "local-under-cilium-l2",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("local_under_cilium_l2.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    for gateway in plan.gateways.values() {
        let Strategy::CiliumLoadBalancer { announced, traffic, .. } = &gateway.strategy else { continue };
        if announced.how != Announce::L2 || traffic.policy != TrafficPolicy::Local {
            continue;
        }
        findings.push(
            Finding::new(
                &RULE,
                Place::Value(gateway.exposure("externalTrafficPolicy")),
                format!(
                    "Cilium chooses the node that answers for the address of `{}` without looking for a pod there, and under `Local` only a pod of that node answers",
                    gateway.name
                ),
                "take it out, or use `announce: bgp` or `strategy: metalLB`, which announce from nodes with a pod only",
            )
            .also(Place::Value(gateway.exposure("announce")), "by layer 2"),
        );
    }
}
