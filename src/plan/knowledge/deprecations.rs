//! What has an end date, with where that is written.

use crate::grammar::KubernetesVersion;

/// Something with an end date that a spec can use or a reader can meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feature {
    /// kube-proxy's IPVS mode.
    Ipvs,
    /// `spec.externalIPs` of Services.
    ExternalIps,
    /// kube-proxy's iptables mode as the default.
    IptablesByDefault,
    /// The ingress-nginx controller.
    IngressNginx,
}

/// From when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// From this minor version of Kubernetes 1.
    Kubernetes(u16),
    /// From this month.
    Month(&'static str),
}

impl std::fmt::Display for Since {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Kubernetes(minor) => write!(f, "Kubernetes 1.{minor}"),
            Self::Month(month) => f.write_str(month),
        }
    }
}

/// What becomes of a feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deprecation {
    /// Which.
    pub feature: Feature,
    /// What becomes of it, up to `since`: `kube-proxy's IPVS mode is deprecated`.
    pub what: &'static str,
    /// From when.
    pub since: Since,
    /// Where that is written.
    pub source: &'static str,
    /// What is planned.
    pub plan: &'static str,
    /// Where to go.
    pub instead: &'static str,
    /// The strategies, words and rules whose pages tell of it.
    pub topics: &'static [&'static str],
}

impl Deprecation {
    /// What becomes of it and from when, a phrase.
    #[must_use]
    pub fn phrase(&self) -> String {
        format!("{} since {}", self.what, self.since)
    }

    /// Where to go, and how much time there is, a phrase.
    #[must_use]
    pub fn way_out(&self) -> String {
        format!("move to {}; {} plans to {}", self.instead, self.source, self.plan)
    }

    /// Whether it holds in a cluster of this version; what a month dates, holds in all.
    #[must_use]
    pub fn holds(&self, version: KubernetesVersion) -> bool {
        match self.since {
            Since::Kubernetes(minor) => version.at_least(minor),
            Since::Month(_) => true,
        }
    }
}

/// The table.
pub const DEPRECATIONS: [Deprecation; 4] = [
    Deprecation {
        feature: Feature::Ipvs,
        what: "kube-proxy's IPVS mode is deprecated",
        since: Since::Kubernetes(35),
        source: "KEP-5495",
        plan: "switch IPVS off by default in 1.40 and to remove it in 1.43",
        instead: "`mode: nftables`, stable since 1.33",
        topics: &["IPVS", "deprecated-feature", "kube-proxy", "strictARP"],
    },
    Deprecation {
        feature: Feature::ExternalIps,
        what: "`spec.externalIPs` of Services is deprecated",
        since: Since::Kubernetes(36),
        source: "KEP-5707",
        plan: "switch kube-proxy's `AllowServiceExternalIPs` off by default in 1.40 and to lock it in 1.43",
        instead: "`nodePortRedirect`, `metalLB` or `form: status`",
        topics: &["deprecated-feature", "externalIPs"],
    },
    Deprecation {
        feature: Feature::IptablesByDefault,
        what: "a kube-proxy without a `mode` warns that its default will change",
        since: Since::Kubernetes(37),
        source: "KEP-5343",
        plan: "make nftables the default in 1.40",
        instead: "naming the mode, `mode: iptables` or `mode: nftables`",
        topics: &["iptables-mode", "kube-proxy", "nftables-mode"],
    },
    Deprecation {
        feature: Feature::IngressNginx,
        what: "ingress-nginx is retired",
        since: Since::Month("March 2026"),
        source: "kubernetes/website#53183",
        plan: "publish nothing more, security fixes included",
        instead: "a gateway that is maintained",
        topics: &[],
    },
];

/// What becomes of a feature.
///
/// # Panics
/// Never: every feature has its row.
#[must_use]
pub fn deprecation(feature: Feature) -> &'static Deprecation {
    let row = DEPRECATIONS.iter().find(|one| one.feature == feature);
    row.unwrap_or_else(|| unreachable!("every feature has its row"))
}
