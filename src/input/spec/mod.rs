//! What a user writes: the spec as serde reads it and as the JSON Schema describes it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::grammar::{
    Address, ChartVersion, CiliumVersion, DnsLabel, Family, GoDuration, InterfaceName, KubernetesVersion, LabelKey,
    LabelValue, MetalLbVersion, Port, PortName, PortRange, Sentence,
};

mod bounded;
mod cloud;
mod distribution;
mod exposure;
mod proxy;

pub use bounded::*;
pub use cloud::*;
pub use distribution::*;
pub use exposure::*;
pub use proxy::*;

/// One cluster: facts about it and its nodes, and the intent for each gateway.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "portgen cluster spec")]
pub struct Spec {
    /// The version of this format.
    pub api_version: ApiVersion,
    /// What the document describes.
    pub kind: Kind,
    /// What it is called.
    pub metadata: Metadata,
    /// Base specs that this one is laid over, in order, by JSON Merge Patch (RFC 7386); paths relative to this file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extends: Vec<String>,
    /// Facts about the cluster.
    pub cluster: Cluster,
    /// Groups of like nodes, by name.
    #[schemars(extend("minProperties" = 1))]
    pub node_pools: NonEmptyMap<NodePool>,
    /// Gateways and how clients reach them, by name.
    #[schemars(extend("minProperties" = 1))]
    pub gateways: NonEmptyMap<Gateway>,
}

/// The version of this format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ApiVersion {
    /// The only version so far.
    #[serde(rename = "portgen/v1alpha1")]
    V1Alpha1,
}

/// What a document describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Kind {
    /// One Kubernetes cluster.
    Cluster,
}

/// What the spec is called.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    /// The cluster's name: the folder of the output.
    pub name: DnsLabel,
}

/// A map with at least one entry, sorted by name.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct NonEmptyMap<T>(#[serde(deserialize_with = "not_empty")] pub BTreeMap<DnsLabel, T>)
where
    T: Serialize + for<'a> Deserialize<'a>;

fn not_empty<'de, D, T>(deserializer: D) -> Result<BTreeMap<DnsLabel, T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    let map = BTreeMap::<DnsLabel, T>::deserialize(deserializer)?;
    if map.is_empty() {
        return Err(serde::de::Error::custom("an empty map"));
    }
    Ok(map)
}

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

/// What turns a Service into packets.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum ServiceProxy {
    /// kube-proxy.
    KubeProxy {
        /// Its mode.
        mode: KubeProxyMode,
        /// Whether its configuration already says `ipvs.strictARP: true`; `false` unless said.
        #[serde(default, rename = "strictARP", skip_serializing_if = "Option::is_none")]
        strict_arp: Option<bool>,
        /// `primary` or networks: where it serves node ports; its own default unless said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        node_port_addresses: Option<NodePortAddresses>,
        /// The shortest time between two changes of its rules; its own default, `1s`, unless said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min_sync_period: Option<GoDuration>,
        /// How often it looks at its rules without a change; its own default, `30s`, unless said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sync_period: Option<GoDuration>,
    },
    /// Cilium's agent.
    Cilium {
        /// Its minor version, quoted.
        version: CiliumVersion,
        /// Whether it replaces kube-proxy; with `false` a kube-proxy runs beside it.
        kube_proxy_replacement: bool,
        /// The mode of the kube-proxy beside it; `iptables` unless said, only with `kubeProxyReplacement: false`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mode: Option<KubeProxyMode>,
        /// Whether the kube-proxy beside it already runs with `ipvs.strictARP: true`; `false` unless said.
        #[serde(default, rename = "strictARP", skip_serializing_if = "Option::is_none")]
        strict_arp: Option<bool>,
        /// `primary` or networks: where the kube-proxy beside it serves node ports; its own default unless said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        node_port_addresses: Option<NodePortAddresses>,
        /// Cilium's own gateway in the nodes' network namespace.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        gateway: Option<CiliumGateway>,
        /// Extra Helm values for Cilium, merged last.
        #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
        values: serde_json::Map<String, serde_json::Value>,
    },
}

/// kube-proxy's mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum KubeProxyMode {
    /// NAT rules in iptables.
    Iptables,
    /// NAT rules in an nftables table.
    Nftables,
    /// The kernel's IPVS balancer.
    Ipvs,
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

/// A group of like nodes.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodePool {
    /// The labels that select its nodes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub node_selector: BTreeMap<LabelKey, LabelValue>,
    /// The tolerations its taints ask for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tolerations: Vec<Toleration>,
    /// The operating system of its nodes.
    pub os: Os,
    /// The interfaces clients come in by; all of them when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interfaces: Vec<InterfaceName>,
    /// How many nodes it has; the number of `addresses` unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<Count>,
    /// The addresses of its nodes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<Address>,
}

/// A pod's toleration, as Kubernetes writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Toleration {
    /// The taint's key; every taint when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<LabelKey>,
    /// How the value is compared; `Equal` unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<TolerationOperator>,
    /// The taint's value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<LabelValue>,
    /// The taint's effect; every effect when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<TaintEffect>,
}

/// How a toleration compares a taint's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TolerationOperator {
    /// The value must be equal.
    Equal,
    /// Any value.
    Exists,
}

/// What a taint does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TaintEffect {
    /// New pods stay away.
    NoSchedule,
    /// New pods stay away if they can.
    PreferNoSchedule,
    /// Running pods leave, too.
    NoExecute,
}

/// An operating system, by release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Os {
    /// Debian 12.
    #[serde(rename = "debian-12")]
    Debian12,
    /// Debian 13.
    #[serde(rename = "debian-13")]
    Debian13,
    /// Ubuntu 22.04 LTS.
    #[serde(rename = "ubuntu-22.04")]
    Ubuntu2204,
    /// Ubuntu 24.04 LTS.
    #[serde(rename = "ubuntu-24.04")]
    Ubuntu2404,
    /// RHEL 8 and its rebuilds.
    #[serde(rename = "rhel-8")]
    Rhel8,
    /// RHEL 9 and its rebuilds.
    #[serde(rename = "rhel-9")]
    Rhel9,
    /// RHEL 10 and its rebuilds.
    #[serde(rename = "rhel-10")]
    Rhel10,
    /// Flatcar Container Linux.
    #[serde(rename = "flatcar")]
    Flatcar,
    /// Talos Linux.
    #[serde(rename = "talos")]
    Talos,
}

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
