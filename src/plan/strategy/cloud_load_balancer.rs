//! cloudLoadBalancer: a LoadBalancer Service that a cloud's controller gives a load balancer of its own.

use std::collections::BTreeMap;

use super::{Needs, ServiceType, Strategy, Traffic};
use crate::grammar::{Address, AwsAllocation, AwsSubnet, AzureName, AzurePrefix, Cidr, Family, GcpName, PortName};
use crate::input::spec::{self, AwsController, AwsTarget, CloudProvider, Exposure, NetworkTier, Protocol};
use crate::plan::{Cluster, PortPlan};

/// What one cloud is told, every default filled in.
#[derive(Debug, Clone)]
pub enum Cloud {
    /// A Network Load Balancer of AWS.
    Aws(Aws),
    /// A passthrough Network Load Balancer of Google Cloud.
    Gcp(Gcp),
    /// A Standard Load Balancer of Azure.
    Azure(Azure),
}

/// A Network Load Balancer of AWS.
#[derive(Debug, Clone)]
pub struct Aws {
    /// Who makes it.
    pub controller: AwsController,
    /// What it sends packets to.
    pub target_type: AwsTarget,
    /// Whether it spreads connections over all zones.
    pub cross_zone: bool,
    /// Whether packets keep the client's address.
    pub preserve_client_ip: bool,
    /// Its subnets; found by their tags when empty.
    pub subnets: Vec<AwsSubnet>,
    /// Its Elastic IPs; AWS chooses when empty.
    pub eip_allocations: Vec<AwsAllocation>,
    /// Its IPv4 addresses, when internal; AWS chooses when empty.
    pub private_addresses: Vec<Address>,
}

/// A passthrough Network Load Balancer of Google Cloud.
#[derive(Debug, Clone)]
pub struct Gcp {
    /// The names of its reserved addresses; Google chooses when empty.
    pub addresses: Vec<GcpName>,
    /// Whether clients of other regions reach it.
    pub global_access: bool,
    /// The subnet its address comes from; the cluster's when absent.
    pub subnet: Option<GcpName>,
    /// How packets travel to Google's network.
    pub network_tier: NetworkTier,
}

/// A Standard Load Balancer of Azure.
#[derive(Debug, Clone)]
pub struct Azure {
    /// The name of its public IPv4 address; Azure makes one when absent.
    pub public_ip: Option<AzureName>,
    /// The name of its public IPv6 address; Azure makes one when absent.
    pub public_ipv6: Option<AzureName>,
    /// The prefix that a new public IPv4 address comes from.
    pub public_ip_prefix: Option<AzurePrefix>,
    /// The resource group of its public addresses; the cluster's when absent.
    pub resource_group: Option<AzureName>,
    /// The subnet its address comes from, when internal; the nodes' when absent.
    pub subnet: Option<AzureName>,
    /// Its private addresses, when internal; Azure chooses when empty.
    pub private_addresses: Vec<Address>,
}

/// # Panics
/// When called with another strategy.
pub fn resolve(exposure: &Exposure) -> Strategy {
    let Exposure::CloudLoadBalancer {
        provider,
        internal,
        allow_from,
        external_traffic_policy,
        session_affinity,
        aws,
        gcp,
        azure,
    } = exposure
    else {
        unreachable!("the caller matched the strategy")
    };
    let written = [
        (CloudProvider::Aws, "aws", aws.is_some()),
        (CloudProvider::Gcp, "gcp", gcp.is_some()),
        (CloudProvider::Azure, "azure", azure.is_some()),
    ];
    Strategy::CloudLoadBalancer {
        provider: *provider,
        internal: internal.unwrap_or(false),
        cloud: match provider {
            CloudProvider::Aws => Cloud::Aws(resolve_aws(aws.clone().unwrap_or_default())),
            CloudProvider::Gcp => Cloud::Gcp(resolve_gcp(gcp.clone().unwrap_or_default())),
            CloudProvider::Azure => Cloud::Azure(resolve_azure(azure.clone().unwrap_or_default())),
        },
        strays: written
            .into_iter()
            .filter(|(cloud, _, written)| *written && cloud != provider)
            .map(|(_, field, _)| field)
            .collect(),
        allow_from: allow_from.clone(),
        traffic: Traffic::of(*external_traffic_policy, *session_affinity),
    }
}

