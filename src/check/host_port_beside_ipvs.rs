//! Mapped ports beside IPVS: portmap's nftables backend takes other Services' connections as well.

use crate::finding::{Finding, Place, Route, Rule, Severity};
use crate::plan::{KubeProxyMode, Plan};

pub static RULE: Rule = Rule {
    name: "host-port-beside-ipvs",
    severity: Severity::Warning,
    acceptable: true,
    page: include_str!("host_port_beside_ipvs.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    if plan.cluster.data_plane.kube_proxy() != Some(KubeProxyMode::Ipvs) {
        return;
    }
    // With an address of the node the mapping leaves other addresses alone.
    let mapped = plan.gateways.values().filter(|gateway| gateway.needs.host_port && gateway.needs.host_ip.is_none());
    for gateway in mapped {
        let message = format!(
            "on nodes without the program `iptables` the ports of `{}` take other Services' connections too",
            gateway.name
        );
        let help = "install iptables on every node before the pods start, or use another mode; then accept this rule";
        findings.push(
            Finding::new(&RULE, Place::Value(gateway.exposure("strategy")), message, help)
                .also(Place::Value(Route::of(["cluster", "serviceProxy", "mode"])), "IPVS"),
        );
    }
}
