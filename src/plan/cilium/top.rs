//! The first words of the chart's keys: what a mistyped one was meant to be.

use super::{KEYS, NEWEST};
use crate::grammar::CiliumVersion;

/// The first words of every key of the newest known version.
#[rustfmt::skip]
const TOP: &[&str] = &[
    "MTU", "affinity", "agent", "agentNotReadyTaintKey", "aksbyocni", "alibabacloud", "annotateK8sNode",
    "annotations", "apiRateLimit", "authentication", "autoDirectNodeRoutes", "azure", "bandwidthManager",
    "bgpControlPlane", "bpf", "bpfClockProbe", "certgen", "cgroup", "ciliumEndpointSlice", "cleanBpfState",
    "cleanState", "cluster", "clustermesh", "cni", "commonLabels", "configDriftDetection",
    "connectivityProbeFrequencyRatio", "conntrackGCInterval", "conntrackGCMaxInterval", "crdWaitTimeout", "daemon",
    "dashboards", "datapathPlugins", "debug", "defaultLBServiceIPAM", "devices", "directRoutingSkipUnreachable",
    "disableEndpointCRD", "dnsPolicy", "dnsProxy", "egressGateway", "enableCriticalPriorityClass", "enableIPv4BIGTCP",
    "enableIPv4Masquerade", "enableIPv6BIGTCP", "enableIPv6Masquerade", "enableInternalTrafficPolicy", "enableLBIPAM",
    "enableMasqueradeRouteSource", "enableNoServiceEndpointsRoutable", "enableNonDefaultDenyPolicies",
    "enableXTSocketFallback", "encryption", "endpointHealthChecking", "endpointLockdownOnMapOverflow",
    "endpointPolicyUpdateTimeoutDuration", "endpointRoutes", "eni", "envoy", "envoyConfig", "etcd", "extraArgs",
    "extraConfig", "extraContainers", "extraEnv", "extraHostPathMounts", "extraInitContainers", "extraVolumeMounts",
    "extraVolumes", "forceDeviceDetection", "gatewayAPI", "gke", "global", "healthCheckICMPFailureThreshold",
    "healthChecking", "healthPort", "hostFirewall", "hubble", "identityAllocationMode", "identityChangeGracePeriod",
    "identityManagementMode", "image", "imagePullSecrets", "ingressController", "initResources",
    "installNoConntrackIptablesRules", "ipMasqAgent", "ipam", "iptablesRandomFully", "ipv4", "ipv4NativeRoutingCIDR",
    "ipv6", "ipv6NativeRoutingCIDR", "k8s", "k8sClientExponentialBackoff", "k8sClientRateLimit",
    "k8sClusterNetworkPolicy", "k8sNetworkPolicy", "k8sServiceHost", "k8sServiceHostRef",
    "k8sServiceLookupConfigMapName", "k8sServiceLookupNamespace", "k8sServicePort", "keepDeprecatedLabels",
    "keepDeprecatedProbes", "kubeConfigPath", "kubeProxyReplacement", "kubeProxyReplacementHealthzBindAddr",
    "l2NeighDiscovery", "l2announcements", "l2podAnnouncements", "l7Proxy", "livenessProbe", "loadBalancer",
    "localRedirectPolicies", "localRedirectPolicy", "logSystemLoad", "maglev", "minReadySeconds", "monitor", "name",
    "namespaceOverride", "nat", "nat46x64Gateway", "nativeRoutingCIDRFromClusterPool", "nodeIPAM", "nodePort",
    "nodeSelector", "nodeSelectorLabels", "nodeinit", "operator", "pmtuDiscovery", "podAnnotations", "podLabels",
    "podSecurityContext", "policyCIDRMatchMode", "policyDenyResponse", "policyEnforcementMode", "pprof", "preferIpv6",
    "preflight", "priorityClassName", "prometheus", "rbac", "readinessProbe", "resourceQuotas", "resources",
    "rollOutCiliumPods", "routingMode", "scheduling", "sctp", "secretsNamespaceAnnotations", "secretsNamespaceLabels",
    "securityContext", "serviceAccounts", "serviceNoBackendResponse", "sleepAfterInit", "socketLB",
    "standaloneDnsProxy", "startupProbe", "synchronizeK8sNodes", "sysctlfix", "terminationGracePeriodSeconds", "tls",
    "tmpVolume", "tolerations", "tunnelPort", "tunnelProtocol", "tunnelSourcePortRange", "underlayProtocol",
    "updateStrategy", "upgradeCompatibility", "vtep", "waitForKubeProxy", "wellKnownIdentities",
];

/// What is wrong with a key's first word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stranger {
    /// It is another word but for its case or one letter.
    Near(&'static str),
    /// The version's chart has no such word.
    Unknown,
}

/// What is wrong with the first word of a dotted path, as far as that is known of the version.
#[must_use]
pub fn stranger(path: &str, version: CiliumVersion) -> Option<Stranger> {
    let word = path.split('.').next().unwrap_or(path);
    let versioned = KEYS.iter().any(|key| key.path.split('.').next() == Some(word));
    if versioned || TOP.contains(&word) {
        return None;
    }
    let near = |known: &&&str| known.eq_ignore_ascii_case(word) || strsim::damerau_levenshtein(known, word) == 1;
    match TOP.iter().find(near) {
        Some(known) => Some(Stranger::Near(known)),
        // Of other versions not every word is known.
        None => (version.at_least(NEWEST) && !version.at_least(NEWEST + 1)).then_some(Stranger::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_near_known_or_unknown() {
        let stranger = |path: &str, version: &str| super::stranger(path, version.parse().unwrap());
        assert_eq!(stranger("kubeproxyreplacement", "1.14"), Some(Stranger::Near("kubeProxyReplacement")));
        assert_eq!(stranger("ipvv4.enabled", "1.18"), Some(Stranger::Near("ipv4")));
        // One letter from another word, and a word of its own in older versions.
        assert_eq!(stranger("bgp.enabled", "1.16"), None);
        assert_eq!(stranger("eni.enabled", "1.20"), None);
        assert_eq!(stranger("foo", "1.20"), Some(Stranger::Unknown));
        assert_eq!(stranger("foo", "1.19"), None);
    }
}
