//! What a user writes: the spec as serde reads it and as the JSON Schema describes it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::grammar::{
    Address, AddressRange, ChartVersion, Cidr, CiliumVersion, Community, DnsLabel, Family, InterfaceName,
    KubernetesVersion, LabelKey, LabelValue, Port, PortName, PortRange, Sentence,
};

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
    /// Any 32-bit number: a user, a group, a preference.
    Id, u32, 0, 4_294_967_295, "a number from 0 to 4294967295"
);
bounded!(
    /// A share of a hundred.
    Percent, u8, 1, 100, "a number from 1 to 100"
);

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
    /// The API server's `--service-node-port-range`; `30000-32767` unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_port_range: Option<PortRange>,
    /// The IP families clients use; one family only is a choice, never an accident.
    pub ip_families: IpFamilies,
    /// The Pod Security level that gateway namespaces must enforce; `restricted` unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_security: Option<PodSecurity>,
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

/// How clients reach a gateway: a strategy and its own fields.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "strategy", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Exposure {
    /// A NodePort Service, with its ports brought to the nodes' 80 and 443.
    NodePortRedirect {
        /// How the node brings the port to the node port; `portRewrite` unless said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mechanism: Option<Mechanism>,
        /// The only sources that may connect; everyone when empty.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        allow_from: Vec<Cidr>,
        /// What one source may use.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "some_limit")]
        limits: Option<Limits>,
        /// Whether the node port itself stays reachable; `deny` unless said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        direct_node_port: Option<DirectNodePort>,
        /// `Cluster` unless said; `Local` keeps the client's address.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        external_traffic_policy: Option<TrafficPolicy>,
    },
    /// The gateway runs in the node's own network namespace.
    HostNetwork {
        /// How 80 and 443 reach the process; `redirect` unless said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bind: Option<Bind>,
        /// The only sources that may connect; everyone when empty.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        allow_from: Vec<Cidr>,
        /// What one source may use.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "some_limit")]
        limits: Option<Limits>,
    },
    /// A LoadBalancer Service whose address MetalLB announces.
    #[serde(rename = "metalLB")]
    MetalLb {
        /// How the address is announced; `l2` unless said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mode: Option<MetalLbMode>,
        /// The addresses MetalLB may give this gateway.
        #[schemars(extend("minItems" = 1))]
        addresses: AddressPool,
        /// The address it gets, one for each family; the first free one unless said.
        #[serde(default, rename = "loadBalancerIP", skip_serializing_if = "Option::is_none")]
        load_balancer_ip: Option<OneOrTwoAddresses>,
        /// The interfaces layer 2 answers on; all of them when empty.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        interfaces: Vec<InterfaceName>,
        /// The node pools that announce the address; the gateway's own unless said.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        announce_from: Vec<DnsLabel>,
        /// Sessions and attributes, for `mode: bgp`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bgp: Option<Bgp>,
        /// `Cluster` unless said; `Local` keeps the client's address.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        external_traffic_policy: Option<TrafficPolicy>,
    },
}

/// How a node brings a port to a node port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Mechanism {
    /// A rewrite of the port in nftables, before kube-proxy's NAT looks at it.
    PortRewrite,
    /// systemd-socket-proxyd: a TCP proxy that hides the client's address.
    SocketProxy,
    /// The iptables REDIRECT of many recipes; refused wherever nothing listens on the node port.
    NatRedirect,
}

/// Whether a node port itself stays reachable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DirectNodePort {
    /// Shut on every interface.
    Deny,
    /// Open beside the public port.
    Allow,
}

/// Kubernetes' `externalTrafficPolicy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TrafficPolicy {
    /// Any pod answers; the gateway sees a node's address.
    Cluster,
    /// Only pods on the receiving node answer; the gateway sees the client's address.
    Local,
}

/// How 80 and 443 reach a process in the node's network namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Bind {
    /// The process listens above 1023 and the node redirects to it.
    Redirect,
    /// The process binds the port itself; the node's sysctl allows it.
    Direct,
}

/// How MetalLB announces an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MetalLbMode {
    /// One node answers ARP and neighbour discovery for it.
    L2,
    /// Every announcing node tells its routers.
    Bgp,
}

/// What one source address (an IPv4 address, an IPv6 /64) may use; at least one of the two limits.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("minProperties" = 1))]
pub struct Limits {
    /// Connections open at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections_per_source: Option<Count>,
    /// New connections a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_connections_per_second: Option<Count>,
    /// New connections that may come at once before the rate counts; 5 unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<Count>,
}

fn some_limit<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Limits>, D::Error> {
    match Option::<Limits>::deserialize(deserializer)? {
        Some(Limits { connections_per_source: None, new_connections_per_second: None, burst: None }) => {
            Err(serde::de::Error::custom("limits that limit nothing"))
        }
        limits => Ok(limits),
    }
}

/// Address ranges, at least one.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Vec<AddressRange>", into = "Vec<AddressRange>")]
#[schemars(with = "Vec<AddressRange>")]
pub struct AddressPool(Vec<AddressRange>);

impl AddressPool {
    /// The ranges in written order.
    #[must_use]
    pub fn as_slice(&self) -> &[AddressRange] {
        &self.0
    }
}

impl TryFrom<Vec<AddressRange>> for AddressPool {
    type Error = &'static str;
    fn try_from(ranges: Vec<AddressRange>) -> Result<Self, Self::Error> {
        if ranges.is_empty() { Err("at least one range") } else { Ok(Self(ranges)) }
    }
}

impl From<AddressPool> for Vec<AddressRange> {
    fn from(pool: AddressPool) -> Self {
        pool.0
    }
}

/// An address, or a list with one of each family.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum OneOrTwoAddresses {
    /// One.
    One(Address),
    /// One of each family.
    List(Vec<Address>),
}

/// BGP sessions of the announcing nodes and the attributes of what they announce.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Bgp {
    /// The nodes' autonomous system number.
    #[serde(rename = "localASN")]
    pub local_asn: Asn,
    /// The routers, by name.
    #[schemars(extend("minProperties" = 1))]
    pub peers: NonEmptyMap<BgpPeer>,
    /// Communities put on the announcements.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub communities: Vec<Community>,
    /// LOCAL_PREF, for sessions inside one autonomous system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_pref: Option<Id>,
}

/// A router that the announcing nodes hold a session with.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BgpPeer {
    /// Its address.
    pub address: Address,
    /// Its autonomous system number.
    pub asn: Asn,
    /// Its port; 179 unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<BgpPort>,
    /// Whether it is more than one hop away; `false` unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ebgp_multi_hop: Option<bool>,
    /// The Secret (type basic-auth, in MetalLB's namespace) that holds the session's password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_secret: Option<DnsLabel>,
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
