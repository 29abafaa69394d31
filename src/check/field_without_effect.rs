//! Fields that are understood and change nothing in this combination.

use super::shared_address_apart::shares_with;
use crate::finding::{Finding, Place, Route, Rule, Severity};
use crate::grammar::Family;
use crate::plan::{
    Announce, Announced, AwsController, AwsTarget, Bgp, Bind, Cloud, Distribution, Gateway, Mechanism, Plan, ServiceType, SessionAffinity, Strategy, TrafficPolicy,
};

pub static RULE: Rule = Rule {
    name: "field-without-effect",
    severity: Severity::Warning,
    acceptable: true,
    page: include_str!("field_without_effect.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    let mut say = |route: Route, message: String, help: &str| {
        findings.push(Finding::new(&RULE, Place::Key(route), message, help));
    };
    if plan.cluster.idle_mode {
        say(
            Route::of(["cluster", "serviceProxy", "mode"]),
            "`mode` names a kube-proxy, but Cilium replaces it".to_owned(),
            "take it out, or set `kubeProxyReplacement: false`",
        );
    }
    if plan.cluster.strict_arp && plan.cluster.data_plane.kube_proxy() != Some(crate::plan::KubeProxyMode::Ipvs) {
        say(
            Route::of(["cluster", "serviceProxy", "strictARP"]),
            "`strictARP` matters to kube-proxy's IPVS mode only".to_owned(),
            "take it out",
        );
    }
    if plan.cluster.node_port_addresses.is_some() && plan.cluster.data_plane.kube_proxy().is_none() {
        say(
            Route::of(["cluster", "serviceProxy", "nodePortAddresses"]),
            "`nodePortAddresses` is told to a kube-proxy, but Cilium replaces it".to_owned(),
            "take it out; Cilium's own setting is `nodePort.addresses` in `values`",
        );
    }
    if let Some(Distribution::K3s { .. }) = plan.cluster.distribution
        && plan.cluster.data_plane.kube_proxy().is_some()
        && plan.k3s_period_flags().is_none()
    {
        let sync = &plan.cluster.sync;
        for (field, period) in [("minSyncPeriod", &sync.min), ("syncPeriod", &sync.full)] {
            if period.is_some() {
                let message = format!("k3s tells kube-proxy its settings by flags, and Kubernetes {} has no flag for `{field}` in nftables mode", plan.cluster.version);
                say(Route::of(["cluster", "serviceProxy", field]), message, "take it out, or upgrade to 1.31, where the flags of iptables mode count");
            }
        }
    }
    for gateway in plan.gateways.values() {
        of_gateway(plan, gateway, &mut say);
        if shares_with(gateway, gateway) && plan.gateways.values().filter(|other| shares_with(gateway, other)).count() == 1 {
            let message = "no other gateway gives this `sharingKey`, and no other Service gets an address of its pool";
            say(gateway.exposure("sharingKey"), message.to_owned(), "give it to another gateway too, or take it out");
        }
    }
}

