//! A UDP port behind a proxy that carries TCP.

use crate::finding::{Finding, Place, Rule, Severity};
use crate::plan::{Mechanism, Plan, Protocol, Strategy};

pub static RULE: Rule = Rule {
    name: "proxy-without-udp",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("proxy_without_udp.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    for gateway in plan.gateways.values() {
        let Strategy::NodePortRedirect { mechanism: Mechanism::SocketProxy, .. } = gateway.strategy else { continue };
        for (name, port) in gateway.ports.iter().filter(|(_, port)| port.protocol == Protocol::UDP) {
            findings.push(
                Finding::new(
                    &RULE,
                    Place::Value(port.route.key("protocol")),
                    format!("`{name}` is UDP, and `socketProxy` carries TCP only"),
                    "use `mechanism: portRewrite`, or take the port out",
                )
                .also(Place::Value(gateway.exposure("mechanism")), "a TCP proxy"),
            );
        }
    }
}
