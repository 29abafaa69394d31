//! What an operating system brings to a node's rules.

use super::Os;

impl Os {
    /// The name in a spec.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Debian12 => "debian-12",
            Self::Debian13 => "debian-13",
            Self::Ubuntu2204 => "ubuntu-22.04",
            Self::Ubuntu2404 => "ubuntu-24.04",
            Self::Rhel8 => "rhel-8",
            Self::Rhel9 => "rhel-9",
            Self::Rhel10 => "rhel-10",
            Self::Flatcar => "flatcar",
            Self::Talos => "talos",
        }
    }

    /// Whether iptables and its kernel modules can be had: RHEL 10 dropped them.
    #[must_use]
    pub fn has_iptables(self) -> bool {
        !matches!(self, Self::Rhel10 | Self::Talos)
    }

    /// Whether files and units can be put on a node: Talos has neither a writable /etc nor systemd.
    #[must_use]
    pub fn takes_files(self) -> bool {
        self != Self::Talos
    }

    /// The command that installs packages, for instructions; `None` where the image brings them.
    #[must_use]
    pub fn install_command(self) -> Option<&'static str> {
        match self {
            Self::Debian12 | Self::Debian13 | Self::Ubuntu2204 | Self::Ubuntu2404 => Some("apt-get install -y"),
            Self::Rhel8 | Self::Rhel9 | Self::Rhel10 => Some("dnf install -y"),
            Self::Flatcar | Self::Talos => None,
        }
    }

    /// The package that brings `iptables-restore`.
    #[must_use]
    pub fn iptables_package(self) -> &'static str {
        match self {
            Self::Rhel9 => "iptables-nft",
            _ => "iptables",
        }
    }
}
