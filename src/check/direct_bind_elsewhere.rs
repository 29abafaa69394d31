//! A process that is to bind the public port itself but is told to listen elsewhere.

use crate::finding::{Finding, Place, Rule, Severity};
use crate::plan::{Bind, Plan, Strategy};

pub static RULE: Rule = Rule {
    name: "direct-bind-elsewhere",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("direct_bind_elsewhere.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    for gateway in plan.gateways.values() {
        let Strategy::HostNetwork { bind: Bind::Direct, .. } = gateway.strategy else { continue };
        for (name, port) in gateway.ports.iter().filter(|(_, port)| port.target_port != port.port) {
            findings.push(
                Finding::new(
                    &RULE,
                    Place::Value(port.route.key("targetPort")),
                    format!("with `bind: direct` nothing carries port {} of `{name}` to {}", port.port, port.target_port),
                    format!("take `targetPort` out, so that the process listens on {}, or use `bind: redirect`", port.port),
                )
                .also(Place::Value(gateway.exposure("bind")), "no redirect is written"),
            );
        }
    }
}
