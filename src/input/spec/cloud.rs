//! What differs from cloud to cloud about a load balancer.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::grammar::{Address, AwsAllocation, AwsSubnet, AzureName, AzurePrefix, GcpName};

/// A Network Load Balancer of AWS.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Aws {
    /// Who makes it; `aws-load-balancer-controller` unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub controller: Option<AwsController>,
    /// What it sends packets to; `instance` unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_type: Option<AwsTarget>,
    /// Whether it spreads connections over all zones; `false` unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cross_zone: Option<bool>,
    /// Whether packets keep the client's address; `true` for instances and `false` for `ip` unless said.
    #[serde(default, rename = "preserveClientIP", skip_serializing_if = "Option::is_none")]
    pub preserve_client_ip: Option<bool>,
    /// Its subnets, one for each zone; found by their tags when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subnets: Vec<AwsSubnet>,
    /// Its Elastic IPs, one for each subnet; AWS chooses when empty. Public load balancers only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub eip_allocations: Vec<AwsAllocation>,
    /// Its IPv4 addresses, one for each subnet; AWS chooses when empty. Internal load balancers only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub private_addresses: Vec<Address>,
}

/// Who makes load balancers on AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AwsController {
    /// The AWS Load Balancer Controller.
    AwsLoadBalancerController,
    /// The cloud controller manager, which took over from the controller inside Kubernetes.
    CloudProviderAws,
}

/// What a Network Load Balancer sends packets to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AwsTarget {
    /// A node port of every node.
    Instance,
    /// The pods themselves, which have addresses of the VPC.
    Ip,
}

/// A passthrough Network Load Balancer of Google Cloud.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Gcp {
    /// The names of its reserved addresses, one for each family; Google chooses when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<GcpName>,
    /// Whether clients of other regions reach it; `false` unless said. Internal load balancers only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub global_access: Option<bool>,
    /// The subnet its address comes from; the cluster's unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnet: Option<GcpName>,
    /// How packets travel to Google's network; `Premium` unless said. Public load balancers only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_tier: Option<NetworkTier>,
}

/// How packets travel to Google's network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum NetworkTier {
    /// Over Google's own network as far as it goes.
    Premium,
    /// Over the internet up to the region.
    Standard,
}

/// A Standard Load Balancer of Azure.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Azure {
    /// The name of its public IPv4 address; Azure makes one unless said.
    #[serde(default, rename = "publicIP", skip_serializing_if = "Option::is_none")]
    pub public_ip: Option<AzureName>,
    /// The name of its public IPv6 address; Azure makes one unless said.
    #[serde(default, rename = "publicIPv6", skip_serializing_if = "Option::is_none")]
    pub public_ipv6: Option<AzureName>,
    /// The prefix that a new public IPv4 address comes from.
    #[serde(default, rename = "publicIPPrefix", skip_serializing_if = "Option::is_none")]
    pub public_ip_prefix: Option<AzurePrefix>,
    /// The resource group of its public addresses; the cluster's unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_group: Option<AzureName>,
    /// The subnet its address comes from; the nodes' unless said. Internal load balancers only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnet: Option<AzureName>,
    /// Its private addresses, one for each family; Azure chooses when empty. Internal load balancers only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub private_addresses: Vec<Address>,
}
