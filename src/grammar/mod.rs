//! The closed grammars: every text that may end in a rule, a unit, a manifest or a comment.

mod address;
mod cloud;
mod version;

pub use address::{AddressRange, Cidr, Family};
pub use cloud::{AwsAllocation, AwsSubnet, AzureName, AzurePrefix, GcpName};
pub use version::{CiliumVersion, KubernetesVersion, MetalLbVersion};

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// Why a text is not of a grammar: what it is not, and what would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The name of the grammar with its article: `an interface name`.
    pub wanted: &'static str,
    /// What a text of this grammar looks like.
    pub help: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not {}; {}", self.wanted, self.help)
    }
}

impl std::error::Error for Refusal {}

/// A text type with a grammar of its own, known to the schema by its `format`.
pub trait Grammar: FromStr<Err = Refusal> {
    /// The schema's `format`, by which a report finds the grammar again.
    const FORMAT: &'static str;
    /// A regular expression that editors can use; `FromStr` decides.
    const PATTERN: &'static str;
    /// One line for the schema and for hovers in an editor.
    const DESCRIPTION: &'static str;
}

/// Asks every grammar in turn; the one place that lists them.
macro_rules! grammars {
    ($($name:ident),* $(,)?) => {
        /// The schema `format` of every grammar.
        pub const FORMATS: &[&str] = &[$($name::FORMAT),*];

        /// What the grammar with this schema `format` says to `text`; `None` when it accepts it or is not ours.
        #[must_use]
        pub fn refusal(format: &str, text: &str) -> Option<Refusal> {
            match format {
                $($name::FORMAT => text.parse::<$name>().err(),)*
                _ => None,
            }
        }

        /// The pattern of the grammar with this schema `format`.
        #[must_use]
        pub fn pattern(format: &str) -> Option<&'static str> {
            match format {
                $($name::FORMAT => Some($name::PATTERN),)*
                _ => None,
            }
        }
    };
}

grammars!(
    DnsLabel,
    ObjectName,
    PortName,
    InterfaceName,
    LabelKey,
    LabelValue,
    PortRange,
    Sentence,
    ChartVersion,
    Community,
    GoDuration,
    Cidr,
    AddressRange,
    Address,
    KubernetesVersion,
    CiliumVersion,
    MetalLbVersion,
    AwsSubnet,
    AwsAllocation,
    GcpName,
    AzureName,
    AzurePrefix,
);

/// Gives a grammar type serde's and schemars' traits through `FromStr` and `Display`.
macro_rules! textual {
    ($name:ident) => {
        impl TryFrom<String> for $name {
            type Error = $crate::grammar::Refusal;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }
        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                use $crate::grammar::Grammar;
                schemars::json_schema!({
                    "type": "string",
                    "format": Self::FORMAT,
                    "pattern": Self::PATTERN,
                    "description": Self::DESCRIPTION,
                })
            }
        }
    };
}
pub(crate) use textual;