fn resolve_aws(written: spec::Aws) -> Aws {
    let target_type = written.target_type.unwrap_or(AwsTarget::Instance);
    Aws {
        controller: written.controller.unwrap_or(AwsController::AwsLoadBalancerController),
        target_type,
        cross_zone: written.cross_zone.unwrap_or(false),
        preserve_client_ip: written.preserve_client_ip.unwrap_or(target_type == AwsTarget::Instance),
        subnets: written.subnets,
        eip_allocations: written.eip_allocations,
        private_addresses: written.private_addresses,
    }
}

fn resolve_gcp(written: spec::Gcp) -> Gcp {
    Gcp {
        addresses: written.addresses,
        global_access: written.global_access.unwrap_or(false),
        subnet: written.subnet,
        network_tier: written.network_tier.unwrap_or(NetworkTier::Premium),
    }
}

fn resolve_azure(written: spec::Azure) -> Azure {
    Azure {
        public_ip: written.public_ip,
        public_ipv6: written.public_ipv6,
        public_ip_prefix: written.public_ip_prefix,
        resource_group: written.resource_group,
        subnet: written.subnet,
        private_addresses: written.private_addresses,
    }
}

/// The Service before any cloud is told anything; see [`tell`].
pub fn needs(allow_from: &[Cidr], traffic: Traffic) -> Needs {
    let mut needs = Needs::service(ServiceType::LoadBalancer, traffic);
    needs.source_ranges = allow_from.to_vec();
    needs
}

/// Adds what the cloud is told, which depends on the cluster and the ports.
pub fn tell(needs: &mut Needs, cloud: &Cloud, internal: bool, cluster: &Cluster, ports: &BTreeMap<PortName, PortPlan>) {
    let mut annotate = |name: &str, value: &str| {
        needs.annotations.insert(name.to_owned(), value.to_owned());
    };
    match cloud {
        Cloud::Aws(aws) => {
            tell_aws(&mut |name, value| annotate(&format!("{BETA}/aws-load-balancer-{name}"), value), aws, internal);
            if aws.controller == AwsController::AwsLoadBalancerController {
                for (name, value) in protocols_of_aws(cluster, ports) {
                    annotate(&format!("{BETA}/aws-load-balancer-{name}"), value);
                }
                // With it the cloud controller manager leaves the Service alone.
                needs.load_balancer_class = Some("service.k8s.aws/nlb");
                // Pods are reached at their own addresses.
                needs.no_node_ports = aws.target_type == AwsTarget::Ip;
            }
        }
        Cloud::Gcp(gcp) => {
            tell_gcp(&mut annotate, gcp);
            // Classes came with GKE 1.33.1; clusters of 1.33 may be older.
            if cluster.version.at_least(34) {
                needs.load_balancer_class = Some(if internal {
                    "networking.gke.io/l4-regional-internal"
                } else {
                    "networking.gke.io/l4-regional-external"
                });
            } else if internal {
                annotate("networking.gke.io/load-balancer-type", "Internal");
            } else {
                annotate("cloud.google.com/l4-rbs", "enabled");
            }
        }
        Cloud::Azure(azure) => {
            tell_azure(&mut |name, value| annotate(&format!("{BETA}/azure-{name}"), value), azure, internal);
        }
    }
}

const BETA: &str = "service.beta.kubernetes.io";

