//! How clients reach a gateway: every strategy with its own fields.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Asn, Aws, Azure, BgpPort, Count, Gcp, Id, Milliseconds, Multiplier, NonEmptyMap, PrefixV4, PrefixV6, Ttl};
use crate::grammar::{Address, AddressRange, Cidr, Community, DnsLabel, InterfaceName};

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
        /// `None` unless said; `ClientIP` keeps a client with its pod for three hours.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session_affinity: Option<SessionAffinity>,
    },
    /// A NodePort Service whose node ports clients use as they are.
    NodePort {
        /// `Cluster` unless said; `Local` keeps the client's address.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        external_traffic_policy: Option<TrafficPolicy>,
        /// `None` unless said; `ClientIP` keeps a client with its pod for three hours.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session_affinity: Option<SessionAffinity>,
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
    /// A port of the node that the container runtime maps to the pod.
    HostPort {
        /// The node's address that is mapped; all of them unless said.
        #[serde(default, rename = "hostIP", skip_serializing_if = "Option::is_none")]
        host_ip: Option<Address>,
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
        #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "some_items")]
        #[schemars(extend("minItems" = 1))]
        announce_from: Vec<DnsLabel>,
        /// Sessions and attributes, for `mode: bgp`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bgp: Option<Bgp>,
        /// The only sources that may connect; everyone when empty.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        allow_from: Vec<Cidr>,
        /// Services that give the same key may share an address, under different ports.
        #[serde(default, rename = "allowSharedIP", skip_serializing_if = "Option::is_none")]
        allow_shared_ip: Option<DnsLabel>,
        /// `Cluster` unless said; `Local` keeps the client's address.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        external_traffic_policy: Option<TrafficPolicy>,
        /// `None` unless said; `ClientIP` keeps a client with its pod for three hours.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session_affinity: Option<SessionAffinity>,
    },
    /// A LoadBalancer Service whose address Cilium hands out and announces.
    CiliumLoadBalancer {
        /// How the address is announced; `l2` unless said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        announce: Option<Announce>,
        /// The addresses Cilium may give this gateway; with `announce: node` the nodes' own are used.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        addresses: Vec<AddressRange>,
        /// The address it gets, one for each family; the first free one unless said.
        #[serde(default, rename = "loadBalancerIP", skip_serializing_if = "Option::is_none")]
        load_balancer_ip: Option<OneOrTwoAddresses>,
        /// The interfaces layer 2 answers on; all of them when empty.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        interfaces: Vec<InterfaceName>,
        /// The node pools that announce the address; the gateway's own unless said.
        #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "some_items")]
        #[schemars(extend("minItems" = 1))]
        announce_from: Vec<DnsLabel>,
        /// Sessions and attributes, for `announce: bgp`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bgp: Option<Bgp>,
        /// The only sources that may connect; everyone when empty.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        allow_from: Vec<Cidr>,
        /// Services that give the same key may share an address, under different ports.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sharing_key: Option<DnsLabel>,
        /// `Cluster` unless said; `Local` keeps the client's address.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        external_traffic_policy: Option<TrafficPolicy>,
        /// `None` unless said; `ClientIP` keeps a client with its pod for three hours.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session_affinity: Option<SessionAffinity>,
    },
    /// A LoadBalancer Service that a cloud's controller turns into a load balancer of its own.
    CloudLoadBalancer {
        /// Which cloud.
        provider: CloudProvider,
        /// Whether only the private network reaches it; `false` unless said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        internal: Option<bool>,
        /// The only sources that may connect; everyone when empty.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        allow_from: Vec<Cidr>,
        /// `Cluster` unless said; `Local` keeps the client's address.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        external_traffic_policy: Option<TrafficPolicy>,
        /// `None` unless said; `ClientIP` keeps a client with its pod for three hours.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session_affinity: Option<SessionAffinity>,
        /// What AWS is told, with `provider: aws`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        aws: Option<Aws>,
        /// What Google Cloud is told, with `provider: gcp`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        gcp: Option<Gcp>,
        /// What Azure is told, with `provider: azure`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        azure: Option<Azure>,
    },
    /// A Service that claims the nodes' own addresses; deprecated from Kubernetes 1.36.
    #[serde(rename = "externalIPs")]
    ExternalIps {
        /// The addresses it claims; those of the gateway's node pools unless said.
        #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "some_items")]
        #[schemars(extend("minItems" = 1))]
        addresses: Vec<Address>,
        /// Where the Service names them; `spec` unless said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        form: Option<ClaimForm>,
        /// `Cluster` unless said; `Local` keeps the client's address.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        external_traffic_policy: Option<TrafficPolicy>,
        /// `None` unless said; `ClientIP` keeps a client with its pod for three hours.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session_affinity: Option<SessionAffinity>,
    },
}

/// Kubernetes' `sessionAffinity`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SessionAffinity {
    /// Every connection may meet another pod.
    None,
    /// Connections of one source address meet the same pod.
    ClientIP,
}

/// Where a Service names the addresses it claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ClaimForm {
    /// `spec.externalIPs`, deprecated from Kubernetes 1.36.
    Spec,
    /// `status.loadBalancer.ingress` of a LoadBalancer Service that no controller takes care of.
    Status,
}

/// How Cilium announces an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Announce {
    /// One node answers ARP and neighbour discovery for it.
    L2,
    /// Every announcing node tells its routers.
    Bgp,
    /// Nobody has to: the nodes' own addresses are the Service's.
    Node,
}

/// A cloud whose load balancers portgen knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CloudProvider {
    /// Amazon Web Services: a Network Load Balancer.
    Aws,
    /// Google Cloud: a passthrough Network Load Balancer.
    Gcp,
    /// Microsoft Azure: a Standard Load Balancer.
    Azure,
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

/// A list that means something else when it is not there at all.
fn some_items<'de, T: Deserialize<'de>, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let items = Vec::deserialize(deserializer)?;
    if items.is_empty() { Err(serde::de::Error::custom("a list of nothing")) } else { Ok(items) }
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
    /// The prefix length of IPv4 announcements, with MetalLB; 32 unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aggregation_length: Option<PrefixV4>,
    /// The prefix length of IPv6 announcements, with MetalLB; 128 unless said.
    #[serde(default, rename = "aggregationLengthV6", skip_serializing_if = "Option::is_none")]
    pub aggregation_length_v6: Option<PrefixV6>,
    /// Finds a dead router sooner than BGP does, with MetalLB; no BFD unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bfd: Option<Bfd>,
}

/// Bidirectional forwarding detection on every session; what is left out is FRR's default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Bfd {
    /// The shortest interval between packets this side can receive; 300 unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receive_interval: Option<Milliseconds>,
    /// The shortest interval between packets this side sends; 300 unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transmit_interval: Option<Milliseconds>,
    /// How many packets may be missed; 3 unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detect_multiplier: Option<Multiplier>,
    /// The shortest interval between echoes this side can receive; 50 unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub echo_interval: Option<Milliseconds>,
    /// Whether echoes are sent, IPv4 and one hop only; `false` unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub echo_mode: Option<bool>,
    /// Whether the router has to begin; `false` unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passive_mode: Option<bool>,
    /// The lowest TTL of a packet that is believed, over several hops; 254 unless said.
    #[serde(default, rename = "minimumTTL", skip_serializing_if = "Option::is_none")]
    pub minimum_ttl: Option<Ttl>,
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
    /// The Secret that holds the session's password: of type basic-auth in MetalLB's namespace, for Cilium in `kube-system`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_secret: Option<DnsLabel>,
}
