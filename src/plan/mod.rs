//! The plan: a spec with every default filled in and every strategy turned into neutral facts.

mod build;
pub mod cilium;
mod k3s;
pub mod knowledge;
pub mod node;
mod os;
mod strategy;

pub use build::build;
pub use cilium::OwnGateway;
pub use strategy::{
    Announced, Around, Aws, Azure, Bfd, Bgp, BgpPeer, Cloud, Gcp, Limits, Needs, PAGES as STRATEGY_PAGES, Rollout,
    ServiceType, Strategy, Traffic, node_labels,
};

use std::collections::BTreeMap;

use crate::chart::Chart;
use crate::finding::Route;
use crate::grammar::{
    Address, CiliumVersion, DnsLabel, Family, GoDuration, InterfaceName, KubernetesVersion, MetalLbVersion, Port,
    PortName, PortRange,
};
pub use crate::input::spec::{
    Announce, AwsController, AwsTarget, Bind, CiliumGatewayApi, ClaimForm, CloudProvider, Cni, DirectNodePort,
    Distribution, K3sComponent, KubeProxyMode, Mechanism, NetworkTier, NodePortAddresses, Os, PodSecurity, Primary,
    Protocol, SessionAffinity, Toleration, TrafficPolicy,
};
use node::NodePlan;

/// Everything portgen is going to do for one cluster.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The cluster's name: the folder of the output.
    pub name: DnsLabel,
    /// Facts about the cluster.
    pub cluster: Cluster,
    /// Its node pools, by name.
    pub pools: BTreeMap<DnsLabel, Pool>,
    /// Its gateways, by name; those with an unknown chart are not among them.
    pub gateways: BTreeMap<DnsLabel, Gateway>,
    /// The ways in that a gateway of the same name has while clients move from one to the other: each with its own
    /// strategy and Service, before the same pods. A spec has none.
    pub beside: Vec<Gateway>,
    /// What the nodes of each pool must do; pools without anything to do are not among them.
    pub nodes: BTreeMap<DnsLabel, NodePlan>,
    /// Names that name nothing.
    pub dangling: Vec<Dangling>,
    /// The charts there are.
    pub charts: Vec<String>,
}

impl Plan {
    /// Every way in: those that stand beside each other, and that of each other gateway.
    pub fn ways(&self) -> impl Iterator<Item = &Gateway> + Clone {
        let alone = move |gateway: &&Gateway| self.beside.iter().all(|way| way.name != gateway.name);
        self.gateways.values().filter(alone).chain(&self.beside)
    }
}

/// A name that names nothing.
#[derive(Debug, Clone)]
pub struct Dangling {
    /// Where it was written.
    pub route: Route,
    /// What it should name.
    pub what: Named,
    /// The name.
    pub name: String,
}

/// What a name in a spec can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// A chart profile.
    Chart,
    /// A node pool of the same spec.
    NodePool,
}

/// Facts about a cluster.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// The API server's version.
    pub version: KubernetesVersion,
    /// What turns a Service into packets.
    pub data_plane: DataPlane,
    /// The network plugin.
    pub cni: Cni,
    /// Where node ports may lie.
    pub node_port_range: PortRange,
    /// The families clients use, the primary one first.
    pub families: Vec<Family>,
    /// The Pod Security level gateway namespaces must enforce.
    pub pod_security: PodSecurity,
    /// Whether kube-proxy already runs with strictARP.
    pub strict_arp: bool,
    /// The MetalLB that gateways with an address of its own count on.
    pub metal_lb: MetalLbVersion,
    /// Where kube-proxy serves node ports, if the spec says so.
    pub node_port_addresses: Option<NodePortAddresses>,
    /// How many endpoints all Services have together, where the spec says so.
    pub endpoints: Option<u32>,
    /// How often kube-proxy writes and looks at its rules, where the spec says so.
    pub sync: SyncPeriods,
    /// Cilium's own gateway on the nodes.
    pub own_gateway: Option<OwnGateway>,
    /// Extra Helm values for Cilium.
    pub cilium_values: serde_json::Map<String, serde_json::Value>,
    /// The distribution whose own configuration is written.
    pub distribution: Option<Distribution>,
    /// A kube-proxy mode that was named beside a Cilium that replaces kube-proxy.
    pub idle_mode: bool,
}

