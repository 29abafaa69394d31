//! Versions that decide what a cluster can do.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Grammar, Refusal, textual};

/// Reads `1.33`: two numbers without leading zeros.
fn two_numbers(text: &str) -> Option<(u16, u16)> {
    let number = |text: &str| {
        let plain =
            !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) && (text.len() == 1 || !text.starts_with('0'));
        plain.then(|| text.parse().ok()).flatten()
    };
    let (major, minor) = text.split_once('.')?;
    Some((number(major)?, number(minor)?))
}

macro_rules! minor_version {
    ($(#[$doc:meta])* $name:ident, $format:literal, $wanted:literal, $help:literal, $least:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name {
            major: u16,
            minor: u16,
        }

        impl $name {
            /// Whether this is 1.`minor` or newer.
            #[must_use]
            pub fn at_least(self, minor: u16) -> bool {
                (self.major, self.minor) >= (1, minor)
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}.{}", self.major, self.minor)
            }
        }
        impl Grammar for $name {
            const FORMAT: &'static str = $format;
            const PATTERN: &'static str = "^1\\.[1-9][0-9]?$";
            const DESCRIPTION: &'static str = $help;
        }
        impl FromStr for $name {
            type Err = Refusal;
            fn from_str(text: &str) -> Result<Self, Refusal> {
                two_numbers(text)
                    .filter(|&(major, minor)| major == 1 && ($least..=99).contains(&minor))
                    .map(|(major, minor)| Self { major, minor })
                    .ok_or_else(|| {
                        let short = text.rsplit_once('.').map(|(short, _)| short);
                        let help = match short.filter(|short| short.parse::<Self>().is_ok()) {
                            Some(short) => format!("write it without the patch: `\"{short}\"`"),
                            None => $help.to_owned(),
                        };
                        Refusal { wanted: $wanted, help }
                    })
            }
        }
        textual!($name);
    };
}

minor_version!(
    /// A Kubernetes minor version: decides API versions, defaults and deprecations.
    KubernetesVersion, "kubernetes-version", "a Kubernetes version",
    "major and minor in quotes, `\"1.25\"` or newer: `\"1.33\"`", 25
);

minor_version!(
    /// A Cilium minor version: decides which Helm values exist.
    CiliumVersion, "cilium-version", "a Cilium version",
    "major and minor in quotes, `\"1.14\"` or newer: `\"1.20\"`", 14
);

/// A MetalLB version, with or without its patch: decides annotations and what its objects can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MetalLbVersion {
    minor: u16,
    patch: Option<u16>,
}

impl MetalLbVersion {
    /// The newest one whose objects portgen knows.
    pub const NEWEST: Self = Self { minor: 16, patch: None };

    /// Whether its minor version is newer than the newest one known.
    #[must_use]
    pub fn is_unknown(self) -> bool {
        self.minor > Self::NEWEST.minor
    }

    /// Whether this is 0.`minor`.`patch` or newer; one without a patch is that minor's oldest.
    #[must_use]
    pub fn at_least(self, minor: u16, patch: u16) -> bool {
        (self.minor, self.patch.unwrap_or(0)) >= (minor, patch)
    }

    /// Whether this may be 0.`minor`.`patch` or newer; one without a patch may be that minor's newest.
    #[must_use]
    pub fn may_be(self, minor: u16, patch: u16) -> bool {
        (self.minor, self.patch.unwrap_or(u16::MAX)) >= (minor, patch)
    }
}

impl fmt::Display for MetalLbVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0.{}", self.minor)?;
        self.patch.map_or(Ok(()), |patch| write!(f, ".{patch}"))
    }
}

impl Grammar for MetalLbVersion {
    const FORMAT: &'static str = "metallb-version";
    const PATTERN: &'static str = "^0\\.[1-9]?[0-9](\\.[1-9]?[0-9])?$";
    const DESCRIPTION: &'static str = "major and minor in quotes, with or without the patch: `\"0.16\"`, `\"0.14.8\"`";
}

impl FromStr for MetalLbVersion {
    type Err = Refusal;
    fn from_str(text: &str) -> Result<Self, Refusal> {
        let mut parts = text.splitn(3, '.');
        let core = parts.next().zip(parts.next()).map(|(major, minor)| format!("{major}.{minor}"));
        let patch = parts.next().map(|patch| two_numbers(&format!("0.{patch}")).map(|(_, patch)| patch));
        core.and_then(|core| two_numbers(&core))
            .filter(|&(major, minor)| major == 0 && minor <= 99)
            .filter(|_| patch.is_none_or(|patch| patch.is_some_and(|patch| patch <= 99)))
            .map(|(_, minor)| Self { minor, patch: patch.flatten() })
            .ok_or_else(|| Refusal { wanted: "a MetalLB version", help: Self::DESCRIPTION.to_owned() })
    }
}
textual!(MetalLbVersion);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_two_numbers() {
        let version: KubernetesVersion = "1.33".parse().unwrap();
        assert!(version.at_least(33) && !version.at_least(34));
        for text in ["1.3.3", "v1.33", "1.033", "1", "1.", "2.1", "1.24", "1.100", ""] {
            assert!(text.parse::<KubernetesVersion>().is_err(), "{text}");
        }
        let help = |text: &str| text.parse::<CiliumVersion>().unwrap_err().help;
        assert_eq!(help("1.20.1"), "write it without the patch: `\"1.20\"`");
        assert!(help("1.13.1").starts_with("major and minor"));
    }

    #[test]
    fn a_version_without_a_patch_is_any_of_its_minor() {
        let version = |text: &str| text.parse::<MetalLbVersion>().unwrap();
        assert!(!version("0.14").at_least(14, 9) && version("0.14").may_be(14, 9));
        assert!(version("0.14.9").at_least(14, 9) && !version("0.14.8").may_be(14, 9));
        assert_eq!(version("0.14.8").to_string(), "0.14.8");
        for text in ["1.0", "0.016", "0.16.", "0.16.100", "0.16.1.1", "v0.16", "0", ".16", ""] {
            assert!(text.parse::<MetalLbVersion>().is_err(), "{text}");
        }
    }
}
