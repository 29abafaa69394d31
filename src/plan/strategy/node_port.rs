//! nodePort: a NodePort Service whose node ports clients use as they are.

use super::{Needs, ServiceType, Traffic};

pub fn needs(traffic: Traffic) -> Needs {
    Needs::service(ServiceType::NodePort, traffic)
}
