//! The Secrets with the passwords of BGP sessions: a spec names them, and only the operator has what is in them.

use std::collections::BTreeSet;

use crate::grammar::DnsLabel;
use crate::output::metallb;
use crate::plan::{Announce, Plan};

/// Where Cilium looks unless its values say otherwise.
pub const CILIUM: &str = "kube-system";

/// The Secrets that the sessions of MetalLB or of Cilium name.
pub fn secrets<'a>(plan: &'a Plan, announcer: &str) -> BTreeSet<&'a DnsLabel> {
    let sessions = plan.ways().filter_map(|gateway| {
        let (announced, by) = gateway.strategy.announced()?;
        announced.bgp.as_ref().filter(|_| by == announcer && announced.how == Announce::Bgp)
    });
    sessions.flat_map(|bgp| bgp.peers.values()).filter_map(|peer| peer.password_secret.as_ref()).collect()
}

/// The namespace that they are looked for in.
pub fn namespace(plan: &Plan, announcer: &str) -> String {
    if announcer == "MetalLB" {
        return metallb::NAMESPACE.to_owned();
    }
    let told = plan
        .cluster
        .cilium_values
        .get("bgpControlPlane")
        .and_then(|values| values["secretsNamespace"]["name"].as_str());
    told.and_then(|name| name.parse::<DnsLabel>().ok()).map_or_else(|| CILIUM.to_owned(), |name| name.to_string())
}

/// The command that asks for a password and keeps it.
pub fn created(plan: &Plan, announcer: &str, secret: &DnsLabel) -> String {
    let kind = if announcer == "MetalLB" { " --type=kubernetes.io/basic-auth" } else { "" };
    let namespace = namespace(plan, announcer);
    format!(
        "(stty -echo; IFS= read -r PASSWORD; stty echo; printf %s \"$PASSWORD\") | kubectl -n {namespace} create secret generic {secret}{kind} --from-file=password=/dev/stdin"
    )
}

/// The commands that ask for the passwords which the one tree names and the other does not.
pub fn added(from: &Plan, to: &Plan, announcer: &str) -> Vec<String> {
    let known = secrets(from, announcer);
    let namespace = namespace(to, announcer);
    let new = secrets(to, announcer).into_iter().filter(|secret| !known.contains(secret));
    new.flat_map(|secret| {
        [
            format!("# the password of the BGP sessions that name {secret}, where that Secret is not there yet: type it and press Enter, nothing shows it"),
            format!(
                "kubectl -n {namespace} get secret {secret} >/dev/null 2>&1 || {}",
                created(to, announcer, secret)
            ),
        ]
    })
    .collect()
}
