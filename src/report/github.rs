//! The report as GitHub's workflow commands, which annotate *Files changed*.

use std::io;

use super::{Report, located};
use crate::finding::Severity;

pub fn write(sink: &mut dyn io::Write, reports: &[Report<'_>]) -> io::Result<()> {
    for located in located(reports) {
        let finding = located.finding;
        let command = match finding.severity() {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "notice",
        };
        let text = match &finding.accepted {
            Some(reason) => format!("{} (accepted: {reason})", finding.message),
            None if finding.help.is_empty() => finding.message.clone(),
            None => format!("{}\n{}", finding.message, finding.help),
        };
        let at = &located.location;
        write!(sink, "::{command} file={},line={},endLine={}", property(at.path), at.line, at.end_line)?;
        // GitHub takes columns only for places within one line.
        if at.line == at.end_line {
            write!(sink, ",col={},endColumn={}", at.column, at.end_column)?;
        }
        writeln!(sink, ",title={}::{}", property(finding.rule.name), data(&text))?;
    }
    Ok(())
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
