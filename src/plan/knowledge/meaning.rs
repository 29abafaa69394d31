//! What each form means for those who run it: the costs, in short exact words.

use super::super::PodSecurity;
use super::form::Form;

/// What a form means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meaning {
    /// The strongest Pod Security level that the gateway's namespace may enforce.
    pub pod_security: PodSecurity,
    /// Whether a node holds one pod of the gateway at most.
    pub one_pod_per_node: bool,
    /// Whether a new version starts before the old one goes, so that no node pauses.
    pub seamless_update: bool,
    /// Whose address the gateway sees.
    pub source: SourceKept,
    /// What is put on the nodes.
    pub node_files: NodeFiles,
    /// What has to run or be configured besides.
    pub components: &'static str,
    /// What clients meet when a node goes.
    pub node_loss: &'static str,
    /// The way of a packet.
    pub hops: &'static str,
    /// Who may change what clients reach, besides whoever may write Services in the namespace.
    pub hands: &'static str,
}

/// Whose address a gateway sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceKept {
    /// The client's.
    Always,
    /// The client's with `externalTrafficPolicy: Local`, a node's otherwise.
    WithLocal,
    /// A node's.
    Never,
}

impl SourceKept {
    /// The words in tables.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Always => "client's",
            Self::WithLocal => "node's; client's with `externalTrafficPolicy: Local`",
            Self::Never => "node's",
        }
    }
}

/// What is put on the nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeFiles {
    /// Nothing.
    None,
    /// Rules that change ports, and the unit that loads them.
    Rules,
    /// A proxy's units, and rules that shut the node port.
    Proxy,
    /// A sysctl; rules for allow-lists and limits only.
    Sysctl,
}

impl NodeFiles {
    /// The words in tables.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Rules => "nftables rules and a unit; iptables-restore for limits",
            Self::Proxy => "socket and service units; nftables rules that shut the node port",
            Self::Sysctl => "a sysctl; rules for allow-lists and limits only",
        }
    }
}

impl Meaning {
    /// Every line of it, as a label and a value.
    #[must_use]
    pub fn lines(&self) -> [(&'static str, &'static str); 9] {
        [
            ("Pod Security", self.pod_security.as_str()),
            ("pods per node", if self.one_pod_per_node { "one" } else { "any number" }),
            (
                "rolling update",
                if self.seamless_update { "no outage" } else { "each node pauses while its pod is replaced" },
            ),
            ("source address", self.source.words()),
            ("node files", self.node_files.words()),
            ("besides", self.components),
            ("a node is lost", self.node_loss),
            ("hops", self.hops),
            ("who may touch it", self.hands),
        ]
    }
}

const OTHER_NODE: &str = "clients of that node's address have to use another; no address moves";
const MOVES: &str = "another node announces the address within seconds; open connections break";
const ROUTED: &str = "routers drop the route when the session ends; open connections may meet another node";
const HEALTH: &str = "the load balancer's health check takes the node out";
const SERVICE_WRITERS: &str = "nobody else";
const NODE_ROOT: &str = "whoever is root on the nodes";

/// A Service before pods that pass any namespace, and nothing on the nodes.
const SERVICE: Meaning = Meaning {
    pod_security: PodSecurity::Restricted,
    one_pod_per_node: false,
    seamless_update: true,
    source: SourceKept::WithLocal,
    node_files: NodeFiles::None,
    components: "nothing",
    node_loss: OTHER_NODE,
    hops: "client, node (data plane), pod",
    hands: SERVICE_WRITERS,
};

/// Pods that hold ports of their node.
const PORTS_OF_THE_NODE: Meaning = Meaning {
    pod_security: PodSecurity::Privileged,
    one_pod_per_node: true,
    seamless_update: false,
    source: SourceKept::Always,
    hops: "client, node, process on that node",
    hands: "whoever may create pods there takes ports of the nodes",
    ..SERVICE
};