/// A grammar that keeps the text as it was written.
macro_rules! verbatim {
    ($(#[$doc:meta])* $name:ident, $format:literal, $pattern:literal, $wanted:literal, $help:literal, $accepts:expr) => {
        verbatim!($(#[$doc])* $name, $format, $pattern, $wanted, $help, $accepts, |_| $help.to_owned());
    };
    // The last one says what is wrong with a text that is not accepted.
    ($(#[$doc:meta])* $name:ident, $format:literal, $pattern:literal, $wanted:literal, $help:literal, $accepts:expr, $why:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text as written.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl Grammar for $name {
            const FORMAT: &'static str = $format;
            const PATTERN: &'static str = $pattern;
            const DESCRIPTION: &'static str = $help;
        }
        impl FromStr for $name {
            type Err = Refusal;
            fn from_str(text: &str) -> Result<Self, Refusal> {
                let accepts: fn(&str) -> bool = $accepts;
                if accepts(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    let why: fn(&str) -> String = $why;
                    Err(Refusal { wanted: $wanted, help: why(text) })
                }
            }
        }
        textual!($name);
    };
}
pub(crate) use verbatim;

fn is_alphanumeric(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

/// RFC 1123: lower case letters, digits and dashes, a letter or digit at both ends.
fn is_dns_label(text: &str, longest: usize) -> bool {
    let bytes = text.as_bytes();
    (1..=longest).contains(&bytes.len())
        && bytes.iter().all(|&b| is_alphanumeric(b) || b == b'-')
        && is_alphanumeric(bytes[0])
        && is_alphanumeric(bytes[bytes.len() - 1])
}

fn is_qualified(text: &str) -> bool {
    let bytes = text.as_bytes();
    (1..=63).contains(&bytes.len())
        && bytes.iter().all(|&b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        && bytes[0].is_ascii_alphanumeric()
        && bytes[bytes.len() - 1].is_ascii_alphanumeric()
}

fn is_label_key(text: &str) -> bool {
    match text.split_once('/') {
        None => is_qualified(text),
        Some((prefix, name)) => {
            prefix.len() <= 253 && prefix.split('.').all(|part| is_dns_label(part, 63)) && is_qualified(name)
        }
    }
}

verbatim!(
    /// A name of RFC 1123: what Kubernetes calls a DNS label.
    DnsLabel, "dns-label", "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$", "a DNS label",
    "1 to 63 lower-case letters, digits and dashes, with a letter or digit at both ends",
    |text| is_dns_label(text, 63)
);

verbatim!(
    /// A name of an object: DNS labels with dots between them.
    ObjectName, "object-name", "^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$", "an object's name",
    "1 to 253 lower-case letters, digits, dashes and dots, with a letter or digit on both sides of each dot and at both ends",
    |text| text.len() <= 253 && text.split('.').all(|part| is_dns_label(part, 253))
);

verbatim!(
    /// A Service port name: what Kubernetes takes from IANA's service names.
    PortName, "port-name", "^[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?$", "a port name",
    "1 to 15 lower-case letters, digits and single dashes, at least one letter, none of the dashes at an end",
    |text| is_dns_label(text, 15) && !text.contains("--") && text.bytes().any(|b| b.is_ascii_lowercase())
);

verbatim!(
    /// A Linux network interface's name, without anything that nft or iptables would read as a pattern.
    InterfaceName, "interface-name", "^[a-zA-Z0-9][a-zA-Z0-9._-]{0,14}$", "an interface name",
    "1 to 15 letters, digits, dots, dashes and underscores, a letter or digit first",
    |text| text.len() <= 15
        && text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
);

verbatim!(
    /// A Kubernetes label key: an optional DNS prefix and a name.
    LabelKey, "label-key", "^([a-z0-9.-]{1,253}/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$", "a label key",
    "an optional DNS name with a slash, then 1 to 63 letters, digits, `-`, `_` and `.`, a letter or digit at both ends",
    is_label_key
);

verbatim!(
    /// A Kubernetes label value, possibly empty.
    LabelValue, "label-value", "^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$", "a label value",
    "at most 63 letters, digits, `-`, `_` and `.`, a letter or digit at both ends; or nothing",
    |text| text.is_empty() || is_qualified(text)
);

verbatim!(
    /// A reason or a remark: one printed line.
    Sentence, "sentence", "^[^\\x00-\\x1f\\x7f]*[^\\s\\x00-\\x1f\\x7f][^\\x00-\\x1f\\x7f]*$", "a line of text",
    "1 to 200 printed characters on one line",
    |text| !text.trim().is_empty() && text.chars().count() <= 200 && !text.chars().any(is_unprintable)
);

verbatim!(
    /// A chart's version, as Helm reads it.
    ChartVersion, "chart-version", "^[0-9]+\\.[0-9]+\\.[0-9]+([-+][0-9A-Za-z.-]+)?$", "a chart version",
    "three numbers such as `3.4.1`, optionally with a pre-release",
    |text| {
        let (core, rest) = match text.find(['-', '+']) {
            Some(at) => (&text[..at], &text[at + 1..]),
            None => (text, "0"),
        };
        text.len() <= 64
            && core.split('.').count() == 3
            && core.split('.').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
            && !rest.is_empty()
            && rest.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'+'))
    }
);

verbatim!(
    /// A BGP community: two 16-bit numbers, or `large:` and three 32-bit ones.
    Community, "bgp-community", "^([0-9]{1,5}:[0-9]{1,5}|large:[0-9]{1,10}:[0-9]{1,10}:[0-9]{1,10})$", "a BGP community",
    "`65000:100`, or `large:65000:1:2`",
    |text| {
        fn numbers<N: FromStr>(text: &str, count: usize) -> bool {
            text.split(':').count() == count
                && text.split(':').all(|part| part.bytes().all(|b| b.is_ascii_digit()) && part.parse::<N>().is_ok())
        }
        match text.strip_prefix("large:") {
            Some(rest) => numbers::<u32>(rest, 3),
            None => numbers::<u16>(text, 2),
        }
    },
    |text| {
        let (rest, count, most) = match text.strip_prefix("large:") {
            Some(rest) => (rest, 3, u32::MAX),
            None => (text, 2, u32::from(u16::MAX)),
        };
        let numbers: Vec<Option<u64>> = rest.split(':').map(|part| part.parse().ok()).collect();
        match numbers.iter().flatten().find(|number| **number > u64::from(most)) {
            Some(number) if count == 2 && numbers.len() == 2 => {
                format!("{number} is more than {most}, the most each half holds; a larger number takes `large:` and three numbers: `large:65536:1:2`")
            }
            Some(number) => format!("{number} is more than {most}, the most each number holds"),
            None => Community::DESCRIPTION.to_owned(),
        }
    }
);

verbatim!(
    /// A duration as Go writes it, in MetalLB's hold times.
    GoDuration, "go-duration", "^([0-9]{1,5}(ms|s|m|h))+$", "a duration",
    "numbers with units, as Go writes them: `90s`, `1m30s`",
    |text| {
        let mut rest = text;
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let unit = ["ms", "s", "m", "h"].into_iter().find_map(|unit| rest[digits..].strip_prefix(unit));
            match unit {
                Some(after) if (1..=5).contains(&digits) => rest = after,
                _ => return false,
            }
        }
        !text.is_empty() && text.len() <= 24
    }
);

impl GoDuration {
    /// How long it is; without an end where that is longer than any clock.
    #[must_use]
    pub fn get(&self) -> std::time::Duration {
        let mut rest = self.as_str();
        let mut milliseconds: u64 = 0;
        while let Some(digits) = rest.find(|c: char| !c.is_ascii_digit()) {
            let number: u64 = rest[..digits].parse().unwrap_or(u64::MAX);
            let unit = &rest[digits..];
            let (scale, length) = match unit.as_bytes() {
                [b'm', b's', ..] => (1, 2),
                [b's', ..] => (1_000, 1),
                [b'm', ..] => (60_000, 1),
                _ => (3_600_000, 1),
            };
            milliseconds = milliseconds.saturating_add(number.saturating_mul(scale));
            rest = &unit[length..];
        }
        std::time::Duration::from_millis(milliseconds)
    }
}

/// Control characters, and those that reorder or hide what a reader sees.
#[must_use]
pub fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// A text a user typed, fit for one line of a message: at most 40 characters, nothing a terminal obeys, no backtick
/// that would end a quotation.
#[must_use]
pub fn shown(text: &str) -> String {
    const MOST: usize = 40;
    let mut shown = String::new();
    let mut width = 0;
    for c in text.chars() {
        let mut piece = String::new();
        match c {
            '`' => piece.push('\''),
            c if c.is_control() => piece.extend(c.escape_default()),
            c if is_unprintable(c) => piece.extend(c.escape_unicode()),
            c => piece.push(c),
        }
        width += piece.chars().count();
        if width > MOST {
            // The last piece goes as well when the sign that something is missing needs its place.
            while shown.chars().count() >= MOST {
                shown.pop();
            }
            shown.push('…');
            break;
        }
        shown.push_str(&piece);
    }
    shown
}

/// A TCP or UDP port, 1 to 65535.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Port(std::num::NonZeroU16);

impl Port {
    /// The port with this number; `None` for 0.
    #[must_use]
    pub fn new(number: u16) -> Option<Self> {
        std::num::NonZeroU16::new(number).map(Self)
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> u16 {
        self.0.get()
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl JsonSchema for Port {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Port".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "integer", "minimum": 1, "maximum": 65535})
    }
}

/// A range of ports, both ends included, as `--service-node-port-range` takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PortRange {
    /// The lowest port.
    pub first: Port,
    /// The highest port, not below `first`.
    pub last: Port,
}

impl PortRange {
    /// What the API server uses unless told otherwise.
    ///
    /// # Panics
    /// Never: both numbers are above 0.
    #[must_use]
    pub fn kubernetes_default() -> Self {
        Self { first: Port::new(30000).expect("not 0"), last: Port::new(32767).expect("not 0") }
    }

    /// Whether a port lies in the range.
    #[must_use]
    pub fn contains(self, port: Port) -> bool {
        (self.first..=self.last).contains(&port)
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

impl Grammar for PortRange {
    const FORMAT: &'static str = "port-range";
    const PATTERN: &'static str = "^[1-9][0-9]{0,4}-[1-9][0-9]{0,4}$";
    const DESCRIPTION: &'static str = "two ports from 1 to 65535 with a dash between, the lower first: `30000-32767`";
}

impl FromStr for PortRange {
    type Err = Refusal;
    fn from_str(text: &str) -> Result<Self, Refusal> {
        fn port(text: &str) -> Option<Port> {
            (!text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit()))
                .then(|| text.parse().ok().and_then(Port::new))
                .flatten()
        }
        text.split_once('-')
            .and_then(|(first, last)| Some(Self { first: port(first)?, last: port(last)? }))
            .filter(|range| range.first <= range.last)
            .ok_or_else(|| Refusal { wanted: "a port range", help: Self::DESCRIPTION.to_owned() })
    }
}
textual!(PortRange);

/// One IP address in its usual spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address(pub std::net::IpAddr);

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Grammar for Address {
    const FORMAT: &'static str = "ip-address";
    const PATTERN: &'static str = "^[0-9a-fA-F:.]+$";
    const DESCRIPTION: &'static str = "one IPv4 or IPv6 address: `192.0.2.10`, `2001:db8::10`";
}

impl FromStr for Address {
    type Err = Refusal;
    fn from_str(text: &str) -> Result<Self, Refusal> {
        text.parse().map(Self).map_err(|_| Refusal { wanted: "an IP address", help: Self::DESCRIPTION.to_owned() })
    }
}
textual!(Address);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_text_is_short_and_harmless() {
        assert_eq!(shown("a`b\n\u{202e}"), "a'b\\n\\u{202e}");
        assert_eq!(shown(&"x".repeat(40)), "x".repeat(40));
        assert_eq!(shown(&"한".repeat(41)).chars().count(), 40);
        assert!(shown(&"\u{1}".repeat(50)).chars().count() <= 40);
    }
}
