//! What a strategy or a port needs and the chart has no way to say.

use std::collections::BTreeMap;

use crate::finding::{Finding, Place, Rule, Severity, clause};
use crate::grammar::Family;
use crate::plan::{Gateway, Plan, PortPlan, Protocol, Slot};

pub static RULE: Rule = Rule {
    name: "chart-cannot-express",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("chart_cannot_express.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    for gateway in plan.gateways.values() {
        let chart = &gateway.chart.profile.display_name;
        let express = &gateway.chart.profile.express;
        let mut say = |place: Place, message: String, help: String| findings.push(Finding::new(&RULE, place, message, help));
        if gateway.needs.host_network && !express.host_network {
            let place = Place::Value(gateway.exposure("strategy"));
            say(place, format!("the {chart} chart has no hostNetwork"), "use `strategy: nodePortRedirect` or `metalLB`".to_owned());
        }
        if gateway.needs.host_port && !express.host_port {
            let place = Place::Value(gateway.exposure("strategy"));
            say(place, format!("the {chart} chart has no hostPort"), "use `strategy: hostNetwork`, which the chart has".to_owned());
        }
        if gateway.needs.host_ip.is_some() && express.host_port && !express.host_ip {
            let place = Place::Value(gateway.exposure("hostIP"));
            let help = "take `hostIP` out: the port is then mapped on every address of the node";
            say(place, format!("the {chart} chart has no hostIP beside its hostPort"), help.to_owned());
        }
        if plan.cluster.families.contains(&Family::IPv6) && !express.listen_ipv6 {
            let place = Place::Value(gateway.route.key("chart"));
            say(place, format!("{chart} does not listen on IPv6"), "choose another chart, or `ipFamilies: [IPv4]`".to_owned());
        }
        for (slot, ports) in by_slot(gateway) {
            let first = ports[0];
            if slot == Slot::Http3 && !express.http3 {
                let reason = express.http3_reason.as_deref().unwrap_or("it has no switch for it");
                say(
                    Place::Value(first.route.key("protocol")),
                    format!("the {chart} chart cannot serve HTTP/3: {}", clause(reason)),
                    "take this port out, or use a chart that speaks QUIC, such as `apisix`".to_owned(),
                );
                continue;
            }
            if slot == Slot::Http3 && express.http3_shares_https {
                let https = gateway.ports.values().find(|port| port.slot == Slot::Https);
                if https.is_none_or(|https| https.target_port != first.target_port) {
                    say(
                        Place::Value(first.route.clone()),
                        format!("{chart} serves HTTP/3 on the very port number of its HTTPS listener"),
                        match https {
                            Some(https) => format!("set `targetPort: {}`", https.target_port),
                            None => "add a TCP port with `tls: true` beside it".to_owned(),
                        },
                    );
                }
            }
            if slot == Slot::Stream {
                streams(plan, gateway, &ports, &mut say);
                continue;
            }
            for extra in &ports[1..] {
                say(
                    Place::Value(extra.route.clone()),
                    format!("the {chart} chart has one {} listener, this is another", slot_word(slot)),
                    "give it a gateway of its own, or let clients use one port; raw TCP listeners cannot be expressed yet".to_owned(),
                );
            }
        }
    }
}

fn streams(plan: &Plan, gateway: &Gateway, ports: &[&PortPlan], say: &mut impl FnMut(Place, String, String)) {
    let chart = &gateway.chart.profile.display_name;
    let express = &gateway.chart.profile.express;
    for port in ports {
        let word = match port.protocol {
            Protocol::TCP => "TCP",
            Protocol::UDP => "UDP",
        };
        if !express.streams.iter().any(|known| known == word) {
            say(
                Place::Value(port.route.key("protocol")),
                format!("the {chart} chart has no layer-4 {word} listener"),
                "take this port out, or choose another chart".to_owned(),
            );
        }
        if plan.cluster.families.contains(&Family::IPv6) && !express.streams_listen_ipv6 {
            say(
                Place::Value(port.route.clone()),
                format!("layer-4 listeners of {chart} do not listen on IPv6"),
                "choose another chart for it, or `ipFamilies: [IPv4]`".to_owned(),
            );
        }
    }
    let has = |word: &str| gateway.ports.values().any(|port| slot_key(port.slot) == word);
    if !express.streams_need.is_empty() && !express.streams_need.iter().any(|word| has(word)) {
        say(
            Place::Key(gateway.route.key("ports")),
            format!("layer-4 listeners of {chart} work only beside a port for {}", express.streams_need.join(" or ")),
            "add such a TCP port".to_owned(),
        );
    }
}

fn by_slot(gateway: &Gateway) -> BTreeMap<Slot, Vec<&PortPlan>> {
    let mut slots: BTreeMap<Slot, Vec<&PortPlan>> = BTreeMap::new();
    // The usual numbers first: the other one is the one too many.
    let mut ports: Vec<&PortPlan> = gateway.ports.values().collect();
    ports.sort_by_key(|port| !matches!(port.port.get(), 80 | 443));
    for port in ports {
        slots.entry(port.slot).or_default().push(port);
    }
    slots
}

fn slot_key(slot: Slot) -> &'static str {
    match slot {
        Slot::Http => "http",
        Slot::Https => "https",
        Slot::Http3 => "http3",
        Slot::Stream => "stream",
    }
}

fn slot_word(slot: Slot) -> &'static str {
    match slot {
        Slot::Http => "plain HTTP",
        Slot::Https => "HTTPS",
        Slot::Http3 => "HTTP/3",
        Slot::Stream => "layer-4",
    }
}
