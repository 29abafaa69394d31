//! `portgen explain`: pages, and specs with every default filled in.

use camino::Utf8PathBuf;

use super::{Failure, Streams, load};
use crate::cli::{self, Specs};
use crate::finding::{Rule, nearest};
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
    let topic = arguments.topic.as_deref().unwrap_or_default();
    let page = rules()
        .find(|rule| rule.name == topic)
        .map(|rule| rule.page)
        .or_else(|| plan::STRATEGY_PAGES.iter().find(|(name, _)| *name == topic).map(|(_, page)| *page));
    let Some(page) = page else {
        let known = rules().map(|rule| rule.name).chain(plan::STRATEGY_PAGES.iter().map(|(name, _)| *name));
        let hint = match nearest(topic, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "`portgen explain --list` names every page".to_owned(),
        };
        return Err(Failure::Usage(format!("there is no page called `{}`; {hint}", crate::finding::shown(topic))));
    };
    streams.out.write_all(page.as_bytes())?;
    Ok(0)
}

/// Every rule there is: those of reading, then those over a plan.
fn rules() -> impl Iterator<Item = &'static Rule> {
    input::rules::ALL.iter().copied().chain(check::rules())
}

fn list(streams: &mut Streams<'_>) -> Result<u8, Failure> {
    writeln!(streams.out, "strategies")?;
    for (name, page) in plan::STRATEGY_PAGES {
        writeln!(streams.out, "  {name:<38} {}", first_sentence(page))?;
    }
    writeln!(streams.out, "\nrules")?;
    for rule in rules() {
        writeln!(streams.out, "  {:<38} {:<8} {}", rule.name, rule.severity.as_str(), first_sentence(rule.page))?;
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
