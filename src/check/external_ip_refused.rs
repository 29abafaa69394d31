//! A Service that claims an address no client can have for it.

use std::net::IpAddr;

use crate::finding::{Finding, Place, Rule, Severity};
use crate::plan::{Plan, Strategy};

pub static RULE: Rule = Rule {
    name: "external-ip-refused",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("external_ip_refused.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    for gateway in plan.gateways.values() {
        let Strategy::ExternalIps { addresses, .. } = &gateway.strategy else { continue };
        for address in addresses {
            let Some(kind) = kind(address.0) else { continue };
            findings.push(Finding::new(
                &RULE,
                Place::Value(gateway.exposure("addresses")),
                format!("`{}` claims {address}, {kind}, which brings no client to a node", gateway.name),
                "name addresses that the network brings to the nodes",
            ));
        }
    }
}

/// What an address is for, where that is no single machine that clients reach.
pub fn kind(address: IpAddr) -> Option<&'static str> {
    let link_local = match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    if address.is_unspecified() {
        Some("the unspecified address")
    } else if address.is_loopback() {
        Some("a loopback address")
    } else if link_local {
        Some("a link-local address")
    } else if address.is_multicast() {
        Some("a multicast address")
    } else {
        None
    }
}
