//! The shape of a spec: serde decides whether it fits, the JSON Schema tells every place where it does not.
//!
//! The schema is compiled only for a spec that serde refused: compiling costs more than everything else in a run.

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{Draft, JsonType, ValidationError};
use serde::Deserialize;
use serde_json::Value;

use super::rules;
use super::schema::schema;
use super::spec::Spec;
use crate::finding::{Finding, Place, Route, Step, clause, listed, nearest, shown};
use crate::grammar;
use crate::source::{Node, Value as Yaml};

/// Reads the tree as a spec. With faults, gives what is left of it once the faulty parts are set aside,
/// so that the rules can speak of the rest in the same run.
pub fn read(root: &Node, findings: &mut Vec<Finding>) -> Option<Spec> {
    if !matches!(root.value, Yaml::Map(_)) {
        findings.push(Finding::new(
            &rules::WRONG_TYPE,
            Place::Value(Route::default()),
            format!("a spec is a map, this is {}", described(&root.to_json())),
            "start with `apiVersion: portgen/v1alpha1`; `portgen init` writes a whole spec",
        ));
        return None;
    }
    let mut json = root.to_json();
    let refused = match Spec::deserialize(&json) {
        Ok(spec) => return Some(spec),
        Err(error) => error,
    };
    let faults = faults(&json);
    if faults.is_empty() {
        findings.push(Finding::new(
            &rules::INVALID_VALUE,
            Place::Value(Route::default()),
            shown(&refused.to_string()),
            "see `portgen schema` for what a spec may hold",
        ));
        return None;
    }
    let whole = faults.iter().all(|fault| fault.repair.apply(&mut json));
    findings.extend(faults.into_iter().map(|fault| fault.finding));
    if whole { Spec::deserialize(&json).ok() } else { None }
}

/// A place where the spec does not fit, and how to go on without it.
struct Fault {
    finding: Finding,
    repair: Repair,
}

/// How the rest of a spec can still be looked at.
enum Repair {
    /// Read a mistyped key as the one that was meant, or leave it out.
    Key { at: Route, wrong: String, right: Option<String> },
    /// Leave out the gateway it stands in; what stands elsewhere leaves nothing to check.
    Gateway(Route),
}

impl Repair {
    /// Changes the value; false when nothing sensible is left.
    fn apply(&self, json: &mut Value) -> bool {
        match self {
            Self::Key { at, wrong, right } => {
                let Some(map) = at_mut(json, at).and_then(Value::as_object_mut) else { return true };
                let Some(value) = map.remove(wrong) else { return true };
                if let Some(right) = right
                    && !map.contains_key(right)
                {
                    map.insert(right.clone(), value);
                }
                true
            }
            Self::Gateway(route) => {
                let [Step::Key(first), Step::Key(name), ..] = route.steps() else { return false };
                let gateways = json.get_mut("gateways").and_then(Value::as_object_mut);
                first == "gateways"
                    && gateways.is_some_and(|map| {
                        map.remove(name);
                        !map.is_empty()
                    })
            }
        }
    }
}

fn at_mut<'a>(json: &'a mut Value, route: &Route) -> Option<&'a mut Value> {
    route.steps().iter().try_fold(json, |value, step| match step {
        Step::Key(key) => value.get_mut(key),
        Step::Index(index) => value.get_mut(index),
    })
}

fn at<'a>(json: &'a Value, route: &Route) -> Option<&'a Value> {
    route.steps().iter().try_fold(json, |value, step| match step {
        Step::Key(key) => value.get(key),
        Step::Index(index) => value.get(index),
    })
}

/// Every fault the schema knows of, in the order of the spec's own fields.
fn faults(json: &Value) -> Vec<Fault> {
    let schema = schema();
    let mut options = jsonschema::options().with_draft(Draft::Draft7).should_validate_formats(true);
    for format in grammar::FORMATS {
        options = options.with_format(*format, move |text: &str| grammar::refusal(format, text).is_none());
    }
    // The schema is generated from our own types: a test compiles it.
    let Ok(validator) = options.build(&schema) else { return Vec::new() };
    let teller = Teller { json, schema: &schema };
    let mut faults = Vec::new();
    for error in validator.iter_errors(json) {
        teller.tell(&error, &mut faults);
    }
    faults
}

