//! What works on which data plane, in which IP families: one cell for each form and data plane.

use super::super::{DataPlane, KubeProxyMode};
use super::form::Form;
use crate::grammar::Family;

/// What turns a Service into packets, as far as a form's way differs by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Plane {
    /// kube-proxy's iptables mode.
    Iptables,
    /// kube-proxy's nftables mode.
    Nftables,
    /// kube-proxy's IPVS mode.
    Ipvs,
    /// Cilium in kube-proxy's place.
    Cilium,
    /// Cilium beside a kube-proxy.
    CiliumBeside,
}

impl Plane {
    /// Every data plane, in the order of columns.
    pub const ALL: [Self; 5] = [Self::Iptables, Self::Nftables, Self::Ipvs, Self::Cilium, Self::CiliumBeside];

    /// Its name on pages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Iptables => "kube-proxy iptables",
            Self::Nftables => "kube-proxy nftables",
            Self::Ipvs => "kube-proxy IPVS",
            Self::Cilium => "Cilium replacing kube-proxy",
            Self::CiliumBeside => "Cilium beside kube-proxy",
        }
    }

    /// The head of a narrow column.
    #[must_use]
    pub fn short(self) -> &'static str {
        match self {
            Self::Iptables => "iptables",
            Self::Nftables => "nftables",
            Self::Ipvs => "IPVS",
            Self::Cilium => "Cilium",
            Self::CiliumBeside => "beside",
        }
    }
}

impl From<KubeProxyMode> for Plane {
    fn from(mode: KubeProxyMode) -> Self {
        match mode {
            KubeProxyMode::Iptables => Self::Iptables,
            KubeProxyMode::Nftables => Self::Nftables,
            KubeProxyMode::Ipvs => Self::Ipvs,
        }
    }
}

/// Whether a form works on a data plane, and how that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The packet lab sent packets, and they came.
    Works,
    /// Somebody else's software does it, and says so; how far packets of the lab go.
    Documented(&'static str),
    /// Follows from what is proven, but was not tried on this very combination.
    NotProven(&'static str),
    /// Fails.
    Refused {
        /// What happens to a packet.
        reason: &'static str,
        /// What to write instead.
        instead: &'static str,
    },
}

impl Verdict {
    /// The word in tables.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Works => "works",
            Self::Documented(_) => "documented",
            Self::NotProven(_) => "not proven",
            Self::Refused { .. } => "refused",
        }
    }

    /// Why it is not simply `works`.
    #[must_use]
    pub fn reason(self) -> Option<&'static str> {
        match self {
            Self::Works => None,
            Self::Documented(reason) | Self::NotProven(reason) | Self::Refused { reason, .. } => Some(reason),
        }
    }
}

use Verdict::{Documented, NotProven, Refused, Works};

const BEYOND_NETFILTER: Verdict = Refused {
    reason: "Cilium serves node ports before netfilter sees the packet, so a port that netfilter rewrites reaches nobody",
    instead: "`strategy: hostNetwork`, or an address of its own with `strategy: ciliumLoadBalancer` or `metalLB`",
};
const NAT_IS_FINAL: Verdict = Refused {
    reason: "nothing listens on the node port, and the NAT verdict is final, so kube-proxy never sees the connection: it is refused",
    instead: "`mechanism: portRewrite`, the default: it changes the port before kube-proxy's NAT looks at it",
};
const NOT_MASQUERADED: Verdict = Refused {
    reason: "the connection is not masqueraded, so only a pod on that very node can answer",
    instead: "`mechanism: portRewrite`, the default: it changes the port before kube-proxy's NAT looks at it",
};
const NOT_ON_LOCALHOST: Verdict = Refused {
    reason: "kube-proxy serves node ports on 127.0.0.1, the one address a proxy on every node can name, in its iptables mode only",
    instead: "`mechanism: portRewrite`, the default",
};
const NOT_ON_LOCALHOST_V6: Verdict = Refused {
    reason: "kube-proxy serves no node port on ::1, the one IPv6 address a proxy on every node can name",
    instead: "`mechanism: portRewrite`, the default",
};
const CLAIMED_BESIDE_IPVS: Verdict = Refused {
    reason: "kube-proxy binds the addresses of a Service on every node, so nodes that are named there no longer reach each other",
    instead: "`strategy: nodePortRedirect`, or `mode: nftables`",
};
const NO_CILIUM: Verdict =
    Refused { reason: "the spec names no Cilium that could hand out the address", instead: "`strategy: metalLB`" };
const L2_NEEDS_REPLACEMENT: Verdict = Refused {
    reason: "Cilium announces by layer 2 only what it serves itself, in kube-proxy's place",
    instead: "`kubeProxyReplacement: true`, or `strategy: metalLB`",
};
const BESIDE: Verdict =
    NotProven("kube-proxy serves the node ports here, but the packets were counted without Cilium beside it");
