//! The JSON Schema: committed, valid, and of one mind with serde.

mod common;

use std::fmt::Write as _;

use common::{golden, root};

#[test]
fn the_committed_schema_is_the_one_the_types_give() {
    golden(&root().join("schemas/portgen.schema.json"), &portgen::input::schema_text());
}

#[test]
fn the_schema_is_draft_07_and_compiles() {
    let schema = portgen::input::schema();
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
    jsonschema::draft7::meta::validate(&schema).unwrap();
    jsonschema::draft7::new(&schema).unwrap();
}

/// An editor must not call right what portgen calls wrong, nor the other way round.
#[test]
fn the_schema_takes_every_example() {
    let schema = portgen::input::schema();
    let validator = jsonschema::draft7::new(&schema).unwrap();
    for example in common::EXAMPLES {
        let text = std::fs::read_to_string(root().join("examples").join(example).join("portgen.yaml")).unwrap();
        let json = portgen::source::compose(&text, portgen::source::FileId(0)).unwrap().to_json();
        let errors: Vec<String> =
            validator.iter_errors(&json).map(|error| format!("{} at {}", error, error.instance_path())).collect();
        assert!(errors.is_empty(), "{example}: {errors:?}");
    }
}

/// Hovers and completions come from descriptions: every field has one.
#[test]
fn every_field_is_described() {
    fn walk(path: &str, schema: &serde_json::Value, missing: &mut Vec<String>) {
        if let Some(properties) = schema.get("properties").and_then(serde_json::Value::as_object) {
            for (name, property) in properties {
                let referred = property.get("$ref").is_some()
                    || property.get("allOf").is_some()
                    || property.get("const").is_some();
                if property.get("description").is_none() && !referred {
                    missing.push(format!("{path}.{name}"));
                }
            }
        }
        match schema {
            serde_json::Value::Object(map) => {
                map.iter().for_each(|(key, value)| walk(&format!("{path}/{key}"), value, missing));
            }
            serde_json::Value::Array(items) => items.iter().for_each(|value| walk(path, value, missing)),
            _ => {}
        }
    }
    let mut missing = Vec::new();
    walk("", &portgen::input::schema(), &mut missing);
    assert!(missing.is_empty(), "{missing:?}");
}

/// `docs/spec.md`: every field, from the schema.
#[test]
fn the_list_of_fields_is_the_schema() {
    let schema = portgen::input::schema();
    let mut text = String::from(
        "# Every field of a spec\n\nGenerated from the JSON Schema. `portgen explain --resolved` prints a spec with every default filled in.\n\n| field | value | meaning |\n|---|---|---|\n",
    );
    fields(&schema, &schema, "", &mut text);
    golden(&root().join("docs/spec.md"), &text);
}

fn followed<'a>(root: &'a serde_json::Value, schema: &'a serde_json::Value) -> &'a serde_json::Value {
    let reference = schema.get("$ref").or_else(|| schema.pointer("/allOf/0/$ref"));
    match reference.and_then(serde_json::Value::as_str) {
        Some(reference) => root.pointer(reference.trim_start_matches('#')).unwrap(),
        None => schema,
    }
}

/// The alternatives of a schema that say something: not `null`, which only means "left out".
fn alternatives<'a>(root: &'a serde_json::Value, schema: &'a serde_json::Value) -> Vec<&'a serde_json::Value> {
    let schema = followed(root, schema);
    match schema.get("oneOf").or_else(|| schema.get("anyOf")).and_then(serde_json::Value::as_array) {
        None => vec![schema],
        Some(list) => list
            .iter()
            .filter(|one| one.get("type").is_none_or(|kind| kind != "null"))
            .flat_map(|one| alternatives(root, one))
            .collect(),
    }
}

fn value(root: &serde_json::Value, schema: &serde_json::Value) -> String {
    let words: Vec<String> = alternatives(root, schema)
        .into_iter()
        .map(|one| {
            if let Some(constant) = one.get("const").and_then(serde_json::Value::as_str) {
                return format!("`{constant}`");
            }
            if let Some(options) = one.get("enum").and_then(serde_json::Value::as_array) {
                return options
                    .iter()
                    .filter_map(|option| option.as_str())
                    .map(|option| format!("`{option}`"))
                    .collect::<Vec<_>>()
                    .join(", ");
            }
            if let Some(format) = one.get("format").and_then(serde_json::Value::as_str)
                && one.get("pattern").is_some()
            {
                let help = portgen::grammar::refusal(format, "\n").unwrap().help;
                return format!("{} ({help})", format.replace('-', " "));
            }
            let kind = match &one["type"] {
                serde_json::Value::Array(kinds) => kinds[0].as_str().unwrap(),
                kind => kind.as_str().unwrap_or("any"),
            };
            match kind {
                "array" => format!("list of {}", value(root, &one["items"])),
                "object" => "map".to_owned(),
                "integer" => match (one.get("minimum"), one.get("maximum")) {
                    (Some(low), Some(high)) => format!("{low} to {high}"),
                    _ => "number".to_owned(),
                },
                "string" => "text".to_owned(),
                other => other.to_owned(),
            }
        })
        .collect();
    let mut unique: Vec<String> = Vec::new();
    for word in words {
        if !unique.contains(&word) {
            unique.push(word);
        }
    }
    unique.join(", ")
}

fn fields(root: &serde_json::Value, schema: &serde_json::Value, path: &str, text: &mut String) {
    for one in alternatives(root, schema) {
        let tag = one.get("properties").and_then(|map| map.as_object()).and_then(|map| {
            map.iter().find_map(|(name, property)| {
                property.get("const").map(|constant| format!("{name}: {}", constant.as_str().unwrap()))
            })
        });
        let here = match &tag {
            Some(tag) => format!("{path} ({tag})"),
            None => path.to_owned(),
        };
        let required: Vec<&str> = one
            .get("required")
            .and_then(|list| list.as_array())
            .into_iter()
            .flatten()
            .filter_map(|name| name.as_str())
            .collect();
        for (name, property) in one.get("properties").and_then(serde_json::Value::as_object).into_iter().flatten() {
            if property.get("const").is_some() {
                continue;
            }
            let field = if here.is_empty() { name.clone() } else { format!("{here}.{name}") };
            let described = property.get("description").or_else(|| followed(root, property).get("description"));
            let meaning = described.and_then(serde_json::Value::as_str).unwrap_or_default();
            let required = if required.contains(&name.as_str()) { " **Required.**" } else { "" };
            let _ = writeln!(
                text,
                "| `{field}` | {} | {}{required} |",
                value(root, property).replace('|', "\\|"),
                meaning.replace('|', "\\|")
            );
            below(root, property, &field, text);
        }
    }
}

/// Fields of maps with names of their own, and of list items.
fn below(root: &serde_json::Value, property: &serde_json::Value, field: &str, text: &mut String) {
    for one in alternatives(root, property) {
        if let Some(entry) =
            one.get("patternProperties").and_then(|map| map.as_object()).and_then(|map| map.values().next())
        {
            if followed(root, entry).get("properties").is_some() {
                fields(root, entry, &format!("{field}.<name>"), text);
            }
        } else if let Some(items) = one.get("items").filter(|items| followed(root, items).get("properties").is_some()) {
            fields(root, items, &format!("{field}[]"), text);
        }
    }
    if alternatives(root, property).iter().any(|one| one.get("properties").is_some()) {
        fields(root, property, field, text);
    }
}
