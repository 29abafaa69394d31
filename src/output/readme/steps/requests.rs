//! Requests to a gateway, as its clients make them.

use crate::grammar::{Address, Family};
use crate::output::places::host as place;
use crate::plan::{CloudProvider, Distribution, Gateway, Plan, ServiceType, Slot, Strategy};

/// A request to every port of a gateway that speaks HTTP, at every address of it that is known.
pub fn requests(plan: &Plan, gateway: &Gateway) -> Vec<String> {
    let ports: Vec<_> = gateway.ports.values().filter(|port| port.slot != Slot::Stream).collect();
    if ports.is_empty() {
        return Vec::new();
    }
    let hosts = hosts(plan, gateway);
    // A name may have both families, and curl tries one of them.
    let families = match (&hosts, plan.cluster.families.len()) {
        (Hosts::Named(_) | Hosts::Told("hostname", _), 2) => &["-4 ", "-6 "][..],
        _ => &[""],
    };
    let request = |host: &str, shown: &str| -> Vec<String> {
        let each = families.iter().flat_map(|family| ports.iter().map(move |port| (family, port)));
        let request = each.map(|(family, port)| {
            let (how, scheme) = match port.slot {
                Slot::Https => ("-sk --max-time 5", "https"),
                Slot::Http3 => ("-sk --max-time 5 --http3-only", "https"),
                _ => ("-s --max-time 5", "http"),
            };
            let public = gateway.public_port(port);
            format!("curl {family}{how} -o /dev/null -w '%{{http_code}}{shown}\\n' {scheme}://{host}:{public}/")
        });
        request.collect()
    };
    let hosts = match &hosts {
        Hosts::Named(host) => return request(host, ""),
        Hosts::Known(hosts) if hosts.len() == 1 => return request(&hosts[0], ""),
        Hosts::Known(hosts) => hosts.iter().map(|host| shell_word(host)).collect::<Vec<_>>().join(" "),
        Hosts::Told(_, command) => format!("$({command})"),
    };
    let mut lines = vec![format!("for HOST in {hosts}; do")];
    if hosts.starts_with('$') && families.len() == 1 && plan.cluster.families.contains(&Family::IPv6) {
        lines.push("  case $HOST in *:*) HOST=\"[$HOST]\" ;; esac".to_owned());
    }
    lines.extend(request("$HOST", " %{url_effective}").into_iter().map(|line| format!("  {line}")));
    lines.push("done".to_owned());
    lines
}

/// What a client writes for the host.
enum Hosts {
    /// This name.
    Named(&'static str),
    /// These addresses.
    Known(Vec<String>),
    /// What a command prints, of this field of the Service's status.
    Told(&'static str, String),
}

fn hosts(plan: &Plan, gateway: &Gateway) -> Hosts {
    let fixed: Vec<Address> = match &gateway.strategy {
        Strategy::ExternalIps { addresses, .. } => addresses.clone(),
        Strategy::HostPort { host_ip } => host_ip.iter().copied().collect(),
        strategy => strategy.announced().map(|(it, _)| it.load_balancer_ips.clone()).unwrap_or_default(),
    };
    let known = |addresses: &[Address]| addresses.iter().map(|address| url_host(&address.to_string())).collect();
    if !fixed.is_empty() {
        return Hosts::Known(known(&fixed));
    }
    if gateway.needs.service_type != ServiceType::LoadBalancer {
        let families = &plan.cluster.families;
        let of_nodes = gateway.pools.iter().flat_map(|pool| &plan.pools[pool].addresses).copied();
        let of_nodes: Vec<Address> = of_nodes.filter(|address| families.contains(&Family::of(address.0))).collect();
        return match plan.cluster.distribution {
            Some(Distribution::Kind {}) => Hosts::Known(vec![url_host(place(plan))]),
            _ if of_nodes.is_empty() => Hosts::Named("node.example.net"),
            _ => Hosts::Known(known(&of_nodes)),
        };
    }
    let field = match gateway.strategy {
        // A load balancer there has a name, whose addresses change.
        Strategy::CloudLoadBalancer { provider: CloudProvider::Aws, .. } => "hostname",
        _ => "ip",
    };
    let command = format!(
        "kubectl -n {} get service {} -o jsonpath='{{.status.loadBalancer.ingress[*].{field}}}'",
        gateway.namespace, gateway.service.name
    );
    Hosts::Told(field, command)
}

fn url_host(address: &str) -> String {
    if address.contains(':') { format!("[{address}]") } else { address.to_owned() }
}

/// Brackets are a pattern to a shell.
fn shell_word(host: &str) -> String {
    if host.contains('[') { format!("'{host}'") } else { host.to_owned() }
}
