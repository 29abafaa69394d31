//! The words of the field, each with a page that a newcomer learns from.

/// A word and its page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term {
    /// Its name, as the field writes it.
    pub name: &'static str,
    /// What else it is called.
    pub aliases: &'static [&'static str],
    /// The page, Markdown.
    pub page: &'static str,
}

impl Term {
    /// Whether somebody who typed this meant the term: capitals, blanks and hyphens do not count.
    #[must_use]
    pub fn is_called(&self, word: &str) -> bool {
        let word = plain(word);
        plain(self.name) == word || self.aliases.iter().any(|alias| plain(alias) == word)
    }
}

fn plain(word: &str) -> String {
    word.chars().filter(|c| !matches!(c, ' ' | '-' | '_' | '/')).flat_map(char::to_lowercase).collect()
}

/// Declares the table: a name, its page, its aliases.
macro_rules! terms {
    ($($name:literal $file:literal [$($alias:literal),*],)*) => {
        /// Every word, by name.
        pub const TERMS: &[Term] = &[
            $(Term { name: $name, aliases: &[$($alias),*], page: include_str!(concat!("terms/", $file)) }),*
        ];
    };
}

terms! {
    "BGP" "bgp.md" ["border gateway protocol", "ASN", "peer"],
    "ClusterIP" "cluster_ip.md" ["cluster address", "Service address", "VIP"],
    "connection-refused-or-timeout" "refused_or_timeout.md" ["connection refused", "refused", "timeout", "RST", "reset"],
    "conntrack" "conntrack.md" ["connection tracking", "nf_conntrack"],
    "DNAT" "dnat.md" ["destination NAT", "NAT", "REDIRECT"],
    "ECMP" "ecmp.md" ["equal-cost multipath", "multipath"],
    "externalTrafficPolicy" "external_traffic_policy.md" ["eTP", "traffic policy", "Local", "healthCheckNodePort"],
    "hairpin" "hairpin.md" ["hairpin NAT", "NAT loopback"],
    "iptables-mode" "iptables_mode.md" ["iptables", "kube-proxy iptables", "KUBE-SERVICES"],
    "IPVS" "ipvs.md" ["ipvs mode", "kube-proxy ipvs", "kube-ipvs0"],
    "kube-proxy" "kube_proxy.md" ["service proxy", "data plane"],
    "kube-proxy-replacement" "kube_proxy_replacement.md" ["kubeProxyReplacement", "KPR", "Cilium"],
    "layer-2-announcement" "layer_2.md" ["ARP", "NDP", "gratuitous ARP", "GARP", "L2", "l2 announcement", "layer 2"],
    "loadBalancerClass" "load_balancer_class.md" ["load balancer class"],
    "loadBalancerSourceRanges" "load_balancer_source_ranges.md" ["source ranges", "allow-list"],
    "local-cluster" "local_cluster.md" ["kind", "k3s", "distribution"],
    "localhost" "localhost.md" ["127.0.0.1", "::1", "loopback", "route_localnet", "localhostNodePorts"],
    "low-ports" "low_ports.md" ["ip_unprivileged_port_start", "ip-unprivileged-port-start", "privileged port", "hostNetwork sysctl", "NET_BIND_SERVICE", "CAP_NET_BIND_SERVICE"],
    "masquerade" "masquerade.md" ["SNAT", "source NAT", "KUBE-MARK-MASQ"],
    "nftables-mode" "nftables_mode.md" ["nftables", "kube-proxy nftables", "nft"],
    "NodePort" "node_port.md" ["node ports", "nodePortRange", "service-node-port-range", "nodePortAddresses"],
    "path-mtu" "path_mtu.md" ["MTU", "PMTU", "packet too big", "fragmentation needed"],
    "pod-security" "pod_security.md" ["PSS", "PSA", "Pod Security Standards", "Pod Security Admission", "restricted", "baseline", "privileged"],
    "proxy-protocol" "proxy_protocol.md" ["PROXY protocol", "PROXY"],
    "sessionAffinity" "session_affinity.md" ["session affinity", "ClientIP", "sticky sessions"],
    "strictARP" "strict_arp.md" ["strict ARP", "arp_ignore", "arp_announce"],
}
