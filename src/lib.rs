//! portgen: one spec in, a tree of Helm values, manifests and node files out.
//!
//! The way through the house: a [`source`] is parsed by [`input`] into a spec, [`plan`] fills in every default,
//! [`check`] finds what cannot work, [`output`] renders the rest, [`trace`] walks a packet through what was rendered, and
//! only [`disk`] touches files. A room uses only
//! the rooms below it; `tests/architecture.rs` holds it to that.

pub mod artifact;
pub mod chart;
pub mod check;
pub mod cli;
pub mod commands;
pub mod compare;
pub mod disk;
pub mod finding;
pub mod grammar;
pub mod input;
pub mod migrate;
pub mod output;
pub mod plan;
pub mod report;
pub mod source;
pub mod trace;
