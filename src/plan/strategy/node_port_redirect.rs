//! nodePortRedirect: a NodePort Service whose ports the nodes serve under their public numbers.

use super::super::PortPlan;
use super::super::node::Way;
use super::{DirectNodePort, Mechanism, Needs, ServiceType, Traffic};

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
