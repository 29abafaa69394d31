//! hostNetwork: the gateway's process in the node's own network namespace.

use super::super::PortPlan;
use super::super::node::Way;
use super::{Bind, Needs};

pub fn needs() -> Needs {
    Needs { host_network: true, ..Needs::ports_of_the_node() }
}

pub fn way(bind: Bind, port: &PortPlan) -> Way {
    match bind {
        Bind::Redirect if port.port != port.target_port => Way::Redirect { to: port.target_port },
        Bind::Redirect | Bind::Direct => Way::Open,
    }
}
