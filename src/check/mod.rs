//! The rules over a plan: what cannot work, and what works at a cost nobody named.

mod claims;
mod verdicts;

pub use unused_accept::RULE as UNUSED_ACCEPT;

use crate::finding::{Finding, Place, Rule, Severity};
use crate::plan::Plan;

/// A rule and the function that finds what it is about.
struct Check {
    rule: &'static Rule,
    inspect: fn(&Plan, &mut Vec<Finding>),
}

/// Declares a module for each rule and the table of them all: one line here, the rule, its page.
macro_rules! checks {
    ($($name:ident,)*) => {
        $(mod $name;)*
        static CHECKS: &[Check] = &[$(Check { rule: &$name::RULE, inspect: $name::inspect }),*];
    };
}

checks! {
    aggregation_beyond_pool,
    allow_list_misses_family,
    announcer_without_pod,
    bfd_echo_refused,
    bgp_misses_family,
    bgp_multi_hop_inside,
    bgp_peers_differ,
    bgp_router_id,
    bgp_sessions_clash,
    bgp_without_sessions,
    chart_cannot_express,
    chart_version_unproven,
    cilium_address_unserved,
    cilium_gateway_unserved,
    cilium_too_old,
    cilium_value,
    cilium_version_unproven,
    cloud_cannot_serve,
    cloud_fields_contradict,
    container_not_restricted,
    deprecated_feature,
    direct_bind_elsewhere,
    excluded_from_load_balancers,
    external_ip_refused,
    external_ips_beside_ipvs,
    external_ips_miss_family,
    field_of_another_cloud,
    field_without_effect,
    host_network_in_restricted_namespace,
    host_port_beside_ipvs,
    host_port_unmapped,
    ignored_value,
    image_user,
    iptables_missing_on_os,
    ipvs_without_addresses,
    ipvs_without_strict_arp,
    k3s_component_fights,
    limits_beside_ipvs,
    load_balancer_ip_family,
    load_balancer_ip_outside_pool,
    local_under_cilium_l2,
    metallb_too_old,
    metallb_version_unproven,
    mode_not_available,
    more_replicas_than_nodes,
    namespace_weakened,
    node_count,
    node_ipam_selector,
    node_port_addresses,
    node_port_left_open,
    node_port_out_of_range,
    node_port_taken_twice,
    node_port_unset,
    node_without_listener,
    node_without_pod,
    os_without_node_files,
    pool_address_refused,
    pool_contains_node_address,
    pool_misses_family,
    pool_without_labels,
    pools_overlap,
    port_is_node_port,
    port_taken_twice,
    port_used_by_node,
    privileged_target_port,
    proxy_without_udp,
    redirect_under_cilium,
    release_name,
    replicas_reversed,
    rolling_update_deadlock,
    root_filesystem_written,
    root_user,
    same_nodes_in_two_pools,
    shared_address_apart,
    shared_address_refused,
    single_ip_family,
    single_node,
    single_replica,
    sync_periods,
    sync_periods_reversed,
    toleration_refused,
    unknown_name,
    unproven_combination,
    unreachable_mechanism,
    unused_accept,
    value_fights_strategy,
    wide_node_port_range,
}

/// Every rule over a plan, by name.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    CHECKS.iter().map(|check| check.rule)
}

/// Runs every rule, marks what was accepted, and orders the findings: errors first, then as the spec is read.
#[must_use]
pub fn inspect(plan: &Plan) -> Vec<Finding> {
    let mut findings = Vec::new();
    for check in CHECKS {
        (check.inspect)(plan, &mut findings);
    }
    unused_accept::apply(plan, &mut findings);
    findings.sort_by(|a, b| {
        b.severity()
            .cmp(&a.severity())
            .then_with(|| route_of(a).cmp(&route_of(b)))
            .then_with(|| a.rule.name.cmp(b.rule.name))
    });
    findings
}

fn route_of(finding: &Finding) -> Option<&crate::finding::Route> {
    match &finding.place {
        Place::Value(route) | Place::Key(route) => Some(route),
        Place::Bytes(_) => None,
    }
}

/// Whether any finding keeps a tree from being rendered.
#[must_use]
pub fn refused(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.severity() == Severity::Error)
}
