//! What reaches a gateway on which data plane, as proven with packets.

use super::{Announce, DataPlane, KubeProxyMode, Mechanism};

/// Whether a way works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Proven.
    Works,
    /// Follows from what is proven, but was not tried on this very combination.
    NotProven(&'static str),
    /// Fails; why, and what works here.
    Refused {
        /// What happens to a packet.
        reason: &'static str,
        /// What to write instead.
        instead: &'static str,
    },
}

/// Whether a node can bring a port to a node port this way.
#[must_use]
pub fn redirect(mechanism: Mechanism, data_plane: DataPlane) -> Verdict {
    use KubeProxyMode::{Iptables, Ipvs, Nftables};
    use Mechanism::{NatRedirect, PortRewrite, SocketProxy};
    const BEYOND_NETFILTER: &str =
        "Cilium serves node ports before netfilter sees the packet, so a port that netfilter rewrites reaches nobody";
    const CILIUM_WAY: &str =
        "`strategy: hostNetwork`, or an address of its own with `strategy: ciliumLoadBalancer` or `metalLB`";
    match (data_plane, mechanism) {
        (DataPlane::Cilium(_), _) => Verdict::Refused { reason: BEYOND_NETFILTER, instead: CILIUM_WAY },
        (_, NatRedirect) => match data_plane.kube_proxy() {
            Some(Ipvs) => Verdict::Refused {
                reason: "the connection is not masqueraded, so only a pod on that very node can answer",
                instead: "`mechanism: portRewrite`, the default: it changes the port before kube-proxy's NAT looks at it",
            },
            _ => Verdict::Refused {
                reason: "nothing listens on the node port, and the NAT verdict is final, so kube-proxy never sees the connection: it is refused",
                instead: "`mechanism: portRewrite`, the default: it changes the port before kube-proxy's NAT looks at it",
            },
        },
        (_, SocketProxy) if matches!(data_plane.kube_proxy(), Some(Nftables | Ipvs)) => Verdict::Refused {
            reason: "kube-proxy serves node ports on 127.0.0.1, the one address a proxy on every node can name, in its iptables mode only",
            instead: "`mechanism: portRewrite`, the default",
        },
        (DataPlane::CiliumBeside(..), PortRewrite | SocketProxy) => Verdict::NotProven(
            "kube-proxy serves the node ports here, but the packets were counted without Cilium beside it",
        ),
        (DataPlane::KubeProxy(Iptables | Nftables | Ipvs), PortRewrite | SocketProxy) => Verdict::Works,
    }
}

/// Whether clients reach a process in the node's network namespace.
#[must_use]
pub fn host_network(data_plane: DataPlane) -> Verdict {
    match data_plane {
        DataPlane::CiliumBeside(..) => Verdict::NotProven("the packets were counted without Cilium beside kube-proxy"),
        DataPlane::Cilium(_) | DataPlane::KubeProxy(_) => Verdict::Works,
    }
}

/// Whether clients reach a Service that claims the nodes' own addresses.
#[must_use]
pub fn external_ips(data_plane: DataPlane) -> Verdict {
    match data_plane.kube_proxy() {
        Some(KubeProxyMode::Ipvs) => Verdict::Refused {
            reason: "IPVS does not masquerade such connections, so only a pod on that very node can answer",
            instead: "`strategy: nodePortRedirect`, or `mode: nftables`",
        },
        Some(KubeProxyMode::Iptables | KubeProxyMode::Nftables) if data_plane.cilium().is_some() => {
            Verdict::NotProven("the packets were counted without Cilium beside kube-proxy")
        }
        Some(KubeProxyMode::Iptables | KubeProxyMode::Nftables) | None => Verdict::Works,
    }
}

/// Whether clients reach an address that Cilium hands out this way.
#[must_use]
pub fn cilium_load_balancer(announce: Announce, data_plane: DataPlane) -> Verdict {
    match (data_plane, announce) {
        (DataPlane::Cilium(_), _) => Verdict::Works,
        (DataPlane::CiliumBeside(..), Announce::L2) => Verdict::Refused {
            reason: "Cilium announces by layer 2 only what it serves itself, in kube-proxy's place",
            instead: "`kubeProxyReplacement: true`, or `strategy: metalLB`",
        },
        (DataPlane::CiliumBeside(..), Announce::Bgp | Announce::Node) => {
            Verdict::NotProven("kube-proxy would have to serve the address that Cilium gives the Service")
        }
        (DataPlane::KubeProxy(_), _) => Verdict::Refused {
            reason: "the spec names no Cilium that could hand out the address",
            instead: "`strategy: metalLB`",
        },
    }
}

/// Whether clients reach a port of the node that is mapped to a pod.
#[must_use]
pub fn host_port(data_plane: DataPlane) -> Verdict {
    match data_plane {
        _ if data_plane.kube_proxy() == Some(KubeProxyMode::Ipvs) => Verdict::Refused {
            reason: "IPVS makes the address of every Service local to every node, and the mapping takes their connections too",
            instead: "`strategy: nodePortRedirect` or `hostNetwork`, or move to `mode: nftables`",
        },
        DataPlane::CiliumBeside(..) => {
            Verdict::NotProven("the plugin portmap, chained behind Cilium, has to map the ports")
        }
        DataPlane::Cilium(_) | DataPlane::KubeProxy(_) => Verdict::Works,
    }
}
