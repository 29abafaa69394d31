//! externalIPs: a Service that claims addresses which reach the nodes anyway.

use super::{Needs, ServiceType, Traffic};
use crate::grammar::Address;
use crate::input::spec::ClaimForm;

pub fn needs(addresses: &[Address], form: ClaimForm, traffic: Traffic) -> Needs {
    match form {
        ClaimForm::Spec => {
            Needs { external_ips: addresses.to_vec(), ..Needs::service(ServiceType::ClusterIp, traffic) }
        }
        ClaimForm::Status => Needs {
            status_ips: addresses.to_vec(),
            // A class that no controller has: nobody else writes the status.
            load_balancer_class: Some("static-addresses"),
            no_node_ports: true,
            ..Needs::service(ServiceType::LoadBalancer, traffic)
        },
    }
}
