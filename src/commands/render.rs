//! `portgen render`: the trees of all specs, each whole or not at all.

use super::{Failure, Streams, load};
use crate::artifact::Artifacts;
use crate::cli;
use crate::disk::{self, WriteOptions};
use crate::finding::Severity;
use crate::output;
use crate::report::{self, Report};

pub fn run(arguments: &cli::Render, streams: &mut Streams<'_>) -> Result<u8, Failure> {
    let loaded = load::load(&arguments.specs)?;
    let refused = loaded.iter().any(load::Loaded::refused);
    let reports: Vec<Report<'_>> = loaded.iter().map(load::Loaded::report).collect();
    // Whoever renders wants to hear of what costs something; notes stand in the tree's README.
    let worth = |report: &Report<'_>| report.findings.iter().any(|finding| finding.severity() >= Severity::Warning);
    if refused || arguments.format != report::Format::Text || reports.iter().any(worth) {
        report::write(streams.out, arguments.format, &reports, streams.styled)?;
    }
    if refused {
        writeln!(streams.err, "nothing was written: mend the errors first")?;
        return Ok(1);
    }
    let mut trees: Vec<Artifacts> = Vec::new();
    for spec in &loaded {
        if let Some(plan) = &spec.plan {
            trees.push(output::render(plan, &spec.findings)?);
        }
    }
    let mut stale = false;
    for tree in &trees {
        let version = env!("CARGO_PKG_VERSION");
        let (plan, written) = if arguments.check {
            (disk::plan_tree(&arguments.output, tree, version)?, false)
        } else {
            let report = disk::write_tree(&arguments.output, tree, version, WriteOptions { force: arguments.force })?;
            (report.plan, report.written)
        };
        stale |= arguments.check && !plan.is_current();
        tell(&plan, arguments.check, written, streams)?;
    }
    Ok(u8::from(stale))
}

/// What was done or would be done to a tree.
pub fn tell(plan: &disk::Plan, check: bool, written: bool, streams: &mut Streams<'_>) -> Result<(), Failure> {
    let target = &plan.target;
    if plan.is_current() {
        writeln!(streams.err, "{target}: up to date, {} files", plan.unchanged.len())?;
    } else if check {
        let lists = [
            ("missing", &plan.added),
            ("stale", &plan.changed),
            ("left over", &plan.removed),
            ("edited by hand", &plan.edited),
            ("not portgen's", &plan.in_the_way),
        ];
        for (word, paths) in lists {
            for path in paths {
                writeln!(streams.out, "{word}: {}", target.join(path))?;
            }
        }
        if plan.lock_changed && plan.added.is_empty() && plan.changed.is_empty() && plan.removed.is_empty() {
            writeln!(streams.out, "stale: {}", target.join(crate::artifact::LOCK_NAME))?;
        }
    } else if written {
        let counts = [
            ("added", plan.added.len()),
            ("changed", plan.changed.len()),
            ("removed", plan.removed.len()),
            ("unchanged", plan.unchanged.len()),
            ("overwritten", plan.edited.len() + plan.in_the_way.len()),
        ];
        let counts: Vec<String> =
            counts.into_iter().filter(|(_, count)| *count > 0).map(|(word, count)| format!("{count} {word}")).collect();
        writeln!(streams.err, "{target}: {}", counts.join(", "))?;
    }
    for path in &plan.kept {
        writeln!(streams.err, "kept: {} is no longer part of the tree, but was edited by hand", target.join(path))?;
    }
    for path in &plan.foreign {
        writeln!(streams.err, "kept: {} is not portgen's", target.join(path))?;
    }
    Ok(())
}
