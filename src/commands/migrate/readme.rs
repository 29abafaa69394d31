//! The README of a tree in between: what it is, what to run, and what comes next.

use super::told::Told;
use crate::artifact::{Artifact, Artifacts};
use crate::commands::Failure;
use crate::output;

/// The tree after a step, counted from 1, with a README of its own where it is none that a spec renders.
pub fn with_readme(told: &Told<'_>, number: usize, tree: &Artifacts) -> Result<Artifacts, Failure> {
    let mut tree = tree.clone();
    if tree.get("README.md").is_none() {
        let text = text(told, number)?;
        let route = "metadata.name".to_owned();
        tree.insert(Artifact { path: "README.md".into(), text, route })
            .map_err(|reason| output::Fault { path: "README.md".to_owned(), reason: reason.to_string() })?;
    }
    Ok(tree)
}

fn text(told: &Told<'_>, number: usize) -> Result<String, Failure> {
    let steps = &told.migration.steps;
    let step = &steps[number - 1];
    let next = match steps.get(number) {
        Some(next) => format!("Then comes step {}: {}.", number + 1, next.what),
        None => String::new(),
    };
    Ok(format!(
        "# Cluster {}, on its way: step {number} of {}

Written by portgen {}: `{}`

No spec renders this tree. It stands between two, while gateway {} goes from `{}` to `{}`; `portgen render` would write the
tree before the first step. The command above without `--step` tells every step. Commands run where portgen ran.

{next}

## {}
{}",
        told.migration.start.cluster,
        steps.len(),
        env!("CARGO_PKG_VERSION"),
        told.write_command(number),
        told.migration.gateway,
        told.migration.from,
        told.migration.to,
        step.what,
        told.step_markdown(number, step)?,
    ))
}
