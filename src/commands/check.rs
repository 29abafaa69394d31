//! `portgen check`: every rule, nothing written.

use super::{Failure, Streams, load};
use crate::cli;
use crate::finding::Severity;
use crate::report::{self, Report};

pub fn run(arguments: &cli::Check, streams: &mut Streams<'_>) -> Result<u8, Failure> {
    let loaded = load::load(&arguments.specs)?;
    let reports: Vec<Report<'_>> = loaded.iter().map(load::Loaded::report).collect();
    report::write(streams.out, arguments.format, &reports, streams.styled)?;
    let least = match arguments.deny {
        cli::Deny::Error => Severity::Error,
        cli::Deny::Warning => Severity::Warning,
    };
    Ok(u8::from(loaded.iter().flat_map(|spec| &spec.findings).any(|finding| finding.severity() >= least)))
}