/// Turns the validator's errors into findings, with the spec and the schema at hand.
struct Teller<'a> {
    json: &'a Value,
    schema: &'a Value,
}

impl Teller<'_> {
    fn tell(&self, error: &ValidationError<'_>, faults: &mut Vec<Fault>) {
        let route = self.route(error.instance_path().as_str());
        let instance = error.instance();
        match error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected } => {
                faults.extend(unexpected.iter().map(|key| self.unknown_field(&route, key)));
            }
            ValidationErrorKind::Required { property } => {
                let field = property.as_str().unwrap_or_default();
                faults.push(self.missing_field(&route, field));
            }
            ValidationErrorKind::OneOfNotValid { context } => self.tell_tagged(&route, context, faults),
            ValidationErrorKind::AnyOf { context } => self.tell_alternatives(&route, instance, context, faults),
            ValidationErrorKind::Type { kind } => {
                let wanted = match kind {
                    TypeKind::Single(one) => vec![*one],
                    TypeKind::Multiple(set) => set.iter().collect(),
                };
                faults.push(wrong_type(route, instance, &wanted));
            }
            // The pattern is the grammar's shadow for editors: one of the two is enough.
            ValidationErrorKind::Pattern { .. } => {}
            ValidationErrorKind::Format { format } => {
                let text = instance.as_str().unwrap_or_default();
                if let Some(refusal) = grammar::refusal(format, text) {
                    faults.push(invalid(route, format!("`{}` is not {}", shown(text), refusal.wanted), refusal.help));
                }
            }
            ValidationErrorKind::Enum { options } => faults.push(not_an_option(route, instance, options)),
            ValidationErrorKind::Constant { expected_value } => {
                faults.push(not_an_option(route, instance, &Value::Array(vec![(**expected_value).clone()])));
            }
            ValidationErrorKind::Minimum { limit } => {
                faults.push(invalid(route, format!("{instance} is too small"), format!("the smallest is {limit}")));
            }
            ValidationErrorKind::Maximum { limit } => {
                faults.push(invalid(route, format!("{instance} is too large"), format!("the largest is {limit}")));
            }
            ValidationErrorKind::MinItems { .. } | ValidationErrorKind::MinProperties { .. } => {
                let field = last_key(&route);
                faults.push(invalid(route, format!("`{field}` is empty"), "name at least one".to_owned()));
            }
            ValidationErrorKind::UniqueItems => {
                let field = last_key(&route);
                faults.push(invalid(route, format!("`{field}` names something twice"), "name each once".to_owned()));
            }
            _ => faults.push(invalid(
                route,
                shown(&error.to_string()),
                "see `portgen schema` for what may stand here".to_owned(),
            )),
        }
    }

    fn route(&self, pointer: &str) -> Route {
        Route::from_pointer(pointer, |route| at(self.json, route).is_some_and(Value::is_array))
    }

    /// A choice told apart by a tag: only the errors of the branch the tag names are worth reading.
    fn tell_tagged(&self, route: &Route, context: &[Vec<ValidationError<'static>>], faults: &mut Vec<Fault>) {
        let branches = self.branches(route);
        let Some(instance) = at(self.json, route).filter(|value| value.is_object()) else {
            if let Some(value) = at(self.json, route) {
                if branches.iter().all(|branch| branch.get("const").is_some()) {
                    let options = branches.iter().filter_map(|branch| branch.get("const")).cloned().collect();
                    faults.push(not_an_option(route.clone(), value, &Value::Array(options)));
                } else {
                    faults.push(wrong_type(route.clone(), value, &[JsonType::Object]));
                }
            }
            return;
        };
        let Some(tag) = branches.first().and_then(|branch| tag_of(branch)) else { return };
        let names: Vec<&str> = branches.iter().filter_map(|branch| tag_value(branch, &tag)).collect();
        match instance.get(&tag) {
            None => {
                let mut fault = self.missing_field(route, &tag);
                fault.finding.help = format!("one of {}", listed(&names));
                faults.push(fault);
            }
            Some(value) => match value.as_str().and_then(|name| names.iter().position(|known| *known == name)) {
                Some(branch) => {
                    for error in context.get(branch).into_iter().flatten() {
                        self.tell(error, faults);
                    }
                }
                None => {
                    let options = Value::Array(names.iter().map(|name| Value::from(*name)).collect());
                    faults.push(not_an_option(route.key(&tag), value, &options));
                }
            },
        }
    }

    /// A choice told apart by type: the branch of the value's own type is the one that was meant.
    fn tell_alternatives(
        &self,
        route: &Route,
        instance: &Value,
        context: &[Vec<ValidationError<'static>>],
        faults: &mut Vec<Fault>,
    ) {
        let branches = self.branches(route);
        let mine = branches.iter().position(|branch| self.accepts_type(branch, instance));
        if let Some(branch) = mine {
            for error in context.get(branch).into_iter().flatten() {
                self.tell(error, faults);
            }
            return;
        }
        let wanted: Vec<JsonType> = branches.iter().flat_map(|branch| self.types(branch)).collect();
        faults.push(wrong_type(route.clone(), instance, &wanted));
    }

    fn unknown_field(&self, route: &Route, key: &str) -> Fault {
        let here = route.key(key);
        let object = self.object_schema(route);
        let properties = object.and_then(|schema| schema.get("properties")).and_then(Value::as_object);
        let known: Vec<&str> = properties.map(|map| map.keys().map(String::as_str).collect()).unwrap_or_default();
        if known.is_empty() {
            // A map with names of its own: the name is not of the grammar its keys have.
            let refusal = ["dns-label", "port-name", "label-key"]
                .into_iter()
                .filter(|format| {
                    object.and_then(|schema| schema.get("patternProperties")).and_then(Value::as_object).is_some_and(
                        |patterns| patterns.keys().any(|pattern| grammar::pattern(format) == Some(pattern)),
                    )
                })
                .find_map(|format| grammar::refusal(format, key));
            let (wanted, help) = refusal.map_or(("a name", String::new()), |refusal| (refusal.wanted, refusal.help));
            let finding = Finding::new(
                &rules::INVALID_VALUE,
                Place::Key(here.clone()),
                format!("`{}` is not {wanted}", shown(key)),
                help,
            );
            return Fault { finding, repair: Repair::Gateway(here) };
        }
        let siblings = at(self.json, route).and_then(Value::as_object);
        let near =
            nearest(key, known.iter().copied()).filter(|near| siblings.is_none_or(|map| !map.contains_key(*near)));
        let elsewhere = self.branch_with(route, key);
        let help = match (near, &elsewhere) {
            (_, Some((tag, name))) => format!("`{key}` belongs to `{tag}: {name}`"),
            (Some(near), None) => format!("did you mean `{near}`?"),
            (None, None) => format!("known here: {}", listed(&known)),
        };
        let near = if elsewhere.is_some() { None } else { near };
        let message = match last_key(route).as_str() {
            "" => format!("unknown field `{}`", shown(key)),
            parent => format!("unknown field `{}` in `{}`", shown(key), shown(parent)),
        };
        Fault {
            finding: Finding::new(&rules::UNKNOWN_FIELD, Place::Key(here), message, help),
            repair: Repair::Key { at: route.clone(), wrong: key.to_owned(), right: near.map(str::to_owned) },
        }
    }

    fn missing_field(&self, route: &Route, field: &str) -> Fault {
        let message = match last_key(route).as_str() {
            "" => format!("`{field}` is missing"),
            parent => format!("`{}` has no `{field}`", shown(parent)),
        };
        let description = self
            .object_schema(route)
            .and_then(|schema| schema.pointer(&format!("/properties/{field}")))
            .and_then(|schema| schema.get("description").or_else(|| self.followed(schema)?.get("description")))
            .and_then(Value::as_str)
            .map_or(String::new(), |text| format!(": {}", clause(text)));
        Fault {
            finding: Finding::new(
                &rules::MISSING_FIELD,
                Place::Key(route.clone()),
                message,
                format!("add `{field}`{description}"),
            ),
            repair: Repair::Gateway(route.clone()),
        }
    }

    /// Another branch of the same choice that has this field: its tag and the tag's value.
    fn branch_with(&self, route: &Route, key: &str) -> Option<(String, String)> {
        self.branches(route).into_iter().find_map(|branch| {
            branch.get("properties")?.get(key)?;
            let tag = tag_of(branch)?;
            let name = tag_value(branch, &tag)?.to_owned();
            (at(self.json, route)?.get(&tag)?.as_str()? != name).then_some((tag, name))
        })
    }

    fn followed<'s>(&'s self, schema: &'s Value) -> Option<&'s Value> {
        let reference = schema.get("$ref").and_then(Value::as_str).or_else(|| {
            // A description beside a reference makes schemars wrap it.
            schema.get("allOf")?.get(0)?.get("$ref")?.as_str()
        });
        match reference {
            Some(reference) => self.schema.pointer(reference.strip_prefix('#')?),
            None => Some(schema),
        }
    }

    /// The schema that describes the value at a route, before any choice is made.
    fn schema_at(&self, route: &Route) -> Option<&Value> {
        let mut schema = self.schema;
        let mut json = self.json;
        for step in route.steps() {
            let object = self.chosen(schema, json)?;
            (schema, json) = match step {
                Step::Key(key) => {
                    let below = object
                        .get("properties")
                        .and_then(|map| map.get(key))
                        .or_else(|| object.get("patternProperties")?.as_object()?.values().next())?;
                    (below, json.get(key)?)
                }
                Step::Index(index) => (object.get("items")?, json.get(index)?),
            };
        }
        Some(schema)
    }

    /// The branches of the choice at a route; empty where there is none.
    fn branches(&self, route: &Route) -> Vec<&Value> {
        self.schema_at(route)
            .and_then(|schema| self.followed(schema))
            .map(|schema| self.alternatives(schema))
            .unwrap_or_default()
    }

    fn alternatives<'s>(&'s self, schema: &'s Value) -> Vec<&'s Value> {
        let list = schema.get("oneOf").or_else(|| schema.get("anyOf")).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(|branch| self.followed(branch)).collect()
    }

    fn object_schema(&self, route: &Route) -> Option<&Value> {
        self.chosen(self.schema_at(route)?, at(self.json, route)?)
    }

    /// Follows references and choices to the schema that a value of this shape was meant for.
    fn chosen<'s>(&'s self, schema: &'s Value, json: &Value) -> Option<&'s Value> {
        let mut schema = self.followed(schema)?;
        // References and choices nest a few times at most; the bound keeps a faulty schema from looping.
        for _ in 0..8 {
            let alternatives = self.alternatives(schema);
            if alternatives.is_empty() {
                return Some(schema);
            }
            let tagged = alternatives.iter().copied().find(|branch| {
                tag_of(branch).is_some_and(|tag| json.get(&tag).and_then(Value::as_str) == tag_value(branch, &tag))
            });
            schema = tagged.or_else(|| alternatives.into_iter().find(|branch| self.accepts_type(branch, json)))?;
        }
        None
    }

    fn types(&self, schema: &Value) -> Vec<JsonType> {
        let Some(schema) = self.followed(schema) else { return Vec::new() };
        match schema.get("type") {
            Some(Value::String(one)) => one.parse().into_iter().collect(),
            Some(Value::Array(several)) => several.iter().filter_map(|one| one.as_str()?.parse().ok()).collect(),
            _ if schema.get("const").is_some() || schema.get("enum").is_some() => vec![JsonType::String],
            _ => self.alternatives(schema).into_iter().flat_map(|branch| self.types(branch)).collect(),
        }
    }

    fn accepts_type(&self, schema: &Value, value: &Value) -> bool {
        self.types(schema).into_iter().any(|wanted| is_of(value, wanted))
    }
}

fn is_of(value: &Value, wanted: JsonType) -> bool {
    match wanted {
        JsonType::Object => value.is_object(),
        JsonType::Array => value.is_array(),
        JsonType::String => value.is_string(),
        JsonType::Integer => value.is_i64() || value.is_u64(),
        JsonType::Number => value.is_number(),
        JsonType::Boolean => value.is_boolean(),
        JsonType::Null => value.is_null(),
    }
}

/// The field whose constant tells the branches of a choice apart.
fn tag_of(branch: &Value) -> Option<String> {
    let properties = branch.get("properties")?.as_object()?;
    properties.iter().find(|(_, schema)| schema.get("const").is_some()).map(|(name, _)| name.clone())
}

fn tag_value<'a>(branch: &'a Value, tag: &str) -> Option<&'a str> {
    branch.get("properties")?.get(tag)?.get("const")?.as_str()
}

