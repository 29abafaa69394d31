//! Addresses that somebody announces, for MetalLB and Cilium alike.

use std::collections::{BTreeMap, BTreeSet};

use crate::grammar::{Address, AddressRange, Community, DnsLabel, InterfaceName};
use crate::input::spec::{self, Announce, Bfd};

/// Addresses of Services and who announces them.
#[derive(Debug, Clone)]
pub struct Announced {
    /// How.
    pub how: Announce,
    /// Where the address comes from.
    pub addresses: Vec<AddressRange>,
    /// The address, one for each family; empty for the first free one.
    pub load_balancer_ips: Vec<Address>,
    /// Whether those were written as a list.
    pub ips_listed: bool,
    /// The interfaces layer 2 answers on; all when empty.
    pub interfaces: Vec<InterfaceName>,
    /// The pools whose nodes announce, in written order.
    pub announce_from: Vec<DnsLabel>,
    /// Sessions, with BGP.
    pub bgp: Option<Bgp>,
}

/// What a spec says of an address and who announces it, in the fields that MetalLB and Cilium share.
pub struct Written<'a> {
    /// Where the address comes from.
    pub addresses: &'a [AddressRange],
    /// The address, one for each family.
    pub load_balancer_ip: Option<&'a spec::OneOrTwoAddresses>,
    /// The interfaces layer 2 answers on.
    pub interfaces: &'a [InterfaceName],
    /// The pools whose nodes announce.
    pub announce_from: &'a [DnsLabel],
    /// Sessions.
    pub bgp: Option<&'a spec::Bgp>,
}

impl Announced {
    /// With every default filled in, for a gateway that runs on these pools.
    pub fn resolve(how: Announce, written: &Written<'_>, own_pools: &[DnsLabel]) -> Self {
        let (load_balancer_ips, ips_listed) = match written.load_balancer_ip {
            None => (Vec::new(), false),
            Some(spec::OneOrTwoAddresses::One(address)) => (vec![*address], false),
            Some(spec::OneOrTwoAddresses::List(addresses)) => (addresses.clone(), true),
        };
        let announcers = if written.announce_from.is_empty() { own_pools } else { written.announce_from };
        Self {
            how,
            addresses: written.addresses.to_vec(),
            load_balancer_ips,
            ips_listed,
            interfaces: written.interfaces.to_vec(),
            announce_from: announcers.to_vec(),
            bgp: written.bgp.map(Bgp::resolve),
        }
    }

    /// Whether another Service's address may be this one's too: pool, address and announcement are the same.
    #[must_use]
    pub fn same_as(&self, other: &Self) -> bool {
        self.same_pool(other)
            && (self.how, &self.load_balancer_ips, &self.bgp) == (other.how, &other.load_balancer_ips, &other.bgp)
            && self.interfaces.iter().collect::<BTreeSet<_>>() == other.interfaces.iter().collect()
            && self.announce_from.iter().collect::<BTreeSet<_>>() == other.announce_from.iter().collect()
    }

    /// Whether both name the same addresses, in whatever order.
    #[must_use]
    pub fn same_pool(&self, other: &Self) -> bool {
        self.addresses.iter().collect::<BTreeSet<_>>() == other.addresses.iter().collect()
    }

    /// The addresses as `one,other`, as annotations name them.
    pub fn wanted(&self) -> Option<String> {
        let list: Vec<String> = self.load_balancer_ips.iter().map(ToString::to_string).collect();
        (!list.is_empty()).then(|| list.join(","))
    }
}

/// BGP sessions of the announcing nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bgp {
    /// Their own autonomous system.
    pub local_asn: u32,
    /// The routers, by name.
    pub peers: BTreeMap<DnsLabel, BgpPeer>,
    /// Communities on the announcements.
    pub communities: Vec<Community>,
    /// LOCAL_PREF.
    pub local_pref: Option<u32>,
    /// The prefix length of what is announced, by family; a host's when absent.
    pub aggregation: [Option<u8>; 2],
    /// Detection of dead routers.
    pub bfd: Option<Bfd>,
}

/// A router.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BgpPeer {
    /// Its address.
    pub address: Address,
    /// Its autonomous system.
    pub asn: u32,
    /// Its port.
    pub port: u16,
    /// Whether it is more than one hop away.
    pub ebgp_multi_hop: bool,
    /// The Secret with the session's password.
    pub password_secret: Option<DnsLabel>,
}

impl Bgp {
    fn resolve(bgp: &spec::Bgp) -> Self {
        let peer = |peer: &spec::BgpPeer| BgpPeer {
            address: peer.address,
            asn: peer.asn.get(),
            port: peer.port.map_or(179, spec::BgpPort::get),
            ebgp_multi_hop: peer.ebgp_multi_hop.unwrap_or(false),
            password_secret: peer.password_secret.clone(),
        };
        Self {
            local_asn: bgp.local_asn.get(),
            peers: bgp.peers.0.iter().map(|(name, written)| (name.clone(), peer(written))).collect(),
            communities: bgp.communities.clone(),
            local_pref: bgp.local_pref.map(spec::Id::get),
            aggregation: [
                bgp.aggregation_length.map(spec::PrefixV4::get),
                bgp.aggregation_length_v6.map(spec::PrefixV6::get),
            ],
            bfd: bgp.bfd,
        }
    }
}