fn tell_aws(annotate: &mut dyn FnMut(&str, &str), aws: &Aws, internal: bool) {
    match aws.controller {
        AwsController::AwsLoadBalancerController => {
            annotate("scheme", if internal { "internal" } else { "internet-facing" });
            annotate("nlb-target-type", if aws.target_type == AwsTarget::Ip { "ip" } else { "instance" });
            if aws.cross_zone {
                annotate("attributes", "load_balancing.cross_zone.enabled=true");
            }
        }
        AwsController::CloudProviderAws => {
            annotate("type", "nlb");
            if internal {
                annotate("internal", "true");
            }
            if aws.cross_zone {
                annotate("cross-zone-load-balancing-enabled", "true");
            }
        }
    }
    if aws.preserve_client_ip != (aws.target_type == AwsTarget::Instance) {
        annotate("target-group-attributes", &format!("preserve_client_ip.enabled={}", aws.preserve_client_ip));
    }
    for (name, list) in [
        ("subnets", joined(&aws.subnets)),
        ("eip-allocations", joined(&aws.eip_allocations)),
        ("private-ipv4-addresses", joined(&aws.private_addresses)),
    ] {
        if !list.is_empty() {
            annotate(name, &list);
        }
    }
}

/// What families and protocols ask of the AWS Load Balancer Controller.
fn protocols_of_aws(cluster: &Cluster, ports: &BTreeMap<PortName, PortPlan>) -> Vec<(&'static str, &'static str)> {
    let mut told = Vec::new();
    let dual = cluster.families.contains(&Family::IPv6);
    let of = |protocol: Protocol| ports.values().filter(move |port| port.protocol == protocol);
    if dual {
        told.push(("ip-address-type", "dualstack"));
    }
    if dual && of(Protocol::UDP).next().is_some() {
        // UDP over IPv6 needs source addresses of its own.
        told.push(("enable-prefix-for-ipv6-source-nat", "on"));
    }
    // Two listeners cannot have one port; a listener for both protocols can.
    if of(Protocol::UDP).any(|udp| of(Protocol::TCP).any(|tcp| tcp.port == udp.port)) {
        told.push(("enable-tcp-udp-listener", "true"));
    }
    told
}

fn tell_gcp(annotate: &mut impl FnMut(&str, &str), gcp: &Gcp) {
    if !gcp.addresses.is_empty() {
        annotate("networking.gke.io/load-balancer-ip-addresses", &joined(&gcp.addresses));
    }
    if gcp.global_access {
        annotate("networking.gke.io/internal-load-balancer-allow-global-access", "true");
    }
    if let Some(subnet) = &gcp.subnet {
        annotate("networking.gke.io/load-balancer-subnet", subnet.as_str());
    }
    if gcp.network_tier == NetworkTier::Standard {
        annotate("cloud.google.com/network-tier", "Standard");
    }
}

fn tell_azure(annotate: &mut dyn FnMut(&str, &str), azure: &Azure, internal: bool) {
    if internal {
        annotate("load-balancer-internal", "true");
    }
    let named: BTreeMap<&str, Option<&str>> = BTreeMap::from([
        ("pip-name", azure.public_ip.as_ref().map(AzureName::as_str)),
        ("pip-name-ipv6", azure.public_ipv6.as_ref().map(AzureName::as_str)),
        ("pip-prefix-id", azure.public_ip_prefix.as_ref().map(AzurePrefix::as_str)),
        ("load-balancer-resource-group", azure.resource_group.as_ref().map(AzureName::as_str)),
        ("load-balancer-internal-subnet", azure.subnet.as_ref().map(AzureName::as_str)),
    ]);
    for (name, value) in named {
        if let Some(value) = value {
            annotate(name, value);
        }
    }
    for address in &azure.private_addresses {
        let name = if address.0.is_ipv4() { "load-balancer-ipv4" } else { "load-balancer-ipv6" };
        annotate(name, &address.to_string());
    }
}

fn joined<T: ToString>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
