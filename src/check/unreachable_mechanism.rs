//! A way from the public port to the node port that nobody gets through on this data plane.

use crate::finding::{Finding, Place, Route, Rule, Severity};
use crate::grammar::Family;
use crate::plan::reach::{Verdict, redirect};
use crate::plan::{DataPlane, Mechanism, Plan, Strategy};

pub static RULE: Rule = Rule {
    name: "unreachable-mechanism",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("unreachable_mechanism.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    // Cilium refuses every mechanism alike and has a rule of its own.
    if let DataPlane::Cilium(_) = plan.cluster.data_plane {
        return;
    }
    for gateway in plan.gateways.values() {
        let Strategy::NodePortRedirect { mechanism, .. } = &gateway.strategy else { continue };
        let place = Place::Value(gateway.exposure("mechanism"));
        if let Verdict::Refused { reason, instead } = redirect(*mechanism, plan.cluster.data_plane) {
            findings.push(
                Finding::new(&RULE, place, format!("this mechanism reaches nobody on {}: {reason}", plan.cluster.data_plane), format!("use {instead}"))
                    .also(Place::Value(Route::of(["cluster", "serviceProxy", "mode"])), "the data plane"),
            );
        } else if *mechanism == Mechanism::SocketProxy && !plan.cluster.families.contains(&Family::IPv4) {
            findings.push(
                Finding::new(&RULE, place, "kube-proxy serves no node port on ::1, the one IPv6 address a proxy on every node can name", "use `mechanism: portRewrite`, the default")
                    .also(Place::Value(Route::of(["cluster", "ipFamilies"])), "IPv6 only"),
            );
        }
    }
}
