//! `portgen explain`: pages, and specs with every default filled in.

use camino::Utf8PathBuf;

use super::{Failure, Streams, load, strategies};
use crate::cli::{self, Specs};
use crate::finding::{Rule, nearest};
use crate::plan::knowledge::TERMS;
use crate::report::{self, Format};
use crate::{check, input, output, plan};

pub fn run(arguments: &cli::Explain, streams: &mut Streams<'_>) -> Result<u8, Failure> {
    if arguments.list {
        return list(streams);
    }
    if arguments.resolved {
        let spec = arguments.topic.as_deref().unwrap_or("portgen.yaml");
        return resolved(spec, arguments.charts.clone(), streams);
    }
    let asked = arguments.topic.as_deref().unwrap_or_default();
    let Some(topic) = find(asked) else {
        let known = topics().flat_map(|topic| std::iter::once(topic.name).chain(topic.aliases.iter().copied()));
        let hint = match nearest(asked, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "`portgen explain --list` names every page".to_owned(),
        };
        return Err(Failure::Usage(format!("there is no page called `{}`; {hint}", crate::finding::shown(asked))));
    };
    streams.out.write_all(topic.page.as_bytes())?;
    streams.out.write_all(strategies::supplement(topic.name).as_bytes())?;
    for other in topics().filter(|other| other.kind != topic.kind && other.name.eq_ignore_ascii_case(topic.name)) {
        writeln!(streams.out, "\nSee also the {0}: `portgen explain {0}/{1}`", other.kind.word(), other.name)?;
    }
    Ok(0)
}

/// A page and what it is called.
struct Topic {
    kind: Kind,
    name: &'static str,
    aliases: &'static [&'static str],
    page: &'static str,
    severity: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Strategy,
    Term,
    Rule,
}

impl Kind {
    /// What stands before a name that is given more than once.
    fn word(self) -> &'static str {
        match self {
            Self::Strategy => "strategy",
            Self::Term => "term",
            Self::Rule => "rule",
        }
    }
}

/// Every page: strategies, words of the field, rules.
fn topics() -> impl Iterator<Item = Topic> {
    let topic = |kind, name, aliases, page, severity| Topic { kind, name, aliases, page, severity };
    let strategies =
        plan::STRATEGY_PAGES.iter().map(move |(name, page)| topic(Kind::Strategy, *name, mechanisms(name), *page, ""));
    let terms = TERMS.iter().map(move |term| topic(Kind::Term, term.name, term.aliases, term.page, ""));
    let rules = rules().map(move |rule| topic(Kind::Rule, rule.name, &[][..], rule.page, rule.severity.as_str()));
    strategies.chain(terms).chain(rules)
}

/// What a strategy's own choices are called, where a table prints a word that nothing else is called.
fn mechanisms(strategy: &str) -> &'static [&'static str] {
    match strategy {
        "nodePortRedirect" => &["portRewrite", "socketProxy", "natRedirect"],
        _ => &[],
    }
}

/// The page that somebody who typed this means: the exact name first, then whatever a word is also called.
fn find(asked: &str) -> Option<Topic> {
    let (kind, name) = match asked.split_once('/') {
        Some((kind, name)) => (Some(kind), name),
        None => (None, asked),
    };
    let of_kind = || topics().filter(|topic| kind.is_none_or(|kind| topic.kind.word() == kind));
    let called = |topic: &Topic| {
        TERMS.iter().any(|term| topic.kind == Kind::Term && term.name == topic.name && term.is_called(name))
            || topic.kind == Kind::Strategy && topic.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(name))
    };
    of_kind()
        .find(|topic| topic.name == name)
        .or_else(|| of_kind().find(|topic| topic.name.eq_ignore_ascii_case(name)))
        .or_else(|| of_kind().find(called))
}

/// Every rule there is: those of reading, then those over a plan.
fn rules() -> impl Iterator<Item = &'static Rule> {
    input::rules::ALL.iter().copied().chain(check::rules())
}

fn list(streams: &mut Streams<'_>) -> Result<u8, Failure> {
    for (position, kind) in [Kind::Strategy, Kind::Term, Kind::Rule].into_iter().enumerate() {
        let heading = ["strategies", "words of the field", "rules"][position];
        writeln!(streams.out, "{}{heading}", if position > 0 { "\n" } else { "" })?;
        for topic in topics().filter(|topic| topic.kind == kind) {
            let severity = if kind == Kind::Rule { format!("{:<8} ", topic.severity) } else { String::new() };
            writeln!(streams.out, "  {:<38} {severity}{}", topic.name, first_sentence(topic.page))?;
        }
    }
    Ok(0)
}

fn first_sentence(page: &str) -> &str {
    page.lines().find(|line| !line.is_empty() && !line.starts_with('#')).unwrap_or_default()
}

fn resolved(spec: &str, charts: Option<Utf8PathBuf>, streams: &mut Streams<'_>) -> Result<u8, Failure> {
    let loaded = load::load(&Specs { specs: vec![spec.into()], charts })?;
    for (position, spec) in loaded.iter().enumerate() {
        let Some(plan) = spec.plan.as_ref().filter(|_| !spec.lost_parts) else {
            report::write(streams.out, Format::Text, &[spec.report()], streams.styled)?;
            return Err(Failure::Usage("the spec cannot be read whole; mend the errors first".to_owned()));
        };
        if position > 0 {
            writeln!(streams.out, "---")?;
        }
        let text = output::to_yaml(&output::resolved(plan))
            .map_err(|reason| output::Fault { path: "the resolved spec".to_owned(), reason })?;
        streams.out.write_all(text.as_bytes())?;
    }
    Ok(0)
}
