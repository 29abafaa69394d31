//! Gateways: their charts, ports and pods.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Count, Exposure, Id, Percent};
use crate::grammar::{ChartVersion, DnsLabel, Port, PortName, Sentence};

/// A gateway and how clients reach it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Gateway {
    /// Its Helm chart: a name, or a map with name, version and release.
    pub chart: Chart,
    /// The namespace it runs in.
    pub namespace: DnsLabel,
    /// The node pools it runs on.
    #[schemars(extend("minItems" = 1, "uniqueItems" = true))]
    pub node_pools: PoolNames,
    /// What clients connect to, by name.
    #[schemars(extend("minProperties" = 1))]
    pub ports: Ports,
    /// How many pods; 2 unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<Replicas>,
    /// How clients reach it.
    pub exposure: Exposure,
    /// What differs from the chart profile's security context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security: Option<Security>,
    /// Extra Helm values, merged last.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub values: serde_json::Map<String, serde_json::Value>,
    /// Findings taken on purpose.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accept: Vec<Accept>,
}

/// Names of node pools, at least one, each once.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Vec<DnsLabel>", into = "Vec<DnsLabel>")]
#[schemars(with = "Vec<DnsLabel>")]
pub struct PoolNames(Vec<DnsLabel>);

impl PoolNames {
    /// The names in written order.
    #[must_use]
    pub fn as_slice(&self) -> &[DnsLabel] {
        &self.0
    }
}

impl TryFrom<Vec<DnsLabel>> for PoolNames {
    type Error = &'static str;
    fn try_from(names: Vec<DnsLabel>) -> Result<Self, Self::Error> {
        let unique: std::collections::BTreeSet<_> = names.iter().collect();
        if names.is_empty() || unique.len() != names.len() {
            return Err("at least one name, each once");
        }
        Ok(Self(names))
    }
}

impl From<PoolNames> for Vec<DnsLabel> {
    fn from(names: PoolNames) -> Self {
        names.0
    }
}

/// A chart by name, or with a version and a release name.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Chart {
    /// The profile's own version, released under the gateway's name.
    Name(DnsLabel),
    /// A version or release name of one's own.
    Detailed(ChartDetails),
}

/// A chart with a version and a release name.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChartDetails {
    /// The chart profile.
    pub name: DnsLabel,
    /// The chart's version; the profile's unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<ChartVersion>,
    /// Helm's release name; the gateway's name unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<DnsLabel>,
}

/// What clients connect to, by name, at least one.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "BTreeMap<PortName, PortSpec>")]
#[schemars(with = "BTreeMap<PortName, PortSpec>")]
pub struct Ports(BTreeMap<PortName, PortSpec>);

impl Ports {
    /// The ports, sorted by name.
    #[must_use]
    pub fn as_map(&self) -> &BTreeMap<PortName, PortSpec> {
        &self.0
    }
}

impl TryFrom<BTreeMap<PortName, PortSpec>> for Ports {
    type Error = &'static str;
    fn try_from(ports: BTreeMap<PortName, PortSpec>) -> Result<Self, Self::Error> {
        if ports.is_empty() { Err("at least one port") } else { Ok(Self(ports)) }
    }
}

/// One port clients connect to.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PortSpec {
    /// The port clients use.
    pub port: Port,
    /// The port the gateway's process listens on; the chart profile's unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_port: Option<Port>,
    /// The Service's node port; 30000 + `port` when that is free and in range, unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_port: Option<Port>,
    /// `TCP` unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Protocol>,
    /// Whether the gateway ends TLS on it; over UDP that is QUIC, HTTP/3. `false` unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<bool>,
}

/// A transport protocol, spelled as Kubernetes spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Protocol {
    /// TCP.
    TCP,
    /// UDP.
    UDP,
}

/// A fixed number of pods, or bounds and a CPU target.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Replicas {
    /// That many.
    Fixed(Count),
    /// A HorizontalPodAutoscaler.
    Scaled(Scaling),
}

/// What a HorizontalPodAutoscaler is told.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Scaling {
    /// The fewest pods.
    pub min: Count,
    /// The most pods.
    pub max: Count,
    /// The average CPU utilization aimed at, in percent of the requests; 80 unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_utilization: Option<Percent>,
}

/// What differs from the chart profile's security context.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Security {
    /// The user the containers run as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_as_user: Option<Id>,
    /// The group the containers run as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_as_group: Option<Id>,
    /// Whether the containers' root file system is read-only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_only_root_filesystem: Option<bool>,
}

/// A finding taken on purpose.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Accept {
    /// The rule: `single-replica`.
    pub rule: DnsLabel,
    /// Why, for everyone who reads a report.
    pub reason: Sentence,
}
