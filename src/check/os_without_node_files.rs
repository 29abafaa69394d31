//! Node files for a system that takes none.

use crate::finding::{Finding, Place, Rule, Severity};
use crate::plan::{Bind, Plan, Strategy};

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
            let help = match gateway.strategy {
                // A redirect is what Talos cannot be told; a sysctl it can.
                Strategy::HostNetwork { bind: Bind::Direct, .. } => {
                    "use `strategy: hostPort` or `metalLB`, or a pool with another system; the sysctl alone can stand in Talos' machine configuration, `portgen explain os-without-node-files` has the lines"
                }
                _ => "use `strategy: metalLB`, or a pool with another system; Talos' machine configuration filters packets but does not redirect them",
            };
            findings.push(
                Finding::new(
                    &RULE,
                    Place::Value(gateway.exposure("strategy")),
                    format!("`{}` needs files and units on the nodes of `{name}`, and {} takes none", gateway.strategy.name(), pool.os.name()),
                    help,
                )
                .also(Place::Value(pool.route.key("os")), "neither a writable /etc nor systemd units"),
            );
        }
    }
}
