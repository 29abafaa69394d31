//! Facts about a cluster.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Distribution, Endpoints, ServiceProxy};
use crate::grammar::{Family, KubernetesVersion, MetalLbVersion, PortRange};

/// Facts about a cluster.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cluster {
    /// The API server's minor version, quoted.
    pub kubernetes_version: KubernetesVersion,
    /// What turns a Service into packets.
    pub service_proxy: ServiceProxy,
    /// The network plugin; implied by `serviceProxy: {type: cilium}`, otherwise `other` unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cni: Option<Cni>,
    /// How many endpoints all its Services have together, roughly; only an old kube-proxy needs to know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoints: Option<Endpoints>,
    /// The API server's `--service-node-port-range`; `30000-32767` unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_port_range: Option<PortRange>,
    /// The IP families clients use; one family only is a choice, never an accident.
    pub ip_families: IpFamilies,
    /// The Pod Security level that gateway namespaces must enforce; `restricted` unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_security: Option<PodSecurity>,
    /// The MetalLB that is installed, for gateways with `strategy: metalLB`.
    #[serde(default, rename = "metalLB", skip_serializing_if = "Option::is_none")]
    pub metal_lb: Option<MetalLb>,
    /// A distribution whose own configuration portgen writes, kind or k3s; any other unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distribution: Option<Distribution>,
}

/// The MetalLB that is installed.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MetalLb {
    /// Its version, quoted; the newest portgen knows, 0.16, unless said.
    pub version: MetalLbVersion,
}

/// A network plugin, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Cni {
    /// Cilium.
    Cilium,
    /// Calico.
    Calico,
    /// Flannel.
    Flannel,
    /// Any other.
    Other,
}

/// A Pod Security Standards level, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PodSecurity {
    /// No restriction.
    Privileged,
    /// No known privilege escalation.
    Baseline,
    /// Hardened.
    Restricted,
}

/// `[IPv4]`, `[IPv6]` or both, the primary family first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Vec<Family>", into = "Vec<Family>")]
#[schemars(with = "Vec<Family>", extend("minItems" = 1, "uniqueItems" = true))]
pub struct IpFamilies(Vec<Family>);

impl IpFamilies {
    /// The families, the primary one first.
    #[must_use]
    pub fn as_slice(&self) -> &[Family] {
        &self.0
    }
}

impl TryFrom<Vec<Family>> for IpFamilies {
    type Error = &'static str;
    fn try_from(families: Vec<Family>) -> Result<Self, Self::Error> {
        match families[..] {
            [_] => Ok(Self(families)),
            [a, b] if a != b => Ok(Self(families)),
            _ => Err("one or both of IPv4 and IPv6, each once"),
        }
    }
}

impl From<IpFamilies> for Vec<Family> {
    fn from(families: IpFamilies) -> Self {
        families.0
    }
}
