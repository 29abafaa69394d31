//! `portgen strategies`: what works where and what it costs, in general or for one cluster.

mod general;
mod judge;
mod page;
mod particular;
mod situation;
mod swap;

use super::{Failure, Streams, load};
use crate::cli::{self, Specs, TableFormat};
use crate::report::{self, Format};
use judge::Judged;
use page::Page;
use situation::Situation;

pub use general::supplement;

pub fn run(arguments: &cli::Strategies, streams: &mut Streams<'_>) -> Result<u8, Failure> {
    let Some(spec) = &arguments.spec else {
        return write(&[general::page()], arguments.format, streams);
    };
    let loaded = load::load(&Specs { specs: vec![spec.clone()], charts: arguments.charts.clone() })?;
    let mut pages = Vec::new();
    for one in &loaded {
        let (Some((spec, charts)), Some(plan), false) = (&one.spec, &one.plan, one.lost_parts) else {
            report::write(streams.out, Format::Text, &[one.report()], streams.styled)?;
            return Err(Failure::Usage("the spec cannot be read whole; mend the errors first".to_owned()));
        };
        for gateway in plan.gateways.values() {
            let situation = Situation::of(plan, gateway, arguments);
            let judged = Judged::all(spec, charts, plan, gateway, &situation);
            pages.push(particular::page(plan, gateway, &situation, &judged));
        }
    }
    write(&pages, arguments.format, streams)
}

fn write(pages: &[Page], format: TableFormat, streams: &mut Streams<'_>) -> Result<u8, Failure> {
    match format {
        TableFormat::Text => {
            let texts: Vec<String> = pages.iter().map(Page::text).collect();
            streams.out.write_all(texts.join("\n").as_bytes())?;
        }
        TableFormat::Markdown => {
            let texts: Vec<String> = pages.iter().map(Page::markdown).collect();
            streams.out.write_all(texts.join("\n").as_bytes())?;
        }
        TableFormat::Json => {
            let document = serde_json::json!({
                "version": 1,
                "portgen": env!("CARGO_PKG_VERSION"),
                "strategies": pages.iter().map(|page| &page.json).collect::<Vec<_>>(),
            });
            writeln!(streams.out, "{document:#}")?;
        }
    }
    Ok(0)
}