/// How often kube-proxy writes and looks at its rules; its own defaults where nothing is said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SyncPeriods {
    /// The shortest time between two changes.
    pub min: Option<GoDuration>,
    /// How often without a change.
    pub full: Option<GoDuration>,
}

/// What turns a Service into packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataPlane {
    /// kube-proxy in one of its modes.
    KubeProxy(KubeProxyMode),
    /// Cilium, with its kube-proxy replacement.
    Cilium(CiliumVersion),
    /// Cilium, with a kube-proxy beside it.
    CiliumBeside(CiliumVersion, KubeProxyMode),
}

impl DataPlane {
    /// The mode of the kube-proxy that serves node ports, if one does.
    #[must_use]
    pub fn kube_proxy(self) -> Option<KubeProxyMode> {
        match self {
            Self::KubeProxy(mode) | Self::CiliumBeside(_, mode) => Some(mode),
            Self::Cilium(_) => None,
        }
    }

    /// Cilium's version, where it runs.
    #[must_use]
    pub fn cilium(self) -> Option<CiliumVersion> {
        match self {
            Self::KubeProxy(_) => None,
            Self::Cilium(version) | Self::CiliumBeside(version, _) => Some(version),
        }
    }
}

impl std::fmt::Display for DataPlane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::KubeProxy(mode) => write!(f, "kube-proxy {mode}"),
            Self::Cilium(version) => write!(f, "Cilium {version} with kube-proxy replacement"),
            Self::CiliumBeside(version, mode) => write!(f, "Cilium {version} beside kube-proxy {mode}"),
        }
    }
}

impl std::fmt::Display for KubeProxyMode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Iptables => "iptables",
            Self::Nftables => "nftables",
            Self::Ipvs => "ipvs",
        })
    }
}

impl PodSecurity {
    /// Kubernetes' word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Restricted => "restricted",
            Self::Baseline => "baseline",
            Self::Privileged => "privileged",
        }
    }
}

/// A group of like nodes.
#[derive(Debug, Clone)]
pub struct Pool {
    /// Where it was written.
    pub route: Route,
    /// The labels that select its nodes.
    pub node_selector: BTreeMap<String, String>,
    /// The tolerations its taints ask for.
    pub tolerations: Vec<Toleration>,
    /// Its operating system.
    pub os: Os,
    /// The interfaces clients come in by; all when empty.
    pub interfaces: Vec<InterfaceName>,
    /// How many nodes it has, as `count` says.
    pub count: Option<u32>,
    /// The addresses of its nodes.
    pub addresses: Vec<Address>,
}

impl Pool {
    /// How many nodes it has; `None` when the spec does not say.
    #[must_use]
    pub fn nodes(&self) -> Option<u32> {
        self.count.or_else(|| Some(self.addressed()).filter(|&count| count > 0))
    }

    /// How many nodes its addresses speak of: a dual-stack node has one of each family.
    #[must_use]
    pub fn addressed(&self) -> u32 {
        let of = |v4: bool| self.addresses.iter().filter(|address| address.0.is_ipv4() == v4).count();
        u32::try_from(of(true).max(of(false))).unwrap_or(u32::MAX)
    }
}

/// A gateway with every default filled in.
#[derive(Debug, Clone)]
pub struct Gateway {
    /// Its name.
    pub name: DnsLabel,
    /// Where it was written.
    pub route: Route,
    /// Its chart.
    pub chart: Chart,
    /// The chart's version to install.
    pub chart_version: String,
    /// Helm's release name.
    pub release: DnsLabel,
    /// The namespace it runs in.
    pub namespace: DnsLabel,
    /// The pools it runs on that exist, in written order.
    pub pools: Vec<DnsLabel>,
    /// What clients connect to, by name.
    pub ports: BTreeMap<PortName, PortPlan>,
    /// How many pods.
    pub replicas: Replicas,
    /// How clients reach it, with that strategy's fields.
    pub strategy: Strategy,
    /// What the strategy needs, said without its name.
    pub needs: Needs,
    /// The gateway whose address pool its Service takes from: itself, unless it shares another one's.
    pub pool: DnsLabel,
    /// Its Service, and who writes it.
    pub service: Service,
    /// What its containers run as.
    pub security: Security,
    /// Extra Helm values.
    pub values: serde_json::Map<String, serde_json::Value>,
    /// Findings taken on purpose.
    pub accept: Vec<Accepted>,
    /// Where a burst was written that belongs to no rate.
    pub idle_limits: Option<Route>,
}

