//! Cilium itself: its own gateway, and its Helm values by version: which keys are gone and which are not there yet.

mod top;
mod values;

pub use top::{Stranger, stranger};
pub use values::needed;

use crate::finding::Route;
use crate::grammar::{CiliumVersion, DnsLabel, Port};
use crate::input::spec::{CiliumGateway, CiliumGatewayApi};

/// The newest minor version that is known here.
pub const NEWEST: u16 = 20;

/// A key of the chart that not every version has.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its dotted path; everything below it is meant too.
    pub path: &'static str,
    /// The first minor version that reads it; all known ones when absent.
    pub since: Option<u16>,
    /// The first minor version that no longer does; none so far when absent.
    pub until: Option<u16>,
    /// Whether the chart then refuses to render instead of ignoring it.
    pub fails: bool,
    /// What to write instead.
    pub instead: &'static str,
}

const fn added(path: &'static str, since: u16, instead: &'static str) -> Key {
    Key { path, since: Some(since), until: None, fails: false, instead }
}

const fn gone(path: &'static str, until: u16, instead: &'static str) -> Key {
    Key { path, since: None, until: Some(until), fails: false, instead }
}

const fn rejected(path: &'static str, until: u16, instead: &'static str) -> Key {
    Key { path, since: None, until: Some(until), fails: true, instead }
}

const REPLACEMENT: &str = "take it out: `kubeProxyReplacement: true` brings it";

/// Keys that came or went between 1.14 and the newest known version. Those that its chart rejects without a version
/// of their own were ignored or read before.
pub const KEYS: &[Key] = &[
    gone("bgp", 17, "use `announce: bgp` of `ciliumLoadBalancer`, which needs `bgpControlPlane`"),
    added("defaultLBServiceIPAM", 17, "take it out: LB IPAM serves such Services until then"),
    added("enableLBIPAM", 17, "take it out: LB IPAM is always on until then"),
    gone("enableRuntimeDeviceDetection", 18, "take it out: it is always on"),
    added("envoy.securityContext.capabilities.keepCapNetBindService", 16, "let Envoy listen above 1023"),
    gone("externalIPs.enabled", 17, REPLACEMENT),
    gone("externalWorkloads", 18, "take it out: the feature was removed"),
    added("gatewayAPI.hostNetwork", 16, "upgrade Cilium, or expose its gateways by a Service"),
    gone("hostPort.enabled", 18, REPLACEMENT),
    added("ingressController.hostNetwork", 16, "upgrade Cilium, or expose its ingress by a Service"),
    added("ingressController.hostNetwork.httpPort", 20, "use `sharedListenerPort`"),
    added("ingressController.hostNetwork.httpsPort", 20, "use `sharedListenerPort`"),
    added("ingressController.hostNetwork.tlsPassthroughPort", 20, "use `sharedListenerPort`"),
    gone("l2NeighDiscovery.refreshPeriod", 18, "take it out: the kernel keeps the neighbours fresh"),
    gone("l2podAnnouncements.interface", 19, "write `l2podAnnouncements.interfacePattern`"),
    gone("loadBalancer.experimental", 18, "take it out: it is the only way now"),
    added("nodeIPAM", 16, "use another `announce`"),
    added("nodePort.addresses", 16, "take it out, or choose `devices`"),
    gone("nodePort.enabled", 19, REPLACEMENT),
    gone("svcSourceRangeCheck", 19, "take it out: source ranges are always checked"),
    rejected("tunnel", 15, "write `routingMode` and `tunnelProtocol`"),
    rejected("ciliumEndpointSlice.sliceMode", NEWEST, "take it out"),
    rejected("containerRuntime.integration", NEWEST, "take it out"),
    rejected("enableCiliumEndpointSlice", NEWEST, "write `ciliumEndpointSlice.enabled`"),
    rejected("enableCnpStatusUpdates", NEWEST, "take it out"),
    rejected("enableK8sEventHandover", NEWEST, "take it out"),
    rejected("encryption.interface", NEWEST, "write `encryption.ipsec.interface`"),
    rejected("encryption.keyFile", NEWEST, "write `encryption.ipsec.keyFile`"),
    rejected("encryption.mountPath", NEWEST, "write `encryption.ipsec.mountPath`"),
    rejected("encryption.secretName", NEWEST, "write `encryption.ipsec.secretName`"),
    rejected("endpointStatus", NEWEST, "take it out"),
    rejected("etcd.managed", NEWEST, "take it out: Cilium manages no etcd"),
    rejected("proxy.prometheus", NEWEST, "write `envoy.prometheus`"),
    rejected("remoteNodeIdentity", NEWEST, "take it out: it is always on"),
];

/// What is wrong with a key in a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The version does not have it yet.
    NotYet(u16),
    /// The version ignores it.
    Ignored(u16),
    /// The version's chart refuses to render with it.
    Rejected,
}

/// What keeps a dotted path from having an effect in a version, and what to write instead.
#[must_use]
pub fn fault(path: &str, version: CiliumVersion) -> Option<(Fault, &'static str)> {
    let below = |key: &&Key| path.strip_prefix(key.path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    KEYS.iter().filter(below).find_map(|key| {
        let fault = match (key.since, key.until) {
            (Some(since), _) if !version.at_least(since) => Fault::NotYet(since),
            (_, Some(until)) if version.at_least(until) && key.fails => Fault::Rejected,
            (_, Some(until)) if version.at_least(until) => Fault::Ignored(until),
            _ => return None,
        };
        Some((fault, key.instead))
    })
}

/// Cilium's own gateway: its Envoy in the nodes' network namespace.
#[derive(Debug, Clone)]
pub struct OwnGateway {
    /// What configures its routes.
    pub api: CiliumGatewayApi,
    /// The port for plain HTTP, if any.
    pub http: Option<Port>,
    /// The port for TLS, if any.
    pub https: Option<Port>,
    /// The pool whose nodes listen; every node when absent.
    pub pool: Option<DnsLabel>,
}

impl OwnGateway {
    /// With every default filled in.
    #[must_use]
    pub fn resolve(written: &CiliumGateway) -> Self {
        let (http, https) = match (written.http, written.https) {
            (None, None) => (Port::new(80), Port::new(443)),
            said => said,
        };
        Self { api: written.api.unwrap_or(CiliumGatewayApi::GatewayApi), http, https, pool: written.node_pool.clone() }
    }

    /// Its ports, by the field that names them.
    pub fn ports(&self) -> impl Iterator<Item = (&'static str, Port)> {
        [("http", self.http), ("https", self.https)].into_iter().filter_map(|(field, port)| Some((field, port?)))
    }

    /// Where it was written.
    #[must_use]
    pub fn route() -> Route {
        Route::of(["cluster", "serviceProxy", "gateway"])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_by_version_and_by_whole_words() {
        let fault = |path: &str, version: &str| super::fault(path, version.parse().unwrap()).map(|(fault, _)| fault);
        assert_eq!(fault("nodePort.enabled", "1.18"), None);
        assert_eq!(fault("nodePort.enabled", "1.19"), Some(Fault::Ignored(19)));
        assert_eq!(fault("bgp.announce.loadbalancerIP", "1.17"), Some(Fault::Ignored(17)));
        assert_eq!(fault("bgpControlPlane.enabled", "1.17"), None);
        assert_eq!(fault("tunnel", "1.15"), Some(Fault::Rejected));
        assert_eq!(fault("l2podAnnouncements.interfacePattern", "1.20"), None);
        assert_eq!(fault("gatewayAPI.hostNetwork.enabled", "1.15"), Some(Fault::NotYet(16)));
    }
}
