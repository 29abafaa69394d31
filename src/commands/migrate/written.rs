//! The tree of a step, in place of the cluster's.

use camino::Utf8PathBuf;

use super::readme::with_readme;
use super::told::Told;
use crate::artifact::Artifacts;
use crate::cli;
use crate::commands::render::tell;
use crate::commands::{Failure, Streams};
use crate::disk::{self, WriteOptions};
use crate::finding::listed;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Writes the tree of a step over that of another one, and over no other tree: what else differs there would be
/// applied with the step, and no step tells of it.
pub fn step(told: &Told<'_>, step: usize, streams: &mut Streams<'_>) -> Result<(), Failure> {
    let steps = &told.migration.steps;
    let last = steps.len();
    if step > last {
        return Err(Failure::Usage(format!("there is no step {step}: the last one is {last}")));
    }
    let arguments = told.arguments;
    let mut trees = vec![told.migration.start.clone()];
    for (number, step) in (1..).zip(steps) {
        trees.push(with_readme(told, number, &step.tree)?);
    }
    if step > 0 && !arguments.force {
        let differing = trees.iter().map(|tree| differing(arguments, tree)).collect::<Result<Vec<_>, _>>()?;
        let nearest = (0..).zip(&differing).min_by_key(|(_, paths)| paths.len());
        if let Some((nearest, paths)) = nearest.filter(|(nearest, paths)| !paths.is_empty() && *nearest != step) {
            return Err(Failure::Usage(format!(
                "{} is not the tree of step {nearest}, nor of another one: {} would change with step {step}, and no step tells of it; first run `{}`, or pass --force",
                arguments.output.join(&told.migration.start.cluster),
                listed(paths),
                if nearest == 0 { told.render_command("") } else { told.write_command(nearest) },
            )));
        }
    }
    write(arguments, &trees[step], streams)?;
    writeln!(streams.err, "{}: the tree of step {step}", arguments.output.join(&told.migration.start.cluster))?;
    Ok(())
}

/// What keeps the tree that is there from being this one, beside what it says of itself; nothing where there is none.
fn differing(arguments: &cli::Migrate, tree: &Artifacts) -> Result<Vec<Utf8PathBuf>, Failure> {
    let plan = disk::plan_tree(&arguments.output, tree, VERSION)?;
    if plan.added.len() == tree.len() {
        return Ok(Vec::new());
    }
    let lists = [plan.added, plan.changed, plan.removed, plan.edited, plan.in_the_way, plan.kept];
    Ok(lists.into_iter().flatten().filter(|path| path != "README.md").collect())
}

/// Writes a tree.
pub fn write(arguments: &cli::Migrate, tree: &Artifacts, streams: &mut Streams<'_>) -> Result<(), Failure> {
    let report = disk::write_tree(&arguments.output, tree, VERSION, WriteOptions { force: arguments.force })?;
    tell(&report.plan, false, report.written, streams)
}