impl Gateway {
    /// How many nodes its pools have together; `None` when a spec does not say.
    #[must_use]
    pub fn nodes(&self, plan: &Plan) -> Option<u32> {
        self.pools.iter().map(|pool| plan.pools[pool].nodes()).sum()
    }

    /// What `values` of the spec say at a dotted path.
    #[must_use]
    pub fn value(&self, path: &str) -> Option<&serde_json::Value> {
        let mut keys = path.split('.');
        let first = self.values.get(keys.next()?)?;
        keys.try_fold(first, |value, key| value.get(key))
    }

    /// The field of the exposure with this name.
    #[must_use]
    pub fn exposure(&self, field: &str) -> Route {
        self.route.key("exposure").key(field)
    }

    /// The port clients connect to.
    #[must_use]
    pub fn public_port(&self, port: &PortPlan) -> Port {
        match self.strategy {
            Strategy::NodePort { .. } => port.node_port.unwrap_or(port.port),
            _ => port.port,
        }
    }
}

/// A finding taken on purpose.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// The rule's name.
    pub rule: String,
    /// Why.
    pub reason: String,
}

/// One port clients connect to.
#[derive(Debug, Clone)]
pub struct PortPlan {
    /// Where it was written.
    pub route: Route,
    /// The port clients use.
    pub port: Port,
    /// The port the gateway's process listens on.
    pub target_port: Port,
    /// The Service's node port, where the strategy has one and a number was free or given.
    pub node_port: Option<Port>,
    /// TCP or UDP.
    pub protocol: Protocol,
    /// What kind of listener it is.
    pub slot: Slot,
}

/// What kind of listener a port is, told by protocol and TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Slot {
    /// HTTP in the clear.
    Http,
    /// HTTP over TLS.
    Https,
    /// HTTP over QUIC.
    Http3,
    /// A layer-4 listener: a UDP port without TLS.
    Stream,
}

/// Kubernetes' word.
#[must_use]
pub fn protocol_word(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::TCP => "TCP",
        Protocol::UDP => "UDP",
    }
}

/// How many pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replicas {
    /// That many.
    Fixed(u32),
    /// As many as the CPU asks for.
    Scaled {
        /// The fewest.
        min: u32,
        /// The most.
        max: u32,
        /// The average CPU utilization aimed at, in percent of the requests.
        cpu_utilization: u8,
    },
}

impl Replicas {
    /// The fewest pods there are.
    #[must_use]
    pub fn min(self) -> u32 {
        match self {
            Self::Fixed(count) | Self::Scaled { min: count, .. } => count,
        }
    }

    /// The most pods there are.
    #[must_use]
    pub fn max(self) -> u32 {
        match self {
            Self::Fixed(count) | Self::Scaled { max: count, .. } => count,
        }
    }
}

/// A gateway's Service.
#[derive(Debug, Clone)]
pub struct Service {
    /// Who writes it: the chart where it can say all of it, portgen otherwise.
    pub owner: Owner,
    /// Its name.
    pub name: String,
    /// Whether it names its families; a chart without a key for them leaves that to the cluster.
    pub says_families: bool,
}

/// Who writes a Service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// The chart.
    Chart,
    /// portgen, because the chart cannot say all of it; the chart's own becomes ClusterIP.
    Portgen,
}

/// What a gateway's containers run as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Security {
    /// The user.
    pub run_as_user: u32,
    /// The group.
    pub run_as_group: u32,
    /// Whether the root file system is read-only.
    pub read_only_root_filesystem: bool,
}
