//! A process without privileges that is told to listen below 1024.

use crate::finding::{Finding, Place, Rule, Severity};
use crate::plan::{Bind, Plan, Strategy};

pub static RULE: Rule = Rule {
    name: "privileged-target-port",
    severity: Severity::Error,
    acceptable: true,
    page: include_str!("privileged_target_port.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    for gateway in plan.gateways.values() {
        // The node's sysctl is written for exactly this.
        let allowed = matches!(gateway.strategy, Strategy::HostNetwork { bind: Bind::Direct, .. });
        if allowed || gateway.security.run_as_user == 0 {
            continue;
        }
        for (name, port) in gateway.ports.iter().filter(|(_, port)| port.target_port.get() < 1024) {
            let why = if gateway.needs.host_network {
                "on the node's network a capability without a file capability does not help"
            } else {
                "only some container runtimes lower the limit inside a pod"
            };
            findings.push(Finding::new(
                &RULE,
                Place::Value(port.route.key("targetPort")),
                format!("user {} cannot bind port {} of `{name}`: {why}", gateway.security.run_as_user, port.target_port),
                format!("listen above 1023, such as {}, and let clients keep port {}", u32::from(port.target_port.get()) + 8000, port.port),
            ));
        }
    }
}