/// What a form means.
#[must_use]
pub const fn meaning(form: Form) -> Meaning {
    match form {
        Form::PortRewrite => Meaning {
            node_files: NodeFiles::Rules,
            hops: "client, node (port rewritten, then the data plane), pod",
            hands: NODE_ROOT,
            ..SERVICE
        },
        Form::SocketProxy => Meaning {
            source: SourceKept::Never,
            node_files: NodeFiles::Proxy,
            hops: "client, proxy on the node, node port on 127.0.0.1 (data plane), pod; TCP only",
            hands: NODE_ROOT,
            ..SERVICE
        },
        // Refused everywhere, so nothing is written for it.
        Form::NatRedirect => Meaning { hops: "client, node (redirected to a port nobody listens on)", ..SERVICE },
        Form::NodePort => {
            Meaning { components: "something in front that uses the node port, or clients that do", ..SERVICE }
        }
        Form::NodePortInRange => Meaning {
            components: "an API server with `--service-node-port-range` from 80, for the whole cluster",
            hands: "whoever may create Services anywhere in the cluster takes ports of the nodes",
            ..SERVICE
        },
        Form::HostNetworkRedirect => Meaning { node_files: NodeFiles::Rules, ..PORTS_OF_THE_NODE },
        Form::HostNetworkDirect => Meaning { node_files: NodeFiles::Sysctl, ..PORTS_OF_THE_NODE },
        Form::HostPort => Meaning {
            components: "a network plugin that maps ports: CNI's `portmap`, or Cilium",
            hops: "client, node (network plugin), pod on that node",
            ..PORTS_OF_THE_NODE
        },
        Form::MetalLbL2 => Meaning {
            components: "MetalLB, addresses of their own in the nodes' segment",
            node_loss: MOVES,
            hops: "client, the announcing node (data plane), pod",
            hands: "whoever may write MetalLB's pools",
            ..SERVICE
        },
        Form::MetalLbBgp => Meaning {
            components: "MetalLB, addresses of their own, routers that take the sessions",
            node_loss: ROUTED,
            hops: "client, router, a node (data plane), pod",
            hands: "whoever may write MetalLB's pools and peers, or runs the routers",
            ..SERVICE
        },
        Form::CiliumL2 => Meaning {
            // Cilium chooses the node without looking for a pod there, so `Local` loses clients.
            source: SourceKept::Never,
            components: "Cilium replacing kube-proxy, addresses of their own in the nodes' segment",
            node_loss: MOVES,
            hops: "client, the announcing node (Cilium), pod",
            hands: "whoever may write Cilium's pools and policies",
            ..SERVICE
        },
        Form::CiliumBgp => Meaning {
            components: "Cilium with its BGP control plane, addresses of their own, routers that take the sessions",
            node_loss: ROUTED,
            hops: "client, router, a node (Cilium), pod",
            hands: "whoever may write Cilium's pools and peers, or runs the routers",
            ..SERVICE
        },
        Form::CiliumNode => Meaning {
            components: "Cilium with node IPAM switched on",
            hops: "client, node (Cilium), pod",
            hands: "whoever may label nodes",
            ..SERVICE
        },
        Form::CloudLoadBalancer => Meaning {
            components: "the cloud's load balancer controller, and its bill",
            node_loss: HEALTH,
            hops: "client, load balancer of the cloud, node (data plane), pod",
            hands: "whoever may change load balancers in the cloud's account",
            ..SERVICE
        },
        Form::ExternalIpsSpec => Meaning {
            components: "an API server without the plugin `DenyServiceExternalIPs`",
            hands: "whoever may create Services claims any address (CVE-2020-8554)",
            ..SERVICE
        },
        Form::ExternalIpsStatus => Meaning {
            components: "somebody who patches the Service's status each time it is made anew",
            hands: "whoever may patch `services/status` claims any address",
            ..SERVICE
        },
    }
}
