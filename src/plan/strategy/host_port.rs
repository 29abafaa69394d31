//! hostPort: a port of the node that the container runtime's network plugin maps to the pod.

use super::Needs;
use crate::grammar::Address;

pub fn needs(host_ip: Option<Address>) -> Needs {
    Needs { host_port: true, host_ip, ..Needs::ports_of_the_node() }
}
