//! cloudLoadBalancer: a LoadBalancer Service that a cloud's controller gives a load balancer of its own.

use super::{Needs, ServiceType, Traffic};
use crate::grammar::Cidr;
use crate::input::spec::CloudProvider;

pub fn needs(provider: CloudProvider, internal: bool, allow_from: &[Cidr], traffic: Traffic) -> Needs {
    let mut needs = Needs::service(ServiceType::LoadBalancer, traffic);
    needs.source_ranges = allow_from.to_vec();
    let _ = (provider, internal);
    needs
}
