//! What a strategy needs from charts, nodes and namespaces.

use std::collections::BTreeMap;

use super::Traffic;
use crate::grammar::{Address, Cidr};
use crate::input::spec::{PodSecurity, SessionAffinity, TrafficPolicy};

/// What a strategy needs from the rest, in terms that a chart, a node and a namespace understand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needs {
    /// The type its Service must have.
    pub service_type: ServiceType,
    /// Which pods answer, where clients come in through the Service.
    pub policy: Option<TrafficPolicy>,
    /// Whether a client meets the same pod again.
    pub affinity: SessionAffinity,
    /// Whether the pods share the node's network namespace.
    pub host_network: bool,
    /// Whether the node's public ports are mapped to the pod.
    pub host_port: bool,
    /// The address of the node that is mapped; all of them when absent.
    pub host_ip: Option<Address>,
    /// The strongest Pod Security level its pods can pass.
    pub pod_security: PodSecurity,
    /// How a new version replaces the old one.
    pub rollout: Rollout,
    /// Addresses the Service claims for itself, in `spec.externalIPs`.
    pub external_ips: Vec<Address>,
    /// Addresses that somebody has to write into the Service's status.
    pub status_ips: Vec<Address>,
    /// Who takes care of a LoadBalancer Service; the cluster's default when absent.
    pub load_balancer_class: Option<&'static str>,
    /// The only sources a load balancer lets in; empty for everyone.
    pub source_ranges: Vec<Cidr>,
    /// Whether a LoadBalancer Service goes without node ports.
    pub no_node_ports: bool,
    /// Annotations on the Service.
    pub annotations: BTreeMap<String, String>,
}

impl Needs {
    /// A Service of this type before pods that pass any namespace, and nothing else.
    pub fn service(service_type: ServiceType, traffic: Traffic) -> Self {
        Self {
            service_type,
            policy: Some(traffic.policy),
            affinity: traffic.affinity,
            host_network: false,
            host_port: false,
            host_ip: None,
            pod_security: PodSecurity::Restricted,
            rollout: Rollout { max_surge: 1, max_unavailable: 0 },
            external_ips: Vec::new(),
            status_ips: Vec::new(),
            load_balancer_class: None,
            source_ranges: Vec::new(),
            no_node_ports: false,
            annotations: BTreeMap::new(),
        }
    }

    /// Pods that hold ports of their node, so that a new one can only follow the old one; their Service stays inside.
    pub fn ports_of_the_node() -> Self {
        Self {
            policy: None,
            // Baseline and restricted refuse hostNetwork and hostPort; no security context changes that.
            pod_security: PodSecurity::Privileged,
            rollout: Rollout { max_surge: 0, max_unavailable: 1 },
            ..Self::service(ServiceType::ClusterIp, Traffic::of(None, None))
        }
    }

    /// Whether a pod holds ports of its node, so that a second one does not fit there.
    #[must_use]
    pub fn holds_node_ports(&self) -> bool {
        self.host_network || self.host_port
    }

    /// Whether the Service has to say what few charts can: portgen writes such a Service itself.
    #[must_use]
    pub fn beyond_charts(&self) -> bool {
        !self.external_ips.is_empty()
            || !self.status_ips.is_empty()
            || self.load_balancer_class.is_some()
            || !self.source_ranges.is_empty()
            || self.no_node_ports
            || self.affinity != SessionAffinity::None
    }
}

/// A Service's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceType {
    /// Inside the cluster only.
    ClusterIp,
    /// On a port of every node.
    NodePort,
    /// At an address of its own.
    LoadBalancer,
}

impl ServiceType {
    /// Kubernetes' word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClusterIp => "ClusterIP",
            Self::NodePort => "NodePort",
            Self::LoadBalancer => "LoadBalancer",
        }
    }
}

/// A Deployment's rolling update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rollout {
    /// Pods above the wanted number.
    pub max_surge: u32,
    /// Pods below the wanted number.
    pub max_unavailable: u32,
}
