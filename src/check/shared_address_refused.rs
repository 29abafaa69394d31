//! Gateways that want to share an address and cannot.

use crate::finding::{Finding, Place, Rule, Severity};
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
        let sharing = plan.gateways.values().take_while(|other| other.name != gateway.name);
        for other in sharing.filter(|other| other.pool == gateway.pool) {
            let mut say = |place: Place, also: Place, message: String, help: &str| {
                findings.push(Finding::new(&RULE, place, message, help).also(also, format!("`{}`", other.name)));
            };
            let policy = |gateway: &Gateway| Place::Value(gateway.exposure("externalTrafficPolicy"));
            if let Some(local) = [gateway, other].into_iter().find(|one| one.needs.policy == Some(TrafficPolicy::Local)) {
                say(
                    policy(local),
                    Place::Value((if local.name == gateway.name { other } else { gateway }).exposure("allowSharedIP")),
                    format!("`{key}` is shared by two gateways, and with `Local` only Services of the same pods share an address"),
                    "use `Cluster` in both, or give each an address of its own",
                );
            }
            for port in gateway.ports.values() {
                let taken = |known: &&PortPlan| (known.port, known.protocol) == (port.port, port.protocol);
                if let Some(known) = other.ports.values().find(taken) {
                    let word = protocol_word(port.protocol);
                    say(
                        Place::Value(port.route.key("port")),
                        Place::Value(known.route.key("port")),
                        format!("{word} {} is taken on the address that `{}` shares", port.port, other.name),
                        "use another port, or give each gateway an address of its own",
                    );
                }
            }
            if !other.strategy.announced().is_some_and(|(known, _)| known.same_as(announced)) {
                say(
                    Place::Value(gateway.exposure("allowSharedIP")),
                    Place::Value(other.exposure("allowSharedIP")),
                    format!("`{}` shares the address but chooses or announces it in another way", other.name),
                    "write the same `mode`, `loadBalancerIP`, `interfaces`, `announceFrom` and `bgp` in both",
                );
            }
        }
    }
}