fn invalid(route: Route, message: String, help: String) -> Fault {
    Fault {
        finding: Finding::new(&rules::INVALID_VALUE, Place::Value(route.clone()), message, help),
        repair: Repair::Gateway(route),
    }
}

fn not_an_option(route: Route, instance: &Value, options: &Value) -> Fault {
    let names: Vec<&str> = options.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let Some(text) = instance.as_str() else {
        return wrong_type(route, instance, &[JsonType::String]);
    };
    let help = match nearest(text, names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if names.len() == 1 => format!("write `{}`", names[0]),
        None => format!("one of {}", listed(&names)),
    };
    let field = last_key(&route);
    invalid(route, format!("`{}` is not a value of `{field}`", shown(text)), help)
}

fn wrong_type(route: Route, instance: &Value, wanted: &[JsonType]) -> Fault {
    let mut names: Vec<&str> =
        wanted.iter().filter(|kind| **kind != JsonType::Null).map(|kind| type_name(*kind)).collect();
    names.dedup();
    let wants = |kind: JsonType| wanted.contains(&kind);
    let help = match instance {
        Value::Number(_) | Value::Bool(_) if wants(JsonType::String) => {
            "put it in quotes: YAML reads it as a number or a boolean, and `1.30` would become 1.3".to_owned()
        }
        Value::String(text) if wants(JsonType::Boolean) => match text.to_ascii_lowercase().as_str() {
            "yes" | "on" | "y" => "write `true`: YAML 1.2 knows no other spelling".to_owned(),
            "no" | "off" | "n" => "write `false`: YAML 1.2 knows no other spelling".to_owned(),
            "true" | "false" => format!("take the quotes away: `{text}`"),
            _ => "write `true` or `false`".to_owned(),
        },
        Value::String(text) if wants(JsonType::Integer) && text.parse::<u32>().is_ok() => {
            format!("take the quotes away: `{text}`")
        }
        Value::Null => "write a value, or take the field out".to_owned(),
        other if wants(JsonType::Array) && !other.is_object() && !other.is_array() => {
            format!("write a list: `[{}]`", shown(&plain(other)))
        }
        _ => format!("write {}", names.join(" or ")),
    };
    let field = last_key(&route);
    let subject = if field.is_empty() { "the spec".to_owned() } else { format!("`{}`", shown(&field)) };
    let message = format!("{subject} wants {}, this is {}", names.join(" or "), described(instance));
    Fault {
        finding: Finding::new(&rules::WRONG_TYPE, Place::Value(route.clone()), message, help),
        repair: Repair::Gateway(route),
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn type_name(kind: JsonType) -> &'static str {
    match kind {
        JsonType::Object => "a map",
        JsonType::Array => "a list",
        JsonType::String => "a text",
        JsonType::Integer => "a whole number",
        JsonType::Number => "a number",
        JsonType::Boolean => "`true` or `false`",
        JsonType::Null => "nothing",
    }
}

/// What a value is, in words: `the number 8`, `a list`.
fn described(value: &Value) -> String {
    match value {
        Value::Null => "empty".to_owned(),
        Value::Bool(value) => format!("the boolean `{value}`"),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) => format!("the text `{}`", shown(text)),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a map".to_owned(),
    }
}

/// The field a route ends in; a list item is called by its list.
fn last_key(route: &Route) -> String {
    route
        .steps()
        .iter()
        .rev()
        .find_map(|step| match step {
            Step::Key(key) => Some(key.clone()),
            Step::Index(_) => None,
        })
        .unwrap_or_default()
}
