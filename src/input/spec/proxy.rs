//! Settings of what turns Services into packets, beside its kind.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::grammar::{Cidr, DnsLabel, Port};

/// The addresses of a node at which kube-proxy serves node ports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum NodePortAddresses {
    /// The node's primary address of each family.
    Word(Primary),
    /// Those in these networks.
    Networks(Vec<Cidr>),
}

/// The word for a node's primary addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Primary {
    /// The node's primary address of each family.
    Primary,
}

/// Cilium's own gateway, its Envoy listening in the nodes' network namespace.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CiliumGateway {
    /// What configures its routes; `gatewayAPI` unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<CiliumGatewayApi>,
    /// The port for plain HTTP; 80 unless one of the two is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<Port>,
    /// The port for TLS; 443 unless one of the two is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub https: Option<Port>,
    /// The node pool whose nodes listen; every node unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_pool: Option<DnsLabel>,
}

/// What configures the routes of Cilium's own gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CiliumGatewayApi {
    /// Gateways and routes of the Gateway API; their listeners have the ports.
    #[serde(rename = "gatewayAPI")]
    GatewayApi,
    /// Ingresses.
    #[serde(rename = "ingress")]
    Ingress,
}
