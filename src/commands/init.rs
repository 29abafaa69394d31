//! `portgen init`: a commented spec to start from.

use std::io::BufRead;

use clap::ValueEnum;
use serde_json::json;

use super::{Failure, Streams};
use crate::chart::Charts;
use crate::cli::{self, InitDataPlane, InitStrategy};
use crate::finding::Severity;
use crate::grammar::DnsLabel;
use crate::source::Source;
use crate::{check, disk, input, output, plan};

pub fn run(arguments: &cli::Init, streams: &mut Streams<'_>) -> Result<u8, Failure> {
    let ask = streams.interactive && !arguments.defaults;
    let mut questions = Questions { ask, streams };
    let name = match &arguments.name {
        Some(name) => parse_name(name)?,
        None => questions
            .text("The cluster's name", "cluster-1", |text| text.parse::<DnsLabel>().map_err(|refusal| refusal.help))?,
    };
    let chart = if let Some(chart) = &arguments.chart {
        chart.clone()
    } else {
        let known = Charts::BUILT_IN;
        questions.text(&format!("The gateway's chart ({})", known.join(", ")), "kong", |text| {
            known.contains(&text).then(|| text.to_owned()).ok_or_else(|| format!("one of {}", known.join(", ")))
        })?
    };
    let data_plane = match arguments.data_plane {
        Some(data_plane) => data_plane,
        None => questions.choice("What turns a Service into packets", &InitDataPlane::Iptables)?,
    };
    let usual =
        if data_plane == InitDataPlane::Cilium { InitStrategy::HostNetwork } else { InitStrategy::NodePortRedirect };
    let strategy = match arguments.strategy {
        Some(strategy) => strategy,
        None => questions.choice("How clients reach the gateway", &usual)?,
    };
    let text = output::starter(&json!({
        "name": name,
        "chart": chart,
        "dataPlane": value_name(&data_plane),
        "strategy": value_name(&strategy),
    }))?;
    works(&text)?;
    disk::write_new_file(&arguments.file, &text)?;
    writeln!(streams.err, "wrote {file}; next: portgen check {file}", file = arguments.file)?;
    Ok(0)
}

/// Whether what was chosen goes together: the rules know.
fn works(text: &str) -> Result<(), Failure> {
    let source = Source { path: "portgen.yaml".to_owned(), text: text.to_owned() };
    let read = input::parse(source, &mut |_, _| Err("a starter extends nothing".to_owned()));
    let plan = read.spec.as_ref().map(|spec| plan::build(spec, &Charts::built_in(|_| true)));
    let found = plan.iter().flat_map(check::inspect).chain(read.findings);
    match found.into_iter().find(|finding| finding.severity() == Severity::Error) {
        Some(finding) => Err(Failure::Usage(format!(
            "nothing was written: {}; {} (see `portgen explain {}`)",
            finding.message, finding.help, finding.rule.name
        ))),
        None => Ok(()),
    }
}

fn parse_name(name: &str) -> Result<DnsLabel, Failure> {
    name.parse().map_err(|refusal: crate::grammar::Refusal| {
        Failure::Usage(format!("--name {}: {}", crate::finding::shown(name), refusal.help))
    })
}

fn value_name(value: &impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

struct Questions<'a, 'b> {
    ask: bool,
    streams: &'a mut Streams<'b>,
}

impl Questions<'_, '_> {
    /// Asks until the answer reads; takes the default where nobody can be asked.
    fn text<T>(
        &mut self,
        question: &str,
        default: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, Failure> {
        loop {
            let mut answer = String::new();
            if self.ask {
                write!(self.streams.err, "{question} [{default}]: ")?;
                self.streams.err.flush()?;
                if std::io::stdin().lock().read_line(&mut answer)? == 0 {
                    return Err(Failure::Usage("no answer; nothing was written".to_owned()));
                }
            }
            let answer = if answer.trim().is_empty() { default } else { answer.trim() };
            match read(answer) {
                Ok(value) => return Ok(value),
                Err(help) if self.ask => writeln!(self.streams.err, "  {help}")?,
                Err(help) => return Err(Failure::Usage(help)),
            }
        }
    }

    fn choice<T: ValueEnum>(&mut self, question: &str, default: &T) -> Result<T, Failure> {
        let names: Vec<String> = T::value_variants().iter().map(value_name).collect();
        let default = value_name(default);
        self.text(&format!("{question} ({})", names.join(", ")), &default, |text| {
            T::from_str(text, true).map_err(|_| format!("one of {}", names.join(", ")))
        })
    }
}
