//! A component of k3s that has to stay and takes ports or Services of a gateway.

use crate::finding::{Finding, Place, Route, Rule, Severity};
use crate::plan::{Distribution, K3sComponent, Plan};

pub static RULE: Rule = Rule {
    name: "k3s-component-fights",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("k3s_component_fights.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    let Some(Distribution::K3s { keep }) = &plan.cluster.distribution else { return };
    let stays = |component: K3sComponent| keep.iter().position(|kept| *kept == component);
    for (component, gateways) in plan.k3s_fights() {
        let Some(position) = stays(component) else { continue };
        // Without ServiceLB nobody brings Traefik's ports to the nodes.
        if component == K3sComponent::Traefik && plan.k3s_disables().contains(&K3sComponent::ServiceLb) {
            continue;
        }
        let place = Route::of(["cluster", "distribution", "keep"]).index(position);
        for gateway in gateways {
            let (message, help) = match component {
                K3sComponent::ServiceLb => (
                    format!("ServiceLB takes up the Service of `{}` as well, and both write its address", gateway.name),
                    "take `servicelb` out, so that portgen switches it off",
                ),
                K3sComponent::Traefik => (
                    format!("ServiceLB brings 80 and 443 of every node to Traefik, and `{}` wants them", gateway.name),
                    "take `traefik` out, so that portgen switches it off, or give the gateway other ports",
                ),
            };
            findings.push(
                Finding::new(&RULE, Place::Value(place.clone()), message, help)
                    .also(Place::Value(gateway.exposure("strategy")), "the gateway"),
            );
        }
    }
}
