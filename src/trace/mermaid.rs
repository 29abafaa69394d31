//! A trace as a Mermaid flowchart: hooks, owners and changes, never a rule's text, which may hold any quotes.

use super::Trace;
use super::text::{outcome, place};

/// The flowchart of a trace.
#[must_use]
pub fn mermaid(trace: &Trace) -> String {
    let mut lines = vec!["flowchart TD".to_owned(), format!("  start([\"{}\"])", super::text::title(trace))];
    let mut before = "start".to_owned();
    for (position, hop) in trace.hops.iter().enumerate() {
        let name = format!("hop{}", position + 1);
        let words = [format!("{}, {}", hop.machine, place(hop)), hop.owner.clone()];
        let words = words.into_iter().chain(hop.changed.iter().cloned()).collect::<Vec<_>>().join("<br>");
        lines.push(format!("  {name}[\"{words}\"]"));
        lines.push(format!("  {before} --> {name}"));
        before = name;
    }
    lines.push(format!("  ended([\"{}\"])", outcome(&trace.ending)));
    lines.push(format!("  {before} --> ended"));
    lines.join("\n") + "\n"
}
