//! Node files for a system that takes none.

use crate::finding::{Finding, Place, Rule, Severity};
use crate::plan::Plan;

pub static RULE: Rule = Rule {
    name: "os-without-node-files",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("os_without_node_files.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    for (name, node) in &plan.nodes {
        let pool = &plan.pools[name];
        if pool.os.takes_files() {
            continue;
        }
        for gateway in plan.gateways.values().filter(|gateway| node.doors.iter().any(|door| door.gateway == gateway.name)) {
            findings.push(
                Finding::new(
                    &RULE,
                    Place::Value(gateway.exposure("strategy")),
                    format!("`{}` needs files and units on the nodes of `{name}`, and {} takes none", gateway.strategy.name(), pool.os.name()),
                    "use `strategy: metalLB`, or a pool with another system; Talos' machine configuration filters packets but does not redirect them",
                )
                .also(Place::Value(pool.route.key("os")), "neither a writable /etc nor systemd units"),
            );
        }
    }
}
