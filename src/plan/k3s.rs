//! What k3s packs, and which of it takes ports or Services of gateways.

use super::{
    Announce, Distribution, Gateway, K3sComponent, KubeProxyMode, Plan, PortPlan, Protocol, ServiceType, Strategy,
};

impl K3sComponent {
    /// k3s's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ServiceLb => "servicelb",
            Self::Traefik => "traefik",
        }
    }
}

impl Plan {
    /// The components of k3s that take ports or Services of gateways, each with the gateways it takes them from.
    #[must_use]
    pub fn k3s_fights(&self) -> Vec<(K3sComponent, Vec<&Gateway>)> {
        let fights = |component: K3sComponent| {
            let gateways = self.ways().filter(move |gateway| gateway.fights(component));
            (component, gateways.collect::<Vec<_>>())
        };
        [K3sComponent::ServiceLb, K3sComponent::Traefik]
            .into_iter()
            .map(fights)
            .filter(|(_, of)| !of.is_empty())
            .collect()
    }

    /// The components of k3s that are switched off: those that fight and do not have to stay.
    #[must_use]
    pub fn k3s_disables(&self) -> Vec<K3sComponent> {
        let Some(Distribution::K3s { keep }) = &self.cluster.distribution else { return Vec::new() };
        let fighting = self.k3s_fights().into_iter().map(|(component, _)| component);
        fighting.filter(|component| !keep.contains(component)).collect()
    }

    /// What the flags for kube-proxy's periods begin with: k3s tells its kube-proxy everything by flags, and not every
    /// mode has flags of its own.
    #[must_use]
    pub fn k3s_period_flags(&self) -> Option<&'static str> {
        match self.cluster.data_plane.kube_proxy()? {
            KubeProxyMode::Ipvs => Some("ipvs"),
            KubeProxyMode::Iptables => Some("iptables"),
            // From 1.31 on those of iptables count in every mode but IPVS.
            KubeProxyMode::Nftables => self.cluster.version.at_least(31).then_some("iptables"),
        }
    }
}

impl Gateway {
    /// Whether clients reach it at addresses of the nodes.
    fn at_nodes(&self) -> bool {
        match &self.strategy {
            Strategy::NodePortRedirect { .. }
            | Strategy::NodePort { .. }
            | Strategy::HostNetwork { .. }
            | Strategy::HostPort { .. }
            | Strategy::ExternalIps { .. } => true,
            Strategy::CiliumLoadBalancer { announced, .. } => announced.how == Announce::Node,
            Strategy::MetalLb { .. } | Strategy::CloudLoadBalancer { .. } => false,
        }
    }

    /// Whether a component of k3s takes ports or the Service of this gateway.
    fn fights(&self, component: K3sComponent) -> bool {
        match component {
            // Services with a class are somebody else's.
            K3sComponent::ServiceLb => {
                self.needs.service_type == ServiceType::LoadBalancer && self.needs.load_balancer_class.is_none()
            }
            // ServiceLB would bring its 80 and 443 to every node.
            K3sComponent::Traefik => {
                let web = |port: &PortPlan| {
                    port.protocol == Protocol::TCP && matches!(self.public_port(port).get(), 80 | 443)
                };
                self.at_nodes() && self.ports.values().any(web)
            }
        }
    }
}
