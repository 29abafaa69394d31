//! From text to a spec: YAML, bases, shape; everything wrong with them as findings.

pub mod config_map;
mod extends;
pub mod rules;
mod schema;
mod shape;
pub mod spec;

pub use extends::Loader;
pub use schema::{schema, to_text as schema_text};

use crate::finding::{Finding, Place};
use crate::source::{Fault, Files, Node, Source};
use spec::Spec;

/// What could be read of a spec, and what is wrong with it so far.
#[derive(Debug)]
pub struct Input {
    /// Every file that was read; the spec itself is the first.
    pub files: Files,
    /// The merged tree; `None` when there is no tree at all.
    pub root: Option<Node>,
    /// The spec, or as much of it as still makes sense beside the findings.
    pub spec: Option<Spec>,
    /// Faults of the text and of its shape.
    pub findings: Vec<Finding>,
}

/// Reads a spec; `loader` gives the text of the bases it extends.
pub fn parse(source: Source, loader: &mut Loader<'_>) -> Input {
    let mut files = Files::default();
    let mut findings = Vec::new();
    let mut root = extends::compose_with_bases(source, &mut files, loader, &mut findings);
    if let Some(finding) = root.as_ref().and_then(config_map::recognised) {
        return Input { files, root, spec: None, findings: vec![finding] };
    }
    let spec = root.as_mut().and_then(|root| shape::read(root, &files, &mut findings));
    Input { files, root, spec, findings }
}

/// A fault of the text as a finding.
fn text_finding(fault: Fault) -> Finding {
    let mut finding = Finding::new(
        rules::by_name(fault.rule),
        Place::Bytes(fault.span),
        fault.message,
        fault.help.unwrap_or_default(),
    );
    if let Some((span, label)) = fault.also {
        finding = finding.also(Place::Bytes(span), label);
    }
    finding
}
