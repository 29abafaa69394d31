//! nodePortRedirect: a NodePort Service whose ports the nodes serve under their public numbers.

use super::super::PortPlan;
use super::super::node::Way;
use super::{DirectNodePort, Mechanism, Needs, ServiceType, Traffic};
use crate::grammar::Cidr;

pub fn needs(traffic: Traffic) -> Needs {
    Needs::service(ServiceType::NodePort, traffic)
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

/// kube-proxy opens a node port on every node, also where the gateway does not run. Where everyone may use it, nothing is
/// to be done there.
pub fn way_elsewhere(
    mechanism: Mechanism,
    direct: DirectNodePort,
    allow_from: &[Cidr],
    port: &PortPlan,
) -> Option<Way> {
    let node_port = port.node_port?;
    match (mechanism, direct) {
        (Mechanism::NatRedirect, _) => None,
        (_, DirectNodePort::Deny) => Some(Way::Shut { node_port }),
        (_, DirectNodePort::Allow) => (!allow_from.is_empty()).then_some(Way::Guard { node_port }),
    }
}
