//! What a gateway asks of Cilium and this version does not have yet.

use crate::finding::{Finding, Place, Route, Rule, Severity};
use crate::grammar::Family;
use crate::plan::{Announce, CiliumGatewayApi, Gateway, OwnGateway, Plan, Strategy};

pub static RULE: Rule = Rule {
    name: "cilium-too-old",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("cilium_too_old.md"),
};

/// What a gateway asks of Cilium, the first minor version that has it, and what to do before that.
struct Asked {
    field: &'static str,
    what: &'static str,
    since: u16,
    instead: &'static str,
}

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    let Some(version) = plan.cluster.data_plane.cilium() else { return };
    let of_gateways = plan.gateways.values().map(|gateway| (gateway.route.key("exposure"), asked(plan, gateway)));
    let own = plan.cluster.own_gateway.iter().map(|gateway| (OwnGateway::route(), asked_of_own(gateway)));
    for (route, all) in of_gateways.chain(own) {
        let Some(asked) = all.into_iter().find(|asked| !version.at_least(asked.since)) else { continue };
        findings.push(
            Finding::new(
                &RULE,
                Place::Value(route.key(asked.field)),
                format!("Cilium {version} has no {}, which came with 1.{}", asked.what, asked.since),
                format!("upgrade Cilium, or {}", asked.instead),
            )
            .also(Place::Value(Route::of(["cluster", "serviceProxy", "version"])), "the version"),
        );
    }
}

fn asked(plan: &Plan, gateway: &Gateway) -> Vec<Asked> {
    let Strategy::CiliumLoadBalancer { announced, .. } = &gateway.strategy else { return Vec::new() };
    match announced.how {
        Announce::L2 => {
            let mut asked = vec![Asked {
                field: "strategy",
                what: "class of its layer 2 announcer for a Service",
                since: 15,
                instead: "use `strategy: metalLB`",
            }];
            if plan.cluster.families.contains(&Family::IPv6) {
                asked.push(Asked {
                    field: "announce",
                    what: "neighbour discovery for announced IPv6 addresses",
                    since: 19,
                    instead: "use `announce: bgp`, `strategy: metalLB`, or `ipFamilies: [IPv4]`",
                });
            }
            asked
        }
        Announce::Bgp => vec![Asked {
            field: "announce",
            what: "CiliumBGPClusterConfig",
            since: 16,
            instead: "use `strategy: metalLB` with `mode: bgp`; the CiliumBGPPeeringPolicy of its time was removed in 1.19 and is not written",
        }],
        Announce::Node => vec![Asked {
            field: "announce",
            what: "node IPAM",
            since: 16,
            instead: "use `strategy: hostNetwork`, or addresses of its own with `announce: l2`",
        }],
    }
}

fn asked_of_own(gateway: &OwnGateway) -> Vec<Asked> {
    let mut asked = vec![Asked {
        field: "api",
        what: "gateway of its own in the nodes' network namespace",
        since: 16,
        instead: "use a gateway with `strategy: hostNetwork`",
    }];
    if gateway.api == CiliumGatewayApi::Ingress && gateway.http.is_some() && gateway.https.is_some() && gateway.http != gateway.https {
        asked.push(Asked {
            field: "https",
            what: "second port for its ingress in the nodes' network namespace",
            since: 20,
            instead: "keep one of the two, or use `api: gatewayAPI`",
        });
    }
    asked
}
