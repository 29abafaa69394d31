//! What to run, and in which order: to apply a tree, to see that it works, to take it away.

mod apply;
pub mod commands;
pub mod on_node;
pub mod passwords;
mod remove;
pub mod requests;
mod verify;

pub use apply::apply;
pub use remove::remove;
pub use verify::verify;

use crate::plan::node::NodePlan;

/// The gateways that a node's files are for: elsewhere they shut node ports.
fn whose(node: &NodePlan) -> &'static str {
    if node.has_gateways() { "its gateways" } else { "the gateways of other pools" }
}
