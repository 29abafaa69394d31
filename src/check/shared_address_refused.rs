//! Gateways that want to share an address and cannot.

use crate::finding::{Finding, Place, Route, Rule, Severity};
use crate::plan::{Gateway, Plan, PortPlan, Strategy, TrafficPolicy, protocol_word};

pub static RULE: Rule = Rule {
    name: "shared-address-refused",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("shared_address_refused.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    for gateway in plan.gateways.values() {
        let Strategy::MetalLb { announced, allow_shared_ip: Some(key), .. } = &gateway.strategy else { continue };
        let sharers = plan.gateways.values().filter(|other| other.pool == gateway.pool && other.name != gateway.name);
        let mut say = |place: Route, other: &Gateway, also: Route, message: String, help: &str| {
            let finding = Finding::new(&RULE, Place::Value(place), message, help);
            findings.push(finding.also(Place::Value(also), format!("`{}`", other.name)));
        };
        if let Some(other) = sharers.clone().next().filter(|_| gateway.needs.policy == Some(TrafficPolicy::Local)) {
            say(
                gateway.exposure("externalTrafficPolicy"),
                other,
                other.exposure("allowSharedIP"),
                format!("`{key}` is shared, and with `Local` only Services of the very same pods share an address"),
                "use `Cluster` in all of them, or give each an address of its own",
            );
        }
        for other in sharers.take_while(|other| other.name < gateway.name) {
            for port in gateway.ports.values() {
                let taken = |known: &&PortPlan| (known.port, known.protocol) == (port.port, port.protocol);
                let Some(known) = other.ports.values().find(taken) else { continue };
                let message = format!(
                    "{} {} is taken on the address that `{}` shares",
                    protocol_word(port.protocol),
                    port.port,
                    other.name
                );
                let help = "use another port, or give each gateway an address of its own";
                say(port.route.key("port"), other, known.route.key("port"), message, help);
            }
            // The first one's objects serve all of them.
            let alike = other.strategy.announced().is_some_and(|(known, _)| known.same_as(announced));
            if other.name == gateway.pool && !alike {
                say(
                    gateway.exposure("allowSharedIP"),
                    other,
                    other.exposure("allowSharedIP"),
                    format!("`{}` shares the address but chooses or announces it in another way", other.name),
                    "write the same `mode`, `loadBalancerIP`, `interfaces`, `announceFrom` and `bgp` in both",
                );
            }
        }
    }
}
