//! The tables without a cluster: every form on every data plane, what each means, what has an end date.

use serde_json::{Value, json};

use super::page::{Page, Part, markdown};
use crate::finding::listed;
use crate::grammar::Family;
use crate::plan::knowledge::{DEPRECATIONS, Deprecation, Form, Plane, Verdict, cell, meaning};

/// The page.
pub fn page() -> Page {
    let mut parts = vec![
        Part::Text(
            "`works` was seen with packets, IPv4 and IPv6 alike. `documented` is done by somebody else's software, as that says; no packets of ours went all the way. An address that somebody announces is brought to the node by a route: the announcement itself is MetalLB's or Cilium's. `not proven` follows from what works and was not tried. `refused` fails. The columns: three modes of kube-proxy, Cilium in its place, Cilium beside it."
                .to_owned(),
        ),
        matrix(Form::ALL),
        Part::Heading("Why not simply `works`".to_owned()),
    ];
    for form in Form::ALL {
        let points = reasons(form);
        if !points.is_empty() {
            parts.push(Part::Text(format!("{form}:")));
            parts.push(Part::List(points));
        }
    }
    parts.push(Part::Heading("What each means".to_owned()));
    for form in Form::ALL.into_iter().filter(|form| possible_somewhere(*form)) {
        parts.push(Part::Text(format!("{form}:")));
        parts.push(Part::Facts(facts(form)));
    }
    parts.extend(ends(|_| true));
    let forms: Vec<Value> = Form::ALL.into_iter().map(told).collect();
    let ends: Vec<Value> = DEPRECATIONS
        .iter()
        .map(|one| json!({"what": one.phrase(), "source": one.source, "plan": one.plan, "instead": one.instead}))
        .collect();
    Page { title: "Strategies".to_owned(), parts, json: json!({"forms": forms, "ends": ends}) }
}

/// What the tables add to a page.
pub fn supplement(topic: &str) -> String {
    let forms: Vec<Form> = Form::ALL.into_iter().filter(|form| form.strategy() == topic).collect();
    let mut parts = Vec::new();
    if !forms.is_empty() {
        parts.push(Part::Heading("On each data plane".to_owned()));
        parts.push(matrix(forms.iter().copied()));
    }
    for form in forms {
        parts.push(Part::Text(format!("{form}:")));
        parts.push(Part::List(reasons(form)));
        parts.push(Part::Facts(facts(form)));
    }
    parts.extend(ends(|one| one.topics.contains(&topic)));
    markdown(&parts)
}

/// What has an end date, where there is such a thing among those.
fn ends(among: impl Fn(&Deprecation) -> bool) -> Vec<Part> {
    let told: Vec<String> = DEPRECATIONS
        .iter()
        .filter(|one| among(one))
        .map(|one| format!("{}; {}", one.phrase(), one.way_out()))
        .collect();
    if told.is_empty() {
        return Vec::new();
    }
    vec![Part::Heading("What has an end date".to_owned()), Part::List(told)]
}

/// A row for each form.
fn matrix(forms: impl IntoIterator<Item = Form>) -> Part {
    let head = std::iter::once("strategy").chain(Plane::ALL.into_iter().map(Plane::short)).collect();
    let row = |form: Form| {
        let cells = Plane::ALL.into_iter().map(|plane| cell(form, plane, &[]).word().to_owned());
        std::iter::once(form.to_string()).chain(cells).collect()
    };
    Part::Table(head, forms.into_iter().map(row).collect())
}

/// What a form means, line by line.
pub fn facts(form: Form) -> Vec<(&'static str, String)> {
    meaning(form).lines().into_iter().map(|(label, value)| (label, value.to_owned())).collect()
}

fn possible_somewhere(form: Form) -> bool {
    Plane::ALL.into_iter().any(|plane| !matches!(cell(form, plane, &[]), Verdict::Refused { .. }))
}

/// Why cells are not simply `works`: data planes of one reason together.
fn reasons(form: Form) -> Vec<String> {
    let mut told: Vec<(String, Verdict, Vec<&str>)> = Vec::new();
    let mut say = |verdict: Verdict, place: &'static str, only: &str| match told
        .iter_mut()
        .find(|(there, one, _)| *one == verdict && there == only)
    {
        Some((.., places)) => places.push(place),
        None => told.push((only.to_owned(), verdict, vec![place])),
    };
    for plane in Plane::ALL {
        let both = cell(form, plane, &[]);
        say(both, plane.name(), "");
        for family in [Family::IPv4, Family::IPv6] {
            let alone = cell(form, plane, &[family]);
            if alone != both {
                say(alone, plane.name(), &format!(" in a cluster of {family} alone"));
            }
        }
    }
    let phrase = |(only, verdict, places): (String, Verdict, Vec<&str>)| {
        let reason = verdict.reason()?;
        let instead = match verdict {
            Verdict::Refused { instead, .. } => format!("; use {instead}"),
            _ => String::new(),
        };
        let places = listed(places).replace('`', "");
        Some(format!("{places}{only}: {}: {reason}{instead}", verdict.word()))
    };
    told.into_iter().filter_map(phrase).collect()
}

/// A form for programs.
fn told(form: Form) -> Value {
    let mut cells = serde_json::Map::new();
    for plane in Plane::ALL {
        let both = cell(form, plane, &[]);
        let mut known = verdict(both);
        for family in [Family::IPv4, Family::IPv6] {
            let alone = cell(form, plane, &[family]);
            if alone != both {
                known[format!("in{family}Alone")] = verdict(alone);
            }
        }
        cells.insert(plane.name().to_owned(), known);
    }
    json!({"strategy": form.strategy(), "form": form.choice(), "dataPlanes": cells, "means": means(form)})
}

/// A verdict for programs.
pub fn verdict(verdict: Verdict) -> Value {
    let instead = match verdict {
        Verdict::Refused { instead, .. } => Some(instead),
        _ => None,
    };
    json!({"verdict": verdict.word(), "reason": verdict.reason(), "instead": instead})
}

/// What a form means, for programs.
pub fn means(form: Form) -> Value {
    let lines = meaning(form).lines();
    Value::Object(lines.into_iter().map(|(label, value)| (label.to_owned(), json!(value))).collect())
}
