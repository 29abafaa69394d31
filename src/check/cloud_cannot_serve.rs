//! What a cloud's controller refuses or does not do for this gateway.

use crate::finding::{Finding, Place, Route, Rule, Severity};
use crate::grammar::Family;
use crate::plan::{
    Aws, AwsController, AwsTarget, Cloud, Distribution, Gateway, Gcp, NetworkTier, Plan, PortPlan, Protocol, SessionAffinity, Strategy,
};

pub static RULE: Rule = Rule {
    name: "cloud-cannot-serve",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("cloud_cannot_serve.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    for gateway in plan.gateways.values() {
        let Strategy::CloudLoadBalancer { internal, cloud, .. } = &gateway.strategy else { continue };
        let mut say = |route: Route, message: String, help: &str| {
            findings.push(Finding::new(&RULE, Place::Value(route), message, help));
        };
        if plan.cluster.distribution == Some(Distribution::Kind {}) {
            let message = "kind runs on one machine, and no cloud gives it a load balancer".to_owned();
            say(gateway.exposure("strategy"), message, "use `metalLB` or `nodePort` to try the gateway there");
        }
        match cloud {
            Cloud::Aws(aws) => {
                of_aws(gateway, aws, &mut say);
                if aws.controller == AwsController::CloudProviderAws {
                    of_cloud_provider_aws(plan, gateway, aws, &mut say);
                }
            }
            Cloud::Gcp(gcp) => of_gcp(plan, gateway, gcp, *internal, &mut say),
            // It takes both protocols, both families and ranges of sources as they come.
            Cloud::Azure(_) => {}
        }
    }
}

/// The UDP port beside TCP ones, if there is one.
fn mixed(gateway: &Gateway) -> Option<&PortPlan> {
    let of = |protocol: Protocol| gateway.ports.values().find(|port| port.protocol == protocol);
    of(Protocol::TCP).and(of(Protocol::UDP))
}

fn of_aws(gateway: &Gateway, aws: &Aws, say: &mut impl FnMut(Route, String, &str)) {
    if aws.preserve_client_ip {
        return;
    }
    if !gateway.strategy.allow_from().is_empty() {
        say(
            gateway.exposure("allowFrom"),
            "AWS does not look at the list unless packets keep the client's address".to_owned(),
            "add `aws: {preserveClientIP: true}`",
        );
    }
    // With pods as targets it is the default for TCP, and UDP keeps the address all the same.
    let udp = gateway.ports.values().find(|port| port.protocol == Protocol::UDP);
    if let Some(port) = udp.filter(|_| aws.target_type == AwsTarget::Instance) {
        say(
            port.route.key("protocol"),
            "UDP keeps the client's address on AWS and cannot be told otherwise".to_owned(),
            "take `preserveClientIP: false` out",
        );
    }
}

fn of_cloud_provider_aws(plan: &Plan, gateway: &Gateway, aws: &Aws, say: &mut impl FnMut(Route, String, &str)) {
    let other = "use `controller: aws-load-balancer-controller`";
    if aws.target_type == AwsTarget::Ip {
        let message = "cloud-provider-aws sends to nodes only".to_owned();
        say(gateway.exposure("aws").key("targetType"), message, other);
    }
    if plan.cluster.families.contains(&Family::IPv6) {
        let message = "cloud-provider-aws makes load balancers with IPv4 only".to_owned();
        say(gateway.exposure("aws").key("controller"), message, other);
    }
    if gateway.needs.affinity == SessionAffinity::ClientIP {
        let message = "cloud-provider-aws refuses a Service with `sessionAffinity: ClientIP`".to_owned();
        say(gateway.exposure("sessionAffinity"), message, other);
    }
    if let Some(port) = mixed(gateway) {
        let message = "cloud-provider-aws refuses a Service with TCP and UDP".to_owned();
        say(port.route.key("protocol"), message, other);
    }
}

fn of_gcp(plan: &Plan, gateway: &Gateway, gcp: &Gcp, internal: bool, say: &mut impl FnMut(Route, String, &str)) {
    let ipv6 = plan.cluster.families.contains(&Family::IPv6);
    if gcp.network_tier == NetworkTier::Standard && ipv6 {
        let message = "the Standard tier has no IPv6".to_owned();
        say(gateway.exposure("gcp").key("networkTier"), message, "use `networkTier: Premium`, or `ipFamilies: [IPv4]`");
    }
    let Some(port) = mixed(gateway) else { return };
    let version = plan.cluster.version;
    if !version.at_least(34) {
        let message = format!("GKE {version} refuses a Service with TCP and UDP; 1.34.1-gke.2190000 is the first that takes it");
        say(port.route.key("protocol"), message, "take the UDP port out, or give it a gateway of its own");
    } else if !version.at_least(36) && (internal || ipv6) {
        let message = format!("GKE {version} takes TCP and UDP in one Service for public IPv4 load balancers only");
        say(port.route.key("protocol"), message, "take the UDP port out, or upgrade to 1.36.2-gke.1498000 or newer");
    }
}
