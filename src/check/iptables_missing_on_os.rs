//! Limits per source, which iptables counts, on a system without iptables.

use crate::finding::{Finding, Place, Rule, Severity};
use crate::plan::Plan;

pub static RULE: Rule = Rule {
    name: "iptables-missing-on-os",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("iptables_missing_on_os.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    for gateway in plan.gateways.values().filter(|gateway| gateway.strategy.limits().is_some()) {
        for name in &gateway.pools {
            let pool = &plan.pools[name];
            // A system that takes no files at all is another rule's.
            if pool.os.has_iptables() || !pool.os.takes_files() {
                continue;
            }
            findings.push(
                Finding::new(
                    &RULE,
                    Place::Key(gateway.exposure("limits")),
                    format!("`limits` are counted by iptables, and {} has none", pool.os.name()),
                    "limit in the gateway itself and take `limits` out, or run it on a pool whose system has iptables; nftables counts per source only with dynamic sets, which crash the older nft inside kube-proxy's image",
                )
                .also(Place::Value(pool.route.key("os")), "no iptables here"),
            );
        }
    }
}
