//! What the table of forms and data planes refuses, for the rules that tell it.

use crate::plan::knowledge::{Form, Verdict, verdict};
use crate::plan::{Gateway, Plan};

/// Why the way a gateway is exposed fails on its data plane, and what to do; `None` where it does not.
pub fn refusal(plan: &Plan, gateway: &Gateway) -> Option<(&'static str, String)> {
    match verdict(Form::of(gateway), plan.cluster.data_plane, &plan.cluster.families) {
        Verdict::Refused { reason, instead } => Some((reason, format!("use {instead}"))),
        _ => None,
    }
}
