//! Networks and ranges of addresses.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Grammar, Refusal, textual};

/// An IP family, spelled as Kubernetes spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Family {
    /// 32-bit addresses.
    IPv4,
    /// 128-bit addresses.
    IPv6,
}

impl Family {
    /// The family of an address.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::IPv4 } else { Self::IPv6 }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::IPv4 => "IPv4",
            Self::IPv6 => "IPv6",
        })
    }
}

/// A network: an address and a prefix length, no host bits set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cidr(IpNet);

impl Cidr {
    /// The network of one address.
    #[must_use]
    pub fn host(address: IpAddr) -> Self {
        Self(IpNet::from(address))
    }

    /// The family of its addresses.
    #[must_use]
    pub fn family(self) -> Family {
        Family::of(self.0.addr())
    }

    /// Whether the address lies in it.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        self.0.contains(&address)
    }

    /// Whether every address of its family lies in it.
    #[must_use]
    pub fn is_everything(self) -> bool {
        self.0.prefix_len() == 0
    }

    /// Whether every address of `other` lies in it too.
    #[must_use]
    pub fn covers(self, other: Self) -> bool {
        self.0.contains(&other.0)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Grammar for Cidr {
    const FORMAT: &'static str = "cidr";
    const PATTERN: &'static str = "^[0-9a-fA-F:.]+/[0-9]{1,3}$";
    const DESCRIPTION: &'static str = "a network such as `10.0.0.0/8` or `2001:db8::/32`, without host bits";
}

impl FromStr for Cidr {
    type Err = Refusal;
    fn from_str(text: &str) -> Result<Self, Refusal> {
        let refusal = |help: String| Refusal { wanted: "a CIDR", help };
        let usual = || refusal(Self::DESCRIPTION.to_owned());
        let Some((address, length)) = text.split_once('/') else {
            // The likeliest slip is a bare address: say the host route for it.
            return Err(match text.parse::<IpAddr>() {
                Ok(address) => {
                    refusal(format!("write `{address}/{}` for one address", if address.is_ipv4() { 32 } else { 128 }))
                }
                Err(_) => usual(),
            });
        };
        // std refuses leading zeros (`010.0.0.0`), which ipnet reads as decimal and others as octal.
        let address: IpAddr = address.parse().map_err(|_| usual())?;
        if length.is_empty()
            || length.len() > 3
            || !length.bytes().all(|b| b.is_ascii_digit())
            || (length.len() > 1 && length.starts_with('0'))
        {
            return Err(usual());
        }
        let net = length.parse().ok().and_then(|length| IpNet::new(address, length).ok()).ok_or_else(usual)?;
        if net.addr() != net.network() {
            return Err(refusal(format!("host bits are set: write `{}`", net.trunc())));
        }
        Ok(Self(net))
    }
}
textual!(Cidr);

/// Addresses from a first to a last one of the same family, both included: MetalLB's pool entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AddressRange {
    first: IpAddr,
    last: IpAddr,
    net: Option<IpNet>,
}

impl AddressRange {
    /// The lowest of its addresses.
    #[must_use]
    pub fn first(self) -> IpAddr {
        self.first
    }

    /// The family of its addresses.
    #[must_use]
    pub fn family(self) -> Family {
        Family::of(self.first)
    }

    /// Its first and last address.
    #[must_use]
    pub fn ends(self) -> (IpAddr, IpAddr) {
        (self.first, self.last)
    }

    /// The network it was written as, if it was.
    #[must_use]
    pub fn network(self) -> Option<Cidr> {
        self.net.map(Cidr)
    }

    /// Whether the address lies in it.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        Family::of(address) == self.family() && (self.first..=self.last).contains(&address)
    }

    /// The prefix length of the largest network that lies in it whole.
    #[must_use]
    pub fn widest_prefix(self) -> u8 {
        let (first, last, bits) = match (self.first, self.last) {
            (IpAddr::V4(first), IpAddr::V4(last)) => (u128::from(first.to_bits()), u128::from(last.to_bits()), 32),
            (IpAddr::V6(first), IpAddr::V6(last)) => (first.to_bits(), last.to_bits(), 128),
            // Both ends are of one family.
            _ => return 0,
        };
        (0..=bits)
            .find(|&length| {
                let host_bits = bits - length;
                let mask = if host_bits == 128 { u128::MAX } else { (1 << host_bits) - 1 };
                // The first network of this length that starts in the range must end in it, too.
                let start = if first & mask == 0 { Some(first) } else { (first | mask).checked_add(1) };
                start.is_some_and(|start| start <= last && last - start >= mask)
            })
            .unwrap_or(bits)
    }

    /// Whether any address lies in both.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        self.family() == other.family() && self.first <= other.last && other.first <= self.last
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.net {
            Some(net) => net.fmt(f),
            None => write!(f, "{}-{}", self.first, self.last),
        }
    }
}

