//! The JSON Schema of a spec, draft-07, as editors read it.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::spec::Spec;

/// The schema as a value.
#[must_use]
pub fn schema() -> Value {
    SchemaSettings::draft07().into_generator().into_root_schema_for::<Spec>().to_value()
}

/// The schema as the file in `schemas/`: two spaces, one newline at the end.
///
/// # Panics
/// Never: a JSON value always prints.
#[must_use]
pub fn to_text() -> String {
    let mut text = serde_json::to_string_pretty(&schema()).expect("a JSON value prints");
    text.push('\n');
    text
}