fn of_gateway(plan: &Plan, gateway: &Gateway, say: &mut impl FnMut(Route, String, &str)) {
    if gateway.needs.service_type != ServiceType::NodePort {
        for port in gateway.ports.values().filter(|port| port.node_port.is_some()) {
            let message = format!("`{}` uses no node port", gateway.strategy.name());
            say(port.route.key("nodePort"), message, "take `nodePort` out");
        }
    }
    if let Strategy::NodePortRedirect { mechanism: Mechanism::SocketProxy, .. } = gateway.strategy
        && gateway.needs.policy == Some(TrafficPolicy::Local)
    {
        let message = "`Local` keeps no client address here: the proxy connects from the node".to_owned();
        say(gateway.exposure("externalTrafficPolicy"), message, "take it out, or use `mechanism: portRewrite`");
    }
    if let Strategy::NodePortRedirect { mechanism: Mechanism::SocketProxy, .. } = gateway.strategy
        && gateway.needs.affinity == SessionAffinity::ClientIP
    {
        let message = "`ClientIP` tells no clients apart here: the proxy connects from the node, and all of them meet one pod";
        say(gateway.exposure("sessionAffinity"), message.to_owned(), "take it out, or use `mechanism: portRewrite`");
    }
    let everywhere = match gateway.strategy {
        Strategy::HostNetwork { bind: Bind::Direct, .. } => Some((
            format!("with `bind: direct` the process of `{}` listens on every interface", gateway.name),
            "take `interfaces` out, use `bind: redirect`, or close the other interfaces in the host's firewall",
        )),
        Strategy::HostPort { .. } => Some((
            format!("with `hostPort` the network plugin maps the ports of `{}`, whichever interface a client comes in by", gateway.name),
            // The host's input rules see none of it: the packets are forwarded.
            "take `interfaces` out, or use `hostNetwork` with `bind: redirect`, which keeps to them",
        )),
        _ => None,
    };
    if let Some((message, help)) = everywhere {
        for pool in gateway.pools.iter().filter(|pool| !plan.pools[*pool].interfaces.is_empty()) {
            say(plan.pools[pool].route.key("interfaces"), message.clone(), help);
        }
    }
    if let Strategy::CloudLoadBalancer { cloud: Cloud::Aws(aws), .. } = &gateway.strategy
        && aws.target_type == AwsTarget::Ip
        && aws.controller == AwsController::AwsLoadBalancerController
    {
        let help = "take it out, or use `aws: {targetType: instance}`";
        if gateway.needs.policy == Some(TrafficPolicy::Local) {
            let message = "AWS sends to the pods themselves, so no node chooses among them".to_owned();
            say(gateway.exposure("externalTrafficPolicy"), message, help);
        }
        if gateway.needs.affinity == SessionAffinity::ClientIP {
            let message = "AWS chooses the pod itself and does not look at the Service's affinity".to_owned();
            say(gateway.exposure("sessionAffinity"), message, help);
        }
    }
    if let Some((announced, who)) = gateway.strategy.announced() {
        let bgp_instead = if who == "MetalLB" { "set `mode: bgp`, or take `bgp` out" } else { "set `announce: bgp`, or take `bgp` out" };
        if announced.how != Announce::Bgp && announced.bgp.is_some() {
            say(gateway.exposure("bgp"), "`bgp` is set, but the address is not announced by BGP".to_owned(), bgp_instead);
        }
        if let Some(bgp) = announced.bgp.as_ref().filter(|_| announced.how == Announce::Bgp) {
            of_sessions(plan, gateway, bgp, who, say);
        }
        if announced.how != Announce::L2 && !announced.interfaces.is_empty() {
            let message = "`interfaces` chooses where layer 2 answers; nothing else has a use for it".to_owned();
            say(gateway.exposure("interfaces"), message, "take it out");
        }
        if announced.how == Announce::Node {
            of_node_addresses(gateway, announced, say);
        }
        if let Some(bgp) = announced.bgp.as_ref().filter(|bgp| announced.how == Announce::Bgp && bgp.local_pref.is_some())
            && bgp.peers.values().all(|peer| peer.asn != bgp.local_asn)
        {
            let message = "`localPref` is told inside one autonomous system only, and every router is in another".to_owned();
            say(gateway.exposure("bgp").key("localPref"), message, "take it out, or use `communities`");
        }
    }
    if let Some(route) = &gateway.idle_limits {
        let message = "`burst` belongs to `newConnectionsPerSecond`, which is not set".to_owned();
        say(route.clone(), message, "add `newConnectionsPerSecond`, or take `burst` out");
    }
}

fn of_sessions(plan: &Plan, gateway: &Gateway, bgp: &Bgp, who: &str, say: &mut impl FnMut(Route, String, &str)) {
    let here = gateway.exposure("bgp");
    let lengths = [(Family::IPv4, "aggregationLength"), (Family::IPv6, "aggregationLengthV6")];
    for ((family, field), _) in lengths.into_iter().zip(bgp.aggregation).filter(|(_, length)| length.is_some()) {
        if who != "MetalLB" {
            say(here.key(field), format!("{who} announces every address by itself"), "take it out");
        } else if !plan.cluster.families.contains(&family) {
            say(here.key(field), format!("this cluster serves no {family}"), "take it out");
        }
    }
    let Some(bfd) = bgp.bfd else { return };
    if who != "MetalLB" {
        say(here.key("bfd"), format!("{who} knows no BFD"), "take it out; shorter hold timers find a dead router sooner");
        return;
    }
    let bfd_at = here.key("bfd");
    if bfd.minimum_ttl.is_some() && !bgp.peers.values().any(|peer| peer.ebgp_multi_hop) {
        let message = "`minimumTTL` is looked at over several hops only, and no peer has `ebgpMultiHop: true`".to_owned();
        say(bfd_at.key("minimumTTL"), message, "take it out");
    }
    if bfd.echo_interval.is_some() && bfd.echo_mode != Some(true) {
        let message = "`echoInterval` belongs to `echoMode`, which is not on".to_owned();
        say(bfd_at.key("echoInterval"), message, "add `echoMode: true`, or take `echoInterval` out");
    }
}

/// What chooses or moves an address, where the nodes keep their own.
fn of_node_addresses(gateway: &Gateway, announced: &Announced, say: &mut impl FnMut(Route, String, &str)) {
    let mut fields = Vec::new();
    if !announced.addresses.is_empty() {
        fields.push("addresses");
    }
    if announced.ips_listed || !announced.load_balancer_ips.is_empty() {
        fields.push("loadBalancerIP");
    }
    if let Strategy::CiliumLoadBalancer { sharing_key: Some(_), .. } = gateway.strategy {
        fields.push("sharingKey");
    }
    for field in fields {
        let message = format!("with `announce: node` the Service has the nodes' own addresses, and `{field}` chooses nothing");
        say(gateway.exposure(field), message, "take it out, or use `announce: l2`");
    }
}
