//! nodePortRedirect: a NodePort Service whose ports the nodes serve under their public numbers.

use super::super::node::Way;
use super::super::{DirectNodePort, Mechanism, Needs, PodSecurity, PortPlan, Rollout, ServiceType, TrafficPolicy};

pub fn needs(policy: TrafficPolicy) -> Needs {
    Needs {
        service_type: ServiceType::NodePort,
        policy: Some(policy),
        host_network: false,
        pod_security: PodSecurity::Restricted,
        rollout: Rollout { max_surge: 1, max_unavailable: 0 },
        annotations: [].into(),
    }
}

/// A port without a node port, or with the mechanism that works nowhere, has no way in: rules say so.
pub fn way(mechanism: Mechanism, direct: DirectNodePort, port: &PortPlan) -> Option<Way> {
    let node_port = port.node_port?;
    let direct = direct == DirectNodePort::Allow;
    match mechanism {
        Mechanism::PortRewrite => Some(Way::Rewrite { node_port, direct }),
        Mechanism::SocketProxy => Some(Way::Proxy { node_port, direct }),
        Mechanism::NatRedirect => None,
    }
}
