//! Numbers within bounds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! bounded {
    ($(#[$doc:meta])* $name:ident, $inner:ty, $low:literal, $high:literal, $message:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "u32", into = "u32")]
        pub struct $name($inner);

        impl $name {
            /// The number.
            #[must_use]
            pub fn get(self) -> $inner {
                self.0
            }
        }
        impl TryFrom<u32> for $name {
            type Error = &'static str;
            fn try_from(number: u32) -> Result<Self, Self::Error> {
                <$inner>::try_from(number).ok().filter(|n| ($low..=$high).contains(n)).map(Self).ok_or($message)
            }
        }
        impl From<$name> for u32 {
            fn from(value: $name) -> Self {
                Self::from(value.0)
            }
        }
        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({"type": "integer", "minimum": $low, "maximum": $high as u32})
            }
        }
    };
}

bounded!(
    /// An autonomous system number.
    Asn, u32, 1, 4_294_967_295, "a number from 1 to 4294967295"
);
bounded!(
    /// A BGP port, as far as MetalLB's `BGPPeer` takes it.
    BgpPort, u16, 1, 16384, "a number from 1 to 16384"
);
bounded!(
    /// A number of things, at least one.
    Count, u32, 1, 10_000, "a number from 1 to 10000"
);
bounded!(
    /// The endpoints of all Services together, roughly.
    Endpoints, u32, 1, 1_000_000, "a number from 1 to 1000000"
);
bounded!(
    /// Any 32-bit number: a user, a group, a preference.
    Id, u32, 0, 4_294_967_295, "a number from 0 to 4294967295"
);
bounded!(
    /// An interval between packets of BFD.
    Milliseconds, u32, 10, 60_000, "a number from 10 to 60000"
);
bounded!(
    /// How many packets of BFD may be missed.
    Multiplier, u32, 2, 255, "a number from 2 to 255"
);
bounded!(
    /// A share of a hundred.
    Percent, u8, 1, 100, "a number from 1 to 100"
);
bounded!(
    /// The prefix length of an IPv4 network.
    PrefixV4, u8, 1, 32, "a number from 1 to 32"
);
bounded!(
    /// The prefix length of an IPv6 network.
    PrefixV6, u8, 1, 128, "a number from 1 to 128"
);
bounded!(
    /// The lowest TTL of a packet that is believed.
    Ttl, u32, 1, 254, "a number from 1 to 254"
);