const PROCESS_BESIDE: Verdict = NotProven("the packets were counted without Cilium beside kube-proxy");
const PROXY_BY_ITSELF_BESIDE: Verdict =
    Documented("kube-proxy serves it without any help of a node file; no packets were sent with Cilium beside it");
const PLUGIN_BEHIND_CILIUM: Verdict = NotProven("the plugin portmap, chained behind Cilium, has to map the ports");
const CILIUM_BESIDE: Verdict = NotProven("kube-proxy would have to serve the address that Cilium gives the Service");
const CLOUD: Verdict =
    Documented("the cloud makes the load balancer; from the node on the packets are those of `metalLB` by layer 2");

/// The table: a row for each form, its cells in the order of [`Plane::ALL`].
const CELLS: [(Form, [Verdict; 5]); 16] = [
    (Form::PortRewrite, [Works, Works, Works, BEYOND_NETFILTER, BESIDE]),
    (Form::SocketProxy, [Works, NOT_ON_LOCALHOST, NOT_ON_LOCALHOST, BEYOND_NETFILTER, BESIDE]),
    (Form::NatRedirect, [NAT_IS_FINAL, NAT_IS_FINAL, NOT_MASQUERADED, BEYOND_NETFILTER, NAT_IS_FINAL]),
    (Form::NodePort, [Works, Works, Works, Works, PROXY_BY_ITSELF_BESIDE]),
    (Form::NodePortInRange, [Works, Works, Works, Works, PROXY_BY_ITSELF_BESIDE]),
    (Form::HostNetworkRedirect, [Works, Works, Works, Works, PROCESS_BESIDE]),
    (Form::HostNetworkDirect, [Works, Works, Works, Works, PROCESS_BESIDE]),
    (Form::HostPort, [Works, Works, Works, Works, PLUGIN_BEHIND_CILIUM]),
    (Form::MetalLbL2, [Works, Works, Works, Works, PROXY_BY_ITSELF_BESIDE]),
    (Form::MetalLbBgp, [Works, Works, Works, Works, PROXY_BY_ITSELF_BESIDE]),
    (Form::CiliumL2, [NO_CILIUM, NO_CILIUM, NO_CILIUM, Works, L2_NEEDS_REPLACEMENT]),
    (Form::CiliumBgp, [NO_CILIUM, NO_CILIUM, NO_CILIUM, Works, CILIUM_BESIDE]),
    (Form::CiliumNode, [NO_CILIUM, NO_CILIUM, NO_CILIUM, Works, CILIUM_BESIDE]),
    (Form::CloudLoadBalancer, [CLOUD, CLOUD, CLOUD, CLOUD, CLOUD]),
    (Form::ExternalIpsSpec, [Works, Works, CLAIMED_BESIDE_IPVS, Works, PROCESS_BESIDE]),
    (Form::ExternalIpsStatus, [Works, Works, CLAIMED_BESIDE_IPVS, Works, PROCESS_BESIDE]),
];

/// Cells that differ in a cluster of this one family; everywhere else IPv4, IPv6 and both are alike.
const ONE_FAMILY: [(Form, Plane, Family, Verdict); 2] = [
    (Form::SocketProxy, Plane::Iptables, Family::IPv6, NOT_ON_LOCALHOST_V6),
    (Form::SocketProxy, Plane::CiliumBeside, Family::IPv6, NOT_ON_LOCALHOST_V6),
];

/// The cell of a form on a data plane in a cluster of these families.
///
/// # Panics
/// Never: every form has its row.
#[must_use]
pub fn cell(form: Form, plane: Plane, families: &[Family]) -> Verdict {
    if let [family] = families
        && let Some((.., verdict)) = ONE_FAMILY.iter().find(|one| (one.0, one.1, one.2) == (form, plane, *family))
    {
        return *verdict;
    }
    let row = CELLS.iter().find(|(one, _)| *one == form);
    row.map_or_else(|| unreachable!("every form has its row"), |(_, cells)| cells[plane as usize])
}

/// What a form meets in a cluster: beside Cilium, what kube-proxy's own mode cannot do stays refused.
#[must_use]
pub fn verdict(form: Form, data_plane: DataPlane, families: &[Family]) -> Verdict {
    match data_plane {
        DataPlane::KubeProxy(mode) => cell(form, mode.into(), families),
        DataPlane::Cilium(_) => cell(form, Plane::Cilium, families),
        DataPlane::CiliumBeside(_, mode) => match cell(form, mode.into(), families) {
            // There is a Cilium after all.
            Refused { .. } if form.strategy() != "ciliumLoadBalancer" => cell(form, mode.into(), families),
            _ => cell(form, Plane::CiliumBeside, families),
        },
    }
}
