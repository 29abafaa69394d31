//! `--to`: a pool, a gateway, an address or the loopback, with a port.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Destination;
use super::addresses::{announced_addresses, node_address, node_addresses};
use crate::finding::{listed, nearest, shown};
use crate::grammar::{DnsLabel, Family, Port};
use crate::plan::{Gateway, Plan};

/// What `--to` names that is not there.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unknown(String);

/// What stands for 127.0.0.1 and ::1.
const LOOPBACK: &str = "loopback";

/// Reads `edge:443`, `198.51.100.11:443`, `[2001:db8::1]:443`, `kong:443` or `loopback:80`.
///
/// # Errors
/// What is no port, and what names nothing in the plan.
pub fn destination(
    plan: &Plan,
    text: &str,
    family: Option<Family>,
    gateway: Option<&DnsLabel>,
) -> Result<Destination, Unknown> {
    let wanted = "`--to` is a node pool, a gateway with an address of its own, an address or `loopback`, with a port";
    let Some((whom, port)) = text.rsplit_once(':') else {
        return Err(Unknown(format!("`{}` has no port; {wanted}: `edge:443`", shown(text))));
    };
    let Some(port) = port.parse().ok().and_then(Port::new) else {
        return Err(Unknown(format!("`{}` is no port; {wanted}: `edge:443`", shown(port))));
    };
    let bare = whom.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(whom);
    let (pool, address) = match bare.parse::<IpAddr>() {
        Ok(address) if family.is_some_and(|family| family != Family::of(address)) => {
            return Err(Unknown(format!("{address} is no address of the family that `--family` names")));
        }
        Ok(address) => owner(plan, address, gateway)?,
        Err(_) => named(plan, whom, family.unwrap_or_else(|| primary(plan)), gateway)?,
    };
    Ok(Destination { pool, address, port })
}

fn primary(plan: &Plan) -> Family {
    plan.cluster.families.first().copied().unwrap_or(Family::IPv4)
}

/// A pool of the gateway that is meant, or of the first one: every node has a loopback.
fn any_pool(plan: &Plan, gateway: Option<&DnsLabel>) -> Option<DnsLabel> {
    let meant = gateway.and_then(|name| plan.gateways.get(name)).or_else(|| plan.gateways.values().next());
    meant.and_then(|gateway| gateway.pools.first()).or_else(|| plan.pools.keys().next()).cloned()
}

/// The pool whose nodes an announced address leads to.
fn entrance(plan: &Plan, gateway: &Gateway) -> Option<DnsLabel> {
    let announcing = gateway.strategy.announced().and_then(|(announced, _)| announced.announce_from.first());
    announcing.or(gateway.pools.first()).cloned().or_else(|| any_pool(plan, None))
}

/// Whose address it is: a node's, a gateway's, or the loopback of a node.
fn owner(plan: &Plan, address: IpAddr, meant: Option<&DnsLabel>) -> Result<(DnsLabel, IpAddr), Unknown> {
    let family = Family::of(address);
    let of_pool = |pool: &&DnsLabel| node_addresses(plan, pool, family).contains(&address);
    let of_gateway = |gateway: &&Gateway| announced_addresses(plan, gateway, family).contains(&address);
    let pool = if address.is_loopback() {
        any_pool(plan, meant)
    } else {
        let announced = || plan.gateways.values().find(of_gateway).and_then(|gateway| entrance(plan, gateway));
        plan.pools.keys().find(of_pool).cloned().or_else(announced)
    };
    pool.map(|pool| (pool, address)).ok_or_else(|| nobodys(plan, address))
}

fn nobodys(plan: &Plan, address: IpAddr) -> Unknown {
    let may_get = |gateway: &&Gateway| {
        let announced = gateway.strategy.announced();
        announced.is_some_and(|(announced, _)| announced.addresses.iter().any(|range| range.contains(address)))
    };
    if let Some(gateway) = plan.gateways.values().find(may_get) {
        let name = &gateway.name;
        return Unknown(format!(
            "{address} is one of the addresses that {name} may get; ask for `{name}`, or give it the address with `loadBalancerIP`"
        ));
    }
    let announced = |gateway| announced_addresses(plan, gateway, Family::of(address));
    let known: Vec<String> = plan
        .pools
        .values()
        .flat_map(|pool| &pool.addresses)
        .map(ToString::to_string)
        .chain(plan.gateways.values().flat_map(announced).map(|address| address.to_string()))
        .collect();
    let hint = match nearest(&address.to_string(), known.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "the spec names none, so ask for a node pool".to_owned(),
        None => format!("there are {}", listed(known)),
    };
    Unknown(format!("no node and no gateway has the address {address}; {hint}"))
}

fn named(plan: &Plan, name: &str, family: Family, meant: Option<&DnsLabel>) -> Result<(DnsLabel, IpAddr), Unknown> {
    if name == LOOPBACK
        && let Some(pool) = any_pool(plan, meant)
    {
        let address = match family {
            Family::IPv4 => Ipv4Addr::LOCALHOST.into(),
            Family::IPv6 => Ipv6Addr::LOCALHOST.into(),
        };
        return Ok((pool, address));
    }
    if let Some(pool) = plan.pools.keys().find(|pool| pool.as_str() == name) {
        return Ok((pool.clone(), node_address(plan, pool, family)));
    }
    if let Some(gateway) = plan.gateways.values().find(|gateway| gateway.name.as_str() == name) {
        let address = announced_addresses(plan, gateway, family).into_iter().next();
        return match (entrance(plan, gateway), address) {
            (Some(pool), Some(address)) => Ok((pool, address)),
            _ => Err(Unknown(format!(
                "{name} has no {family} address of its own; ask for a node of its pool: {}",
                listed(&gateway.pools)
            ))),
        };
    }
    let gateways = plan.gateways.values().filter(|gateway| {
        [Family::IPv4, Family::IPv6].iter().any(|family| !announced_addresses(plan, gateway, *family).is_empty())
    });
    let known: Vec<&str> = plan
        .pools
        .keys()
        .chain(gateways.map(|gateway| &gateway.name))
        .map(DnsLabel::as_str)
        .chain([LOOPBACK])
        .collect();
    let hint = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there are {}", listed(known)),
    };
    Err(Unknown(format!("nothing is called `{}`; {hint}", shown(name))))
}
