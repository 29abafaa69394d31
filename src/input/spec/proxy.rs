//! What turns Services into packets, and its settings.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::grammar::{Cidr, CiliumVersion, DnsLabel, GoDuration, Port};

/// What turns a Service into packets.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum ServiceProxy {
    /// kube-proxy.
    KubeProxy {
        /// Its mode.
        mode: KubeProxyMode,
        /// Whether its configuration already says `ipvs.strictARP: true`; `false` unless said.
        #[serde(default, rename = "strictARP", skip_serializing_if = "Option::is_none")]
        strict_arp: Option<bool>,
        /// `primary` or networks: where it serves node ports; its own default unless said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        node_port_addresses: Option<NodePortAddresses>,
        /// The shortest time between two changes of its rules; its own default, `1s`, unless said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min_sync_period: Option<GoDuration>,
        /// How often it looks at its rules without a change; its own default, `30s`, unless said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sync_period: Option<GoDuration>,
    },
    /// Cilium's agent.
    Cilium {
        /// Its minor version, quoted.
        version: CiliumVersion,
        /// Whether it replaces kube-proxy; with `false` a kube-proxy runs beside it.
        kube_proxy_replacement: bool,
        /// The mode of the kube-proxy beside it; `iptables` unless said, only with `kubeProxyReplacement: false`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mode: Option<KubeProxyMode>,
        /// Whether the kube-proxy beside it already runs with `ipvs.strictARP: true`; `false` unless said.
        #[serde(default, rename = "strictARP", skip_serializing_if = "Option::is_none")]
        strict_arp: Option<bool>,
        /// `primary` or networks: where the kube-proxy beside it serves node ports; its own default unless said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        node_port_addresses: Option<NodePortAddresses>,
        /// Cilium's own gateway in the nodes' network namespace.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        gateway: Option<CiliumGateway>,
        /// Extra Helm values for Cilium, merged last.
        #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
        values: serde_json::Map<String, serde_json::Value>,
    },
}

/// kube-proxy's mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum KubeProxyMode {
    /// NAT rules in iptables.
    Iptables,
    /// NAT rules in an nftables table.
    Nftables,
    /// The kernel's IPVS balancer.
    Ipvs,
}

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
