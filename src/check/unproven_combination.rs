//! A combination that follows from what was proven but was not tried itself.

use crate::finding::{Finding, Place, Rule, Severity};
use crate::plan::reach::{Verdict, cilium_load_balancer, external_ips, host_network, host_port, redirect};
use crate::plan::{Plan, Strategy};

pub static RULE: Rule = Rule {
    name: "unproven-combination",
    severity: Severity::Warning,
    acceptable: true,
    page: include_str!("unproven_combination.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    for gateway in plan.gateways.values() {
        let verdict = match &gateway.strategy {
            Strategy::NodePortRedirect { mechanism, .. } => redirect(*mechanism, plan.cluster.data_plane),
            Strategy::HostNetwork { .. } => host_network(plan.cluster.data_plane),
            Strategy::ExternalIps { .. } => external_ips(plan.cluster.data_plane),
            Strategy::CiliumLoadBalancer { announced, .. } => cilium_load_balancer(announced.how, plan.cluster.data_plane),
            Strategy::HostPort { .. } => host_port(plan.cluster.data_plane),
            _ => Verdict::Works,
        };
        if let Verdict::NotProven(reason) = verdict {
            findings.push(Finding::new(
                &RULE,
                Place::Value(gateway.exposure("strategy")),
                format!("`{}` on {} is not proven: {reason}", gateway.strategy.name(), plan.cluster.data_plane),
                "try it on one node with the commands of the generated README, then accept it with a reason",
            ));
        }
    }
}
