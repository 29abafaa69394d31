//! The forms of strategies: what a packet meets differs by them.

use super::super::{Announce, Bind, ClaimForm, Gateway, Mechanism, Strategy};

/// A strategy together with the choice inside it that changes a packet's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Form {
    /// `nodePortRedirect` by rewriting the port.
    PortRewrite,
    /// `nodePortRedirect` through a proxy on the node.
    SocketProxy,
    /// `nodePortRedirect` by the recipe that reaches nobody.
    NatRedirect,
    /// `nodePort` under a number from 30000 up.
    NodePort,
    /// `nodePort` under the public number itself.
    NodePortInRange,
    /// `hostNetwork` with a redirect to the process.
    HostNetworkRedirect,
    /// `hostNetwork` with a process that binds the port itself.
    HostNetworkDirect,
    /// `hostPort`.
    HostPort,
    /// `metalLB` by layer 2.
    MetalLbL2,
    /// `metalLB` by BGP.
    MetalLbBgp,
    /// `ciliumLoadBalancer` by layer 2.
    CiliumL2,
    /// `ciliumLoadBalancer` by BGP.
    CiliumBgp,
    /// `ciliumLoadBalancer` at the nodes' own addresses.
    CiliumNode,
    /// `cloudLoadBalancer`.
    CloudLoadBalancer,
    /// `externalIPs` in the Service's spec.
    ExternalIpsSpec,
    /// `externalIPs` in the Service's status.
    ExternalIpsStatus,
}

impl Form {
    /// Every form, in the order of pages.
    pub const ALL: [Self; 16] = [
        Self::PortRewrite,
        Self::SocketProxy,
        Self::NatRedirect,
        Self::NodePort,
        Self::NodePortInRange,
        Self::HostNetworkRedirect,
        Self::HostNetworkDirect,
        Self::HostPort,
        Self::MetalLbL2,
        Self::MetalLbBgp,
        Self::CiliumL2,
        Self::CiliumBgp,
        Self::CiliumNode,
        Self::CloudLoadBalancer,
        Self::ExternalIpsSpec,
        Self::ExternalIpsStatus,
    ];

    /// The form a gateway is exposed by.
    #[must_use]
    pub fn of(gateway: &Gateway) -> Self {
        match &gateway.strategy {
            Strategy::NodePortRedirect { mechanism: Mechanism::PortRewrite, .. } => Self::PortRewrite,
            Strategy::NodePortRedirect { mechanism: Mechanism::SocketProxy, .. } => Self::SocketProxy,
            Strategy::NodePortRedirect { mechanism: Mechanism::NatRedirect, .. } => Self::NatRedirect,
            Strategy::NodePort { .. } => {
                let itself = gateway.ports.values().any(|port| port.node_port == Some(port.port));
                if itself { Self::NodePortInRange } else { Self::NodePort }
            }
            Strategy::HostNetwork { bind: Bind::Redirect, .. } => Self::HostNetworkRedirect,
            Strategy::HostNetwork { bind: Bind::Direct, .. } => Self::HostNetworkDirect,
            Strategy::HostPort { .. } => Self::HostPort,
            Strategy::MetalLb { announced, .. } => match announced.how {
                Announce::Bgp => Self::MetalLbBgp,
                Announce::L2 | Announce::Node => Self::MetalLbL2,
            },
            Strategy::CiliumLoadBalancer { announced, .. } => match announced.how {
                Announce::L2 => Self::CiliumL2,
                Announce::Bgp => Self::CiliumBgp,
                Announce::Node => Self::CiliumNode,
            },
            Strategy::CloudLoadBalancer { .. } => Self::CloudLoadBalancer,
            Strategy::ExternalIps { form: ClaimForm::Spec, .. } => Self::ExternalIpsSpec,
            Strategy::ExternalIps { form: ClaimForm::Status, .. } => Self::ExternalIpsStatus,
        }
    }

    /// The strategy's name in a spec.
    #[must_use]
    pub fn strategy(self) -> &'static str {
        match self {
            Self::PortRewrite | Self::SocketProxy | Self::NatRedirect => "nodePortRedirect",
            Self::NodePort | Self::NodePortInRange => "nodePort",
            Self::HostNetworkRedirect | Self::HostNetworkDirect => "hostNetwork",
            Self::HostPort => "hostPort",
            Self::MetalLbL2 | Self::MetalLbBgp => "metalLB",
            Self::CiliumL2 | Self::CiliumBgp | Self::CiliumNode => "ciliumLoadBalancer",
            Self::CloudLoadBalancer => "cloudLoadBalancer",
            Self::ExternalIpsSpec | Self::ExternalIpsStatus => "externalIPs",
        }
    }

    /// The choice inside the strategy, where it has one.
    #[must_use]
    pub fn choice(self) -> Option<&'static str> {
        match self {
            Self::PortRewrite => Some("portRewrite"),
            Self::SocketProxy => Some("socketProxy"),
            Self::NatRedirect => Some("natRedirect"),
            Self::NodePort => Some("30000 up"),
            Self::NodePortInRange => Some("80 itself"),
            Self::HostNetworkRedirect => Some("redirect"),
            Self::HostNetworkDirect => Some("direct"),
            Self::MetalLbL2 | Self::CiliumL2 => Some("l2"),
            Self::MetalLbBgp | Self::CiliumBgp => Some("bgp"),
            Self::CiliumNode => Some("node"),
            Self::ExternalIpsSpec => Some("spec"),
            Self::ExternalIpsStatus => Some("status"),
            Self::HostPort | Self::CloudLoadBalancer => None,
        }
    }
}

impl std::fmt::Display for Form {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let label = match self.choice() {
            Some(choice) => format!("{} ({choice})", self.strategy()),
            None => self.strategy().to_owned(),
        };
        f.pad(&label)
    }
}
