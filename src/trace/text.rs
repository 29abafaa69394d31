//! A trace for a terminal: a line a step, and how it ended.

use std::fmt::Write as _;

use super::{Ending, Hop, Seen, Trace, Verdict};
use crate::plan::protocol_word;

/// The lines of a trace.
#[must_use]
pub fn text(trace: &Trace) -> String {
    let mut text = format!("{}\n", title(trace));
    for note in &trace.notes {
        line(&mut text, &format!("note: {note}"));
    }
    let places: Vec<String> = trace.hops.iter().map(|hop| format!("{}, {}", hop.machine, place(hop))).collect();
    let width = places.iter().map(|place| place.chars().count()).max().unwrap_or(0);
    for (position, (hop, place)) in trace.hops.iter().zip(&places).enumerate() {
        let changed = if hop.changed.is_empty() { String::new() } else { format!("  ({})", hop.changed.join(", ")) };
        line(&mut text, &format!("{:>3}  {place:<width$}  {}: {}{changed}", position + 1, hop.owner, hop.matched));
    }
    line(&mut text, &last(trace));
    if let Some(page) = trace.ending.page.filter(|_| !trace.arrived()) {
        line(&mut text, &format!("read: portgen explain {page}"));
    }
    text
}

/// What is walked.
pub fn title(trace: &Trace) -> String {
    let flow = &trace.flow;
    let destination = std::net::SocketAddr::new(flow.destination, flow.port);
    format!("{} from {}, {}, to {destination}", protocol_word(flow.protocol), flow.sender, flow.source)
}

/// The hook of a step, with its priority.
pub fn place(hop: &Hop) -> String {
    match hop.priority {
        Some(priority) => format!("{} {priority}", hop.hook),
        None => hop.hook.to_owned(),
    }
}

/// How it ended, in one line.
fn last(trace: &Trace) -> String {
    let said = format!("{}: {}", outcome(&trace.ending), trace.ending.why);
    match &trace.wanted {
        Some(wanted) if !trace.arrived() && matches!(trace.ending.verdict, Verdict::Arrives { .. }) => {
            format!("{said}; that is not {wanted}")
        }
        _ => said,
    }
}

/// How it ended, without the reason.
pub fn outcome(ending: &Ending) -> String {
    match &ending.verdict {
        Verdict::Arrives { gateway, port, sees, source } => {
            format!("arrives at {gateway}, port {port}, which sees {} {source}", whose(*sees))
        }
        Verdict::Refused => "refused".to_owned(),
        Verdict::Dropped => "dropped, a timeout".to_owned(),
        Verdict::Reset => "reset".to_owned(),
        Verdict::Passes { sees } => format!("passes, and is seen as {}", whose(*sees)),
    }
}

fn whose(sees: Seen) -> &'static str {
    match sees {
        Seen::Client => "the client's address",
        Seen::Node => "a node's address",
        Seen::Pod => "a pod's address",
        Seen::Loopback => "the loopback's address",
        Seen::Balancer => "the load balancer's address",
        Seen::Asked => "the address that was asked,",
    }
}

fn line(text: &mut String, words: &str) {
    // A string takes everything.
    let _ = writeln!(text, "{words}");
}
