//! The report as Markdown, for a comment on a pull request or a job summary.

use std::io;

use super::{Report, Tally, located};

pub fn write(sink: &mut dyn io::Write, reports: &[Report<'_>]) -> io::Result<()> {
    writeln!(sink, "**portgen: {}**", Tally::of(reports))?;
    let mut first = true;
    for located in located(reports) {
        if first {
            writeln!(sink, "\n| | where | what | instead |\n|---|---|---|---|")?;
            first = false;
        }
        let finding = located.finding;
        let weight = if finding.accepted.is_some() { "accepted" } else { finding.severity().as_str() };
        let instead = match &finding.accepted {
            Some(reason) => format!("accepted: {}", plain_cell(reason)),
            None => cell(&finding.help),
        };
        writeln!(
            sink,
            "| {weight} | `{}:{}:{}` | {} (`{}`) | {instead} |",
            located.location.path.replace(['`', '|'], "_"),
            located.location.line,
            located.location.column,
            cell(&finding.message),
            finding.rule.name,
        )?;
    }
    Ok(())
}

/// A text fit for one table cell: no column or line ends in it, and no markup but our own backticks.
pub fn cell(text: &str) -> String {
    let mut cell = String::with_capacity(text.len());
    let mut code = false;
    for c in text.chars() {
        match c {
            '`' => {
                code = !code;
                cell.push(c);
            }
            '|' => cell.push_str("\\|"),
            '\n' | '\r' => cell.push(' '),
            '<' | '>' | '*' | '_' | '[' | ']' | '\\' if !code => {
                cell.push('\\');
                cell.push(c);
            }
            other => cell.push(other),
        }
    }
    cell
}

/// Text that a user wrote, fit for one table cell: none of it is markup, backticks included.
pub fn plain_cell(text: &str) -> String {
    cell(&text.replace('`', "'"))
}
