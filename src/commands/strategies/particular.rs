//! The page of one gateway: every form on its cluster, what stands in the way, what it costs, and which fits.

use serde_json::{Value, json};

use super::general;
use super::judge::Judged;
use super::page::{Page, Part};
use super::situation::Situation;
use crate::plan::knowledge::{Form, SourceKept, meaning};
use crate::plan::{Gateway, Plan, TrafficPolicy};

/// The page.
pub fn page(plan: &Plan, gateway: &Gateway, situation: &Situation, judged: &[Judged]) -> Page {
    let best = Judged::best(judged, situation);
    let mut parts = vec![
        Part::Text(cluster(plan, gateway)),
        Part::Text(format!("Taken for granted: {}.", situation.phrases().join("; "))),
    ];
    let rows = judged.iter().map(|one| {
        let mark = match (one.now, best.is_some_and(|best| best.form == one.form)) {
            (true, true) => "now, and fits best",
            (true, false) => "now",
            (false, true) => "fits best",
            (false, false) => "",
        };
        let count = |list: &[String]| match list.len() {
            _ if one.barred.is_some() => String::new(),
            0 => "–".to_owned(),
            count => count.to_string(),
        };
        vec![one.form.to_string(), one.word().to_owned(), count(&one.unmet), count(&one.costs), mark.to_owned()]
    });
    parts.push(Part::Table(vec!["strategy", "here", "unmet", "costs", ""], rows.collect()));
    parts.push(Part::Text(
        "`possible`: no rule objects. `after a change`: a rule does, and says what to change. `not proven`: a warning to accept with a reason. `no`: nothing in the spec helps. unmet: what is taken for granted and it does not give, or needs and is not there."
            .to_owned(),
    ));
    match best {
        Some(best) => {
            parts.push(Part::Heading(format!("Fits best: {}", best.form)));
            parts.push(Part::List(reasons(best, gateway, situation)));
            parts.push(Part::Facts(general::facts(best.form)));
        }
        None => parts.push(Part::Heading("Nothing fits".to_owned())),
    }
    parts.push(Part::Heading("What stands in the way, and what it costs".to_owned()));
    for one in judged {
        let points = points(one);
        if !points.is_empty() {
            parts.push(Part::Text(format!("{}: {}", one.form, one.word())));
            parts.push(Part::List(points));
        }
    }
    let title = format!("{}: how clients may reach {}", plan.name, gateway.name);
    Page { title, parts, json: told(plan, gateway, situation, judged, best) }
}

/// The cluster in a sentence.
fn cluster(plan: &Plan, gateway: &Gateway) -> String {
    let families: Vec<String> = plan.cluster.families.iter().map(ToString::to_string).collect();
    let pools: Vec<String> = gateway
        .pools
        .iter()
        .map(|name| {
            let pool = &plan.pools[name];
            let count = match pool.nodes() {
                Some(1) => "1 node".to_owned(),
                Some(count) => format!("{count} nodes"),
                None => "nodes".to_owned(),
            };
            let addresses = if pool.addresses.is_empty() { "addresses not named" } else { "addresses named" };
            format!("{count} of {name} ({}, {addresses})", pool.os.name())
        })
        .collect();
    format!(
        "Kubernetes {}, {}, {}; {}; Pod Security {}.",
        plan.cluster.version,
        plan.cluster.data_plane,
        families.join(" and "),
        pools.join(", "),
        plan.cluster.pod_security.as_str()
    )
}

/// Why a form fits, and what it still takes.
fn reasons(best: &Judged, gateway: &Gateway, situation: &Situation) -> Vec<String> {
    let meaning = meaning(best.form);
    let mut reasons = vec![match best.verdict.reason() {
        None => "it was proven with packets on this data plane".to_owned(),
        Some(reason) => format!("{}: {reason}", best.verdict.word()),
    }];
    if best.form != Form::NodePort {
        reasons.push(format!("clients use {}", ports(gateway)));
    }
    if situation.source_address {
        reasons.push(match meaning.source {
            SourceKept::WithLocal if gateway.needs.policy != Some(TrafficPolicy::Local) => {
                "the gateway sees the client's address once `externalTrafficPolicy: Local` is set".to_owned()
            }
            source => format!("the gateway sees: {}", source.words()),
        });
    }
    if !situation.downtime && meaning.seamless_update {
        reasons.push("no node pauses during an update".to_owned());
    }
    if meaning.one_pod_per_node {
        reasons.push("the namespace has to be privileged, and a node holds one pod".to_owned());
    } else {
        reasons.push("the pods pass Pod Security restricted".to_owned());
    }
    reasons.extend(best.unmet.iter().map(|unmet| format!("and yet: {unmet}")));
    reasons.extend(best.costs.iter().map(|cost| format!("at a cost: {cost}")));
    reasons.extend(best.changes.iter().map(|change| format!("first: {}; {}", change.message, change.help)));
    reasons
}

fn ports(gateway: &Gateway) -> String {
    let ports: std::collections::BTreeSet<_> = gateway.ports.values().map(|port| port.port).collect();
    ports.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ")
}

/// What is to be said of a form beside its word.
fn points(one: &Judged) -> Vec<String> {
    if let Some(barred) = &one.barred {
        return vec![barred.clone()];
    }
    let changes = one.changes.iter().map(|change| {
        let rule = change.rule.map(|rule| format!(" ({rule})")).unwrap_or_default();
        format!("first{rule}: {}; {}", change.message, change.help)
    });
    let unmet = one.unmet.iter().map(|unmet| format!("unmet: {unmet}"));
    changes.chain(unmet).chain(one.costs.iter().map(|cost| format!("costs: {cost}"))).collect()
}

/// The page for programs.
fn told(plan: &Plan, gateway: &Gateway, situation: &Situation, judged: &[Judged], best: Option<&Judged>) -> Value {
    let name = |form: Form| json!({"strategy": form.strategy(), "form": form.choice()});
    let forms: Vec<Value> = judged
        .iter()
        .map(|one| {
            let changes: Vec<Value> = one
                .changes
                .iter()
                .map(|change| json!({"rule": change.rule, "message": change.message, "help": change.help}))
                .collect();
            json!({
                "strategy": one.form.strategy(),
                "form": one.form.choice(),
                "here": one.word(),
                "now": one.now,
                "known": general::verdict(one.verdict),
                "barred": one.barred,
                "changes": changes,
                "unmet": one.unmet,
                "costs": one.costs,
                "means": general::means(one.form),
            })
        })
        .collect();
    json!({
        "cluster": plan.name,
        "gateway": gateway.name,
        "dataPlane": plan.cluster.data_plane.to_string(),
        "situation": situation.told(),
        "best": best.map(|best| name(best.form)),
        "forms": forms,
    })
}
