//! What is known of the ways to expose a gateway, as data: what works where, what each way means, what has an end date.
//!
//! Rules, commands, pages and the generated README read these tables; the packet lab holds them against packets.

mod cells;
mod deprecations;
mod form;
mod meaning;
mod terms;

pub use cells::{Plane, Verdict, cell, verdict};
pub use deprecations::{DEPRECATIONS, Deprecation, Feature, Since, deprecation};
pub use form::Form;
pub use meaning::{Meaning, NodeFiles, SourceKept, meaning};
pub use terms::{TERMS, Term};
