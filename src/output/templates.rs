//! minijinja, set up once: YAML templates print JSON, text templates print numbers and single lines only.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::ValueKind;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Output, State, UndefinedBehavior, Value};
use serde::Serialize;

/// Renders a template. Its name decides what it may print: `….yaml.j2` or a text.
///
/// # Errors
/// What minijinja says: a fault of the template, never of a spec.
pub fn render(name: &str, template: &str, context: impl Serialize) -> Result<String, Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let syntax = SyntaxConfig::builder().keep_trailing_newline(true).trim_blocks(true).lstrip_blocks(true).build()?;
    environment.set_syntax(syntax);
    // Enough for a large gateway a thousand times over; a template that loops ends.
    environment.set_fuel(Some(5_000_000));
    environment.set_auto_escape_callback(
        |name| {
            if name.ends_with(".yaml.j2") { AutoEscape::Json } else { AutoEscape::None }
        },
    );
    environment.set_formatter(format);
    environment.render_named_str(name, template, Value::from(minijinja::value::Serde(context)))
}

fn format(output: &mut Output, state: &mut State, value: &Value) -> Result<(), Error> {
    if *state.auto_escape() == AutoEscape::Json {
        return minijinja::escape_formatter(output, state, value);
    }
    // `True`, `None`, a map or a second line is never what a text was meant to say.
    match value.kind() {
        ValueKind::Number => {}
        ValueKind::String if value.as_str().is_some_and(|text| !text.chars().any(crate::grammar::is_unprintable)) => {}
        kind => {
            return Err(Error::new(
                ErrorKind::InvalidOperation,
                format!("a text template cannot print a {kind} or several lines"),
            ));
        }
    }
    write!(output, "{value}").map_err(|_| Error::new(ErrorKind::WriteFailure, "cannot write"))
}
