//! Mapped ports beside IPVS: the mapping takes other Services' connections as well.

use crate::finding::{Finding, Place, Route, Rule, Severity};
use crate::plan::Plan;
use crate::plan::knowledge::{Form, Verdict, verdict};

pub static RULE: Rule = Rule {
    name: "host-port-beside-ipvs",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("host_port_beside_ipvs.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    let cluster = &plan.cluster;
    let Verdict::Refused { reason, instead } = verdict(Form::HostPort, cluster.data_plane, &cluster.families) else {
        return;
    };
    // With an address of the node the mapping leaves other addresses alone.
    let mapped = plan.gateways.values().filter(|gateway| gateway.needs.host_port && gateway.needs.host_ip.is_none());
    for gateway in mapped {
        findings.push(
            Finding::new(
                &RULE,
                Place::Value(gateway.exposure("strategy")),
                format!("the ports of `{}` are not its own: {reason}", gateway.name),
                format!("use {instead}"),
            )
            .also(Place::Value(Route::of(["cluster", "serviceProxy", "mode"])), "IPVS"),
        );
    }
}