impl Grammar for AddressRange {
    const FORMAT: &'static str = "address-range";
    const PATTERN: &'static str = "^[0-9a-fA-F:.]+([/-][0-9a-fA-F:.]+)$";
    const DESCRIPTION: &'static str =
        "a first and a last address with a dash between, or a CIDR: `192.0.2.10-192.0.2.20`, `2001:db8::/120`";
}

impl FromStr for AddressRange {
    type Err = Refusal;
    fn from_str(text: &str) -> Result<Self, Refusal> {
        let refusal = |help: String| Refusal { wanted: "an address range", help };
        if let Some((first, last)) = text.split_once('-') {
            let (Ok(first), Ok(last)) = (first.parse::<IpAddr>(), last.parse::<IpAddr>()) else {
                return Err(refusal(Self::DESCRIPTION.to_owned()));
            };
            if Family::of(first) != Family::of(last) {
                return Err(refusal("both ends must be of one family".to_owned()));
            }
            if first > last {
                return Err(refusal(format!("the lower address comes first: `{last}-{first}`")));
            }
            return Ok(Self { first, last, net: None });
        }
        match text.parse::<Cidr>() {
            Ok(Cidr(net)) => Ok(Self { first: net.network(), last: net.broadcast(), net: Some(net) }),
            Err(Refusal { help, .. }) if text.contains('/') || text.parse::<IpAddr>().is_ok() => Err(refusal(help)),
            Err(_) => Err(refusal(Self::DESCRIPTION.to_owned())),
        }
    }
}
textual!(AddressRange);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cidr_says_what_to_write() {
        let help = |text: &str| text.parse::<Cidr>().unwrap_err().help;
        assert_eq!(help("10.0.0.1/8"), "host bits are set: write `10.0.0.0/8`");
        assert_eq!(help("10.0.0.1"), "write `10.0.0.1/32` for one address");
        for text in ["010.0.0.0/8", "10.0.0.0/08", "10.0.0.0/33", "10.0.0.0/+8", "10.0.0.0/", "::/129", "x"] {
            assert!(text.parse::<Cidr>().is_err(), "{text}");
        }
        assert_eq!("2001:DB8::/32".parse::<Cidr>().unwrap().to_string(), "2001:db8::/32");
    }

    #[test]
    fn a_range_knows_its_addresses() {
        let range: AddressRange = "192.168.1.100-192.168.1.110".parse().unwrap();
        assert!(range.contains("192.168.1.110".parse().unwrap()));
        assert!(!range.contains("192.168.1.111".parse().unwrap()));
        assert!(range.overlaps("192.168.1.110/32".parse().unwrap()));
        assert!(!range.overlaps("2001:db8::/64".parse().unwrap()));
        assert!("192.168.1.2-192.168.1.1".parse::<AddressRange>().is_err());
        assert!("192.168.1.2-::1".parse::<AddressRange>().is_err());
    }

    #[test]
    fn a_range_knows_its_largest_network() {
        let widest = |text: &str| text.parse::<AddressRange>().unwrap().widest_prefix();
        assert_eq!(widest("192.0.2.0/28"), 28);
        assert_eq!(widest("192.0.2.1-192.0.2.14"), 30);
        assert_eq!(widest("192.0.2.10-192.0.2.40"), 28);
        assert_eq!(widest("192.0.2.7-192.0.2.7"), 32);
        assert_eq!(widest("0.0.0.0/0"), 0);
        assert_eq!(widest("::/0"), 0);
        assert_eq!(widest("2001:db8::/124"), 124);
        assert_eq!(widest("255.255.255.255-255.255.255.255"), 32);
    }
}
