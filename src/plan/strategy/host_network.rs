//! hostNetwork: the gateway's process in the node's own network namespace.

use super::super::node::Way;
use super::super::{Bind, Needs, PodSecurity, PortPlan, Rollout, ServiceType};

pub fn needs() -> Needs {
    Needs {
        service_type: ServiceType::ClusterIp,
        policy: None,
        host_network: true,
        // Baseline and restricted both refuse hostNetwork; no security context changes that.
        pod_security: PodSecurity::Privileged,
        // The old pod holds the node's ports: a new one can only follow it.
        rollout: Rollout { max_surge: 0, max_unavailable: 1 },
        annotations: [].into(),
    }
}

pub fn way(bind: Bind, port: &PortPlan) -> Way {
    match bind {
        Bind::Redirect if port.port != port.target_port => Way::Redirect { to: port.target_port },
        Bind::Redirect | Bind::Direct => Way::Open,
    }
}
