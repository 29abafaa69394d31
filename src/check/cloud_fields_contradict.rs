//! Fields of a cloud load balancer that exclude each other.

use std::collections::BTreeSet;

use crate::finding::{Finding, Place, Route, Rule, Severity};
use crate::grammar::Family;
use crate::plan::{Aws, Azure, Cloud, Gcp, NetworkTier, Plan, Strategy};

pub static RULE: Rule = Rule {
    name: "cloud-fields-contradict",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("cloud_fields_contradict.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    for gateway in plan.gateways.values() {
        let Strategy::CloudLoadBalancer { internal, cloud, .. } = &gateway.strategy else { continue };
        let mut say = |route: Route, message: String, help: &str| {
            findings.push(Finding::new(&RULE, Place::Value(route), message, help));
        };
        match cloud {
            Cloud::Aws(aws) => of_aws(&gateway.exposure("aws"), aws, *internal, &mut say),
            Cloud::Gcp(gcp) => of_gcp(plan, &gateway.exposure("gcp"), gcp, *internal, &mut say),
            Cloud::Azure(azure) => of_azure(plan, &gateway.exposure("azure"), azure, *internal, &mut say),
        }
    }
}

/// A field for public load balancers only, or for internal ones only.
fn of_side(here: &Route, internal: bool, fields: &[(&str, bool, bool)], say: &mut impl FnMut(Route, String, &str)) {
    for (field, written, for_internal) in fields {
        if *written && *for_internal != internal {
            let (is, help) = if internal {
                ("an internal load balancer has no public side", "take it out, or set `internal: false`")
            } else {
                ("a public load balancer has no private side", "take it out, or set `internal: true`")
            };
            say(here.key(field), format!("`{field}` has no meaning here: {is}"), help);
        }
    }
}

fn of_aws(here: &Route, aws: &Aws, internal: bool, say: &mut impl FnMut(Route, String, &str)) {
    let fields = [
        ("eipAllocations", !aws.eip_allocations.is_empty(), false),
        ("privateAddresses", !aws.private_addresses.is_empty(), true),
    ];
    of_side(here, internal, &fields, say);
    for (field, count) in
        [("eipAllocations", aws.eip_allocations.len()), ("privateAddresses", aws.private_addresses.len())]
    {
        if count > 0 && count != aws.subnets.len() {
            let message = format!("{count} in `{field}` and {} in `subnets`: AWS wants one for each", aws.subnets.len());
            say(here.key(field), message, "name as many subnets, in the same order");
        }
    }
    for (position, address) in aws.private_addresses.iter().enumerate().filter(|(_, address)| !address.0.is_ipv4()) {
        let message = format!("{address} is no IPv4 address, and AWS takes no other here");
        say(here.key("privateAddresses").index(position), message, "name an IPv4 address of the subnet");
    }
}

fn of_gcp(plan: &Plan, here: &Route, gcp: &Gcp, internal: bool, say: &mut impl FnMut(Route, String, &str)) {
    let standard = gcp.network_tier == NetworkTier::Standard;
    of_side(here, internal, &[("globalAccess", gcp.global_access, true), ("networkTier", standard, false)], say);
    let families = plan.cluster.families.len();
    if gcp.addresses.len() > families {
        let message = format!("`addresses` names {}, and the Service has {families}: one for each family", gcp.addresses.len());
        say(here.key("addresses"), message, "name one reserved address for each family");
    }
}

fn of_azure(plan: &Plan, here: &Route, azure: &Azure, internal: bool, say: &mut impl FnMut(Route, String, &str)) {
    let fields = [
        ("publicIP", azure.public_ip.is_some(), false),
        ("publicIPv6", azure.public_ipv6.is_some(), false),
        ("publicIPPrefix", azure.public_ip_prefix.is_some(), false),
        ("subnet", azure.subnet.is_some(), true),
        ("privateAddresses", !azure.private_addresses.is_empty(), true),
    ];
    of_side(here, internal, &fields, say);
    if azure.public_ip.is_some() && azure.public_ip_prefix.is_some() {
        let message = "`publicIP` names an address that is there, `publicIPPrefix` asks for a new one".to_owned();
        say(here.key("publicIPPrefix"), message, "keep one of the two");
    }
    let mut seen = BTreeSet::new();
    for (position, address) in azure.private_addresses.iter().enumerate() {
        let family = Family::of(address.0);
        let place = here.key("privateAddresses").index(position);
        if !plan.cluster.families.contains(&family) {
            say(place, format!("{address} is {family}, which this cluster does not serve"), "take it out");
        } else if !seen.insert(family) {
            say(place, format!("a second {family} address: a Service has one of each family"), "name one of each family");
        }
    }
}
