//! A trace for programs: an object whose shape docs/trace.md describes.

use serde_json::{Value, json};

use super::{Hop, Seen, Trace, Verdict};
use crate::plan::protocol_word;

/// The object of a trace.
#[must_use]
pub fn json(trace: &Trace) -> Value {
    let flow = &trace.flow;
    let (verdict, gateway, port, sees, source) = match &trace.ending.verdict {
        Verdict::Arrives { gateway, port, sees, source } => {
            ("arrives", Some(gateway.to_string()), Some(*port), Some(*sees), Some(*source))
        }
        Verdict::Refused => ("refused", None, None, None, None),
        Verdict::Dropped => ("dropped", None, None, None, None),
        Verdict::Reset => ("reset", None, None, None, None),
        Verdict::Passes { sees } => ("passes", None, None, Some(*sees), None),
    };
    json!({
        "protocol": protocol_word(flow.protocol),
        "from": {"who": flow.sender, "address": flow.source},
        "to": {"address": flow.destination, "port": flow.port},
        "notes": trace.notes,
        "hops": trace.hops.iter().map(hop).collect::<Vec<_>>(),
        "verdict": verdict,
        "arrived": trace.arrived(),
        "gateway": gateway,
        "port": port,
        "sees": sees.map(whose),
        "source": source,
        "why": trace.ending.why,
        "page": trace.ending.page,
    })
}

fn hop(hop: &Hop) -> Value {
    json!({
        "machine": hop.machine,
        "hook": hop.hook,
        "priority": hop.priority,
        "owner": hop.owner,
        "matched": hop.matched,
        "changed": hop.changed,
    })
}

fn whose(sees: Seen) -> &'static str {
    match sees {
        Seen::Client => "client",
        Seen::Node => "node",
        Seen::Pod => "pod",
        Seen::Loopback => "loopback",
        Seen::Balancer => "loadBalancer",
        Seen::Asked => "asked",
    }
}
