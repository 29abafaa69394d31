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
use crate::finding::{Finding, Place, Route, Rule, Step, clause, listed, nearest, shown};
use crate::grammar::{self, GoDuration, Grammar as _};
use crate::source::{Files, Node, Value as Yaml};

/// Where a cloud's load balancer is told its address, which every cloud calls something else.
const CLOUD_ADDRESSES: &str = "a cloud takes its address below `aws` (`eipAllocations`, `privateAddresses`), `gcp` (`addresses`) or `azure` (`publicIP`, `privateAddresses`)";

/// More faults than this are one fault.
const MOST: usize = 1000;

/// Reads the tree as a spec. With faults, gives what is left of it once the faulty parts are set aside,
/// so that the rules can speak of the rest in the same run; keys read as others are renamed in the tree as well.
pub fn read(root: &mut Node, files: &Files, findings: &mut Vec<Finding>) -> Option<Spec> {
    if let Some(finding) = not_a_spec(root) {
        findings.push(finding);
        return None;
    }
    let mut json = root.to_json();
    let refused = match Spec::deserialize(&json) {
        Ok(spec) if same_shape(&json, &serde_json::to_value(&spec).unwrap_or_default()) => return Some(spec),
        Ok(_) => "a list or a map stands where another kind of value belongs".to_owned(),
        Err(error) => error.to_string(),
    };
    let faults = faults(root, files, &json);
    if faults.is_empty() {
        findings.push(Finding::new(
            &rules::INVALID_VALUE,
            Place::Value(Route::default()),
            shown(&refused),
            "see `portgen schema` for what a spec may hold",
        ));
        return None;
    }
    let whole = faults.len() < MOST && faults.iter().all(|fault| fault.repair.apply(&mut json, root));
    findings.extend(faults.into_iter().map(Fault::finding));
    if whole { Spec::deserialize(&json).ok() } else { None }
}

/// What is no spec at all gets one finding, not one for each field it lacks.
fn not_a_spec(root: &Node) -> Option<Finding> {
    let at = |route: Route, rule: &'static Rule, message: String, help: &str| {
        Some(Finding::new(rule, Place::Value(route), message, help))
    };
    let Yaml::Map(entries) = &root.value else {
        let help = "start with `apiVersion: portgen/v1alpha1`; `portgen init` writes a whole spec";
        let message = format!("a spec is a map, this is {}", described(&root.to_json()));
        return at(Route::default(), &rules::WRONG_TYPE, message, help);
    };
    if entries.is_empty() {
        return at(
            Route::default(),
            &rules::MISSING_FIELD,
            "the spec is empty".to_owned(),
            "`portgen init` writes one to start from",
        );
    }
    let text = |key: &str| match root.get(key).map(|node| &node.value) {
        Some(Yaml::Str(text)) => Some(text.as_str()),
        _ => None,
    };
    let version = text("apiVersion").filter(|version| !version.starts_with("portgen"))?;
    let message = format!(
        "this is a `{}` of `{}`, not a spec of portgen",
        shown(text("kind").unwrap_or("document")),
        shown(version)
    );
    at(
        Route::of(["apiVersion"]),
        &rules::INVALID_VALUE,
        message,
        "a spec starts with `apiVersion: portgen/v1alpha1` and `kind: Cluster`",
    )
}

/// Whether a value and what serde made of it have lists and maps in the same places: serde takes a list for a struct
/// and a map for the name of a variant.
fn same_shape(written: &Value, read: &Value) -> bool {
    match (written, read) {
        (Value::Object(written), Value::Object(read)) => {
            written.iter().all(|(key, value)| read.get(key).is_none_or(|read| same_shape(value, read)))
        }
        (Value::Array(written), Value::Array(read)) => {
            written.iter().zip(read).all(|(value, read)| same_shape(value, read))
        }
        (Value::Array(_) | Value::Object(_), _) | (_, Value::Array(_) | Value::Object(_)) => false,
        _ => true,
    }
}

/// A place where the spec does not fit, and how to go on without it.
struct Fault {
    finding: Finding,
    repair: Repair,
    /// The field that is not there, for a missing one.
    missing: Option<Route>,
}

impl Fault {
    /// The finding, at the key's place in the tree: a key that was read as another one bears that name there.
    fn finding(self) -> Finding {
        match self.repair {
            Repair::Key { at, right: Some(right), .. } => Finding { place: Place::Key(at.key(right)), ..self.finding },
            _ => self.finding,
        }
    }
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
    fn apply(&self, json: &mut Value, root: &mut Node) -> bool {
        match self {
            Self::Key { at, wrong, right } => {
                if let Some(right) = right
                    && let Some(Yaml::Map(entries)) = node_mut(root, at).map(|node| &mut node.value)
                    && let Some(entry) = entries.iter_mut().find(|entry| entry.key == *wrong)
                {
                    entry.key.clone_from(right);
                }
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

fn node_mut<'a>(root: &'a mut Node, route: &Route) -> Option<&'a mut Node> {
    route.steps().iter().try_fold(root, |node, step| match (step, &mut node.value) {
        (Step::Key(key), Yaml::Map(entries)) => {
            entries.iter_mut().find(|entry| entry.key == *key).map(|entry| &mut entry.value)
        }
        (Step::Index(index), Yaml::Seq(items)) => items.get_mut(*index),
        _ => None,
    })
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

/// Every fault the schema knows of, up to [`MOST`].
fn faults(root: &Node, files: &Files, json: &Value) -> Vec<Fault> {
    let schema = schema();
    let mut options = jsonschema::options().with_draft(Draft::Draft7).should_validate_formats(true);
    for format in grammar::FORMATS {
        options = options.with_format(*format, move |text: &str| grammar::refusal(format, text).is_none());
    }
    // The schema is generated from our own types: a test compiles it.
    let Ok(validator) = options.build(&schema) else { return Vec::new() };
    let teller = Teller { root, files, json, schema: &schema };
    let mut faults = Vec::new();
    for error in validator.iter_errors(json) {
        teller.tell(&error, &mut faults);
        if faults.len() >= MOST {
            break;
        }
    }
    teller.whole_floats(json, &Route::default(), &mut faults);
    faults.truncate(MOST);
    without_echoes(faults)
}

/// A mistyped required field is missing as well; saying so helps nobody.
fn without_echoes(mut faults: Vec<Fault>) -> Vec<Fault> {
    let meant: Vec<Route> = faults
        .iter()
        .filter_map(|fault| match &fault.repair {
            Repair::Key { at, right: Some(right), .. } => Some(at.key(right)),
            _ => None,
        })
        .collect();
    faults.retain(|fault| fault.missing.as_ref().is_none_or(|route| !meant.contains(route)));
    faults
}

/// Turns the validator's errors into findings, with the spec and the schema at hand.
struct Teller<'a> {
    root: &'a Node,
    files: &'a Files,
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
            ValidationErrorKind::OneOfNotValid { context } => {
                self.tell_tagged(&route, &self.branches_of(error), context, faults);
            }
            ValidationErrorKind::AnyOf { context } => {
                self.tell_alternatives(&route, instance, &self.branches_of(error), context, faults);
            }
            ValidationErrorKind::Type { kind } => {
                let wanted = match kind {
                    TypeKind::Single(one) => vec![*one],
                    TypeKind::Multiple(set) => set.iter().collect(),
                };
                faults.push(self.wrong_type(route, instance, &wanted));
            }
            // The pattern is the grammar's shadow for editors: one of the two is enough.
            ValidationErrorKind::Pattern { .. } => {}
            ValidationErrorKind::Format { format } => {
                let text = instance.as_str().unwrap_or_default();
                if let Some(refusal) = grammar::refusal(format, text) {
                    faults.push(invalid(route, format!("`{}` is not {}", shown(text), refusal.wanted), refusal.help));
                }
            }
            ValidationErrorKind::Enum { options } => faults.push(self.not_an_option(route, instance, options)),
            ValidationErrorKind::Constant { expected_value } => {
                faults.push(self.not_an_option(route, instance, &Value::Array(vec![(**expected_value).clone()])));
            }
            ValidationErrorKind::Minimum { limit } => {
                let message = format!("`{}` is {instance}", shown(&last_key(&route)));
                faults.push(invalid(route, message, format!("the smallest is {limit}")));
            }
            ValidationErrorKind::Maximum { limit } => {
                let message = format!("`{}` is {instance}", shown(&last_key(&route)));
                faults.push(invalid(route, message, format!("the largest is {limit}")));
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
    fn tell_tagged(
        &self,
        route: &Route,
        branches: &[&Value],
        context: &[Vec<ValidationError<'static>>],
        faults: &mut Vec<Fault>,
    ) {
        let Some(instance) = at(self.json, route) else { return };
        if branches.iter().all(|branch| branch.get("const").is_some()) {
            let options = branches.iter().filter_map(|branch| branch.get("const")).cloned().collect();
            faults.push(self.not_an_option(route.clone(), instance, &Value::Array(options)));
            return;
        }
        if !instance.is_object() {
            faults.push(self.wrong_type(route.clone(), instance, &[JsonType::Object]));
            return;
        }
        let Some(tag) = branches.first().and_then(|branch| tag_of(branch)) else { return };
        let names: Vec<&str> = branches.iter().filter_map(|branch| tag_value(branch, &tag)).collect();
        match instance.get(&tag) {
            None => {
                let keys = instance.as_object().into_iter().flatten().map(|(key, _)| key.as_str());
                if let Some(wrong) = nearest(&tag, keys) {
                    let message = format!("unknown field `{}` in `{}`", shown(wrong), shown(&last_key(route)));
                    let finding = Finding::new(
                        &rules::UNKNOWN_FIELD,
                        Place::Key(route.key(wrong)),
                        message,
                        format!("did you mean `{tag}`?"),
                    );
                    let repair = Repair::Key { at: route.clone(), wrong: wrong.to_owned(), right: Some(tag) };
                    faults.push(Fault { finding, repair, missing: None });
                    return;
                }
                let mut fault = self.missing_field(route, &tag);
                fault.finding.help = format!("add `{tag}`: one of {}", listed(&names));
                faults.push(fault);
            }
            Some(value) => {
                if let Some(branch) = value.as_str().and_then(|name| names.iter().position(|known| *known == name)) {
                    for error in context.get(branch).into_iter().flatten() {
                        self.tell(error, faults);
                    }
                } else {
                    let options = Value::Array(names.iter().map(|name| Value::from(*name)).collect());
                    faults.push(self.not_an_option(route.key(&tag), value, &options));
                }
            }
        }
    }

    /// A choice told apart by type: the branch of the value's own type is the one that was meant.
    fn tell_alternatives(
        &self,
        route: &Route,
        instance: &Value,
        branches: &[&Value],
        context: &[Vec<ValidationError<'static>>],
        faults: &mut Vec<Fault>,
    ) {
        let mine = branches.iter().position(|branch| self.accepts_type(branch, instance));
        if let Some(branch) = mine {
            for error in context.get(branch).into_iter().flatten() {
                self.tell(error, faults);
            }
            return;
        }
        let wanted: Vec<JsonType> = branches.iter().flat_map(|branch| self.types(branch)).collect();
        faults.push(self.wrong_type(route.clone(), instance, &wanted));
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
            return Fault { finding, repair: Repair::Gateway(here), missing: None };
        }
        let siblings = at(self.json, route).and_then(Value::as_object);
        let written = |field: &str| siblings.is_some_and(|map| map.contains_key(field));
        // A field that has to be there and is not is the likeliest to have been meant.
        let required = object.and_then(|schema| schema.get("required")).and_then(Value::as_array).into_iter().flatten();
        let missing = required.filter_map(Value::as_str).filter(|field| !written(field));
        let prefix =
            |field: &&str| field.len() > 3 && key.len() > 3 && (field.starts_with(key) || key.starts_with(*field));
        let near = missing
            .clone()
            .find(prefix)
            .or_else(|| nearest(key, missing))
            .or_else(|| nearest(key, known.iter().copied()));
        let below = self.below(route, key);
        let elsewhere = if below.is_empty() { self.branches_with(route, key) } else { Vec::new() };
        let help = match near {
            _ if !below.is_empty() => format!("`{}` belongs below {}", shown(key), listed(&below)),
            _ if key == "loadBalancerIP" && tagged(object, "cloudLoadBalancer") => CLOUD_ADDRESSES.to_owned(),
            _ if !elsewhere.is_empty() => format!("`{}` belongs to {}", shown(key), listed(&elsewhere)),
            Some(near) if written(near) => format!("`{near}` is written here already: take one of them out"),
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known here: {}", listed(&known)),
        };
        let near = near.filter(|near| !written(near));
        let near = near.filter(|_| elsewhere.is_empty() && below.is_empty());
        let message = match last_key(route).as_str() {
            "" => format!("unknown field `{}`", shown(key)),
            parent => format!("unknown field `{}` in `{}`", shown(key), shown(parent)),
        };
        Fault {
            finding: Finding::new(&rules::UNKNOWN_FIELD, Place::Key(here), message, help),
            repair: Repair::Key { at: route.clone(), wrong: key.to_owned(), right: near.map(str::to_owned) },
            missing: None,
        }
    }

    fn missing_field(&self, route: &Route, field: &str) -> Fault {
        let message = match last_key(route).as_str() {
            "" => format!("`{field}` is missing"),
            parent => format!("`{}` has no `{field}`", shown(parent)),
        };
        let schema = self.object_schema(route).and_then(|schema| schema.pointer(&format!("/properties/{field}")));
        let options: Vec<&str> = schema.map(|schema| self.options(schema)).unwrap_or_default();
        let description =
            schema.and_then(|schema| schema.get("description").or_else(|| self.followed(schema)?.get("description")));
        let help = match (options.as_slice(), description.and_then(Value::as_str)) {
            ([only], _) => format!("write `{field}: {only}`"),
            ([_, ..], _) => format!("add `{field}`: one of {}", listed(&options)),
            ([], Some(text)) => format!("add `{field}`: {}", clause(text)),
            ([], None) => format!("add `{field}`"),
        };
        Fault {
            finding: Finding::new(&rules::MISSING_FIELD, Place::Key(route.clone()), message, help),
            repair: Repair::Gateway(route.clone()),
            missing: Some(route.key(field)),
        }
    }

    /// The words a value may be, when it is one of a few.
    fn options<'s>(&'s self, schema: &'s Value) -> Vec<&'s str> {
        let Some(schema) = self.followed(schema) else { return Vec::new() };
        if let Some(only) = schema.get("const").and_then(Value::as_str) {
            return vec![only];
        }
        if let Some(options) = schema.get("enum").and_then(Value::as_array) {
            return options.iter().filter_map(Value::as_str).collect();
        }
        let branches = self.alternatives(schema);
        if branches.iter().any(|branch| branch.get("properties").is_some()) {
            Vec::new()
        } else {
            branches.into_iter().flat_map(|branch| self.options(branch)).collect()
        }
    }

    /// The other branches of the same choice that have this field, by tag.
    fn branches_with(&self, route: &Route, key: &str) -> Vec<String> {
        let has = |branch: &Value| {
            branch.get("properties")?.get(key)?;
            let tag = tag_of(branch)?;
            let name = tag_value(branch, &tag)?.to_owned();
            (at(self.json, route)?.get(&tag)?.as_str()? != name).then(|| format!("{tag}: {name}"))
        };
        let schema = self.schema_at(route).and_then(|schema| self.followed(schema));
        schema.map(|schema| self.alternatives(schema)).into_iter().flatten().filter_map(has).collect()
    }

    /// The branches of the choice that an error speaks of, in the order of its context.
    fn branches_of<'s>(&'s self, error: &ValidationError<'_>) -> Vec<&'s Value> {
        let list = self.schema.pointer(error.schema_path().as_str()).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(|branch| self.followed(branch)).collect()
    }

    /// JSON Schema takes `3.0` for a whole number, serde does not.
    fn whole_floats(&self, json: &Value, route: &Route, faults: &mut Vec<Fault>) {
        match json {
            Value::Object(map) => map.iter().for_each(|(key, value)| self.whole_floats(value, &route.key(key), faults)),
            Value::Array(items) => {
                items
                    .iter()
                    .enumerate()
                    .for_each(|(index, value)| self.whole_floats(value, &route.index(index), faults));
            }
            Value::Number(number) if number.is_f64() => {
                let whole = self.schema_at(route).is_some_and(|schema| self.types(schema).contains(&JsonType::Integer));
                let said = faults.iter().any(|fault| fault.finding.place == Place::Value(route.clone()));
                if let (true, false, Some(value)) = (whole, said, number.as_f64()) {
                    let message = format!("`{}` wants a whole number, this is {number}", shown(&last_key(route)));
                    faults.push(invalid(route.clone(), message, format!("write `{value:.0}`")));
                }
            }
            _ => {}
        }
    }

    /// The text of a value as it was written.
    fn written(&self, route: &Route) -> Option<&str> {
        let node = route.steps().iter().try_fold(self.root, |node, step| match (step, &node.value) {
            (Step::Key(key), _) => node.get(key),
            (Step::Index(index), Yaml::Seq(items)) => items.get(*index),
            _ => None,
        })?;
        let text = &self.files.get(node.span.file).text;
        text.get(node.span.start as usize..node.span.end as usize)
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

    fn not_an_option(&self, route: Route, instance: &Value, options: &Value) -> Fault {
        let names: Vec<&str> = options.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let text = instance.as_str().map_or_else(|| self.written(&route).unwrap_or_default().to_owned(), str::to_owned);
        // `debian-11` is no slip for `debian-12`.
        let letters = |text: &str| text.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
        let near = nearest(&text, names.iter().copied()).filter(|near| letters(near) != letters(&text));
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None if names.len() == 1 => format!("write `{}`", names[0]),
            None => format!("one of {}", listed(&names)),
        };
        let what = if instance.is_object() || instance.is_array() {
            described(instance)
        } else {
            format!("`{}`", shown(&text))
        };
        let message = format!("{what} is not a value of `{}`", shown(&last_key(&route)));
        invalid(route, message, help)
    }

    fn wrong_type(&self, route: Route, instance: &Value, wanted: &[JsonType]) -> Fault {
        let mut names: Vec<&str> =
            wanted.iter().filter(|kind| **kind != JsonType::Null).map(|kind| type_name(*kind)).collect();
        names.dedup();
        let wants = |kind: JsonType| wanted.contains(&kind);
        let written = self.written(&route).unwrap_or_default();
        let options = self.schema_at(&route).map(|schema| self.options(schema)).unwrap_or_default();
        let help = match instance {
            _ if !options.is_empty() => format!("one of {}", listed(&options)),
            Value::Number(_) | Value::Bool(_) if wants(JsonType::String) => self.as_text(&route, written),
            Value::String(text) if wants(JsonType::Boolean) => match text.to_ascii_lowercase().as_str() {
                "yes" | "on" | "y" => "write `true`: YAML 1.2 knows no other spelling".to_owned(),
                "no" | "off" | "n" => "write `false`: YAML 1.2 knows no other spelling".to_owned(),
                "true" | "false" => format!("take the quotes away: `{text}`"),
                _ => "write `true` or `false`".to_owned(),
            },
            Value::String(text) if wants(JsonType::Integer) && text.parse::<u32>().is_ok() => {
                format!("take the quotes away: `{text}`")
            }
            Value::Null => "write a value, or take it out".to_owned(),
            other if wants(JsonType::Array) && !other.is_object() && !other.is_array() => {
                format!("write a list: `[{}]`", shown(&plain(other)))
            }
            Value::Array(_) if wants(JsonType::Object) => "write `name: value` lines, without `-`".to_owned(),
            _ => match self.example(&route, instance) {
                Some(example) => format!("write `{example}`"),
                None => format!("write {}", names.join(" or ")),
            },
        };
        let subject = match route.steps().last() {
            None => "the spec".to_owned(),
            Some(Step::Index(index)) => format!("item {} of `{}`", index + 1, shown(&last_key(&route))),
            Some(Step::Key(key)) => format!("`{}`", shown(key)),
        };
        let message = format!("{subject} wants {}, this is {}", names.join(" or "), described(instance));
        Fault {
            finding: Finding::new(&rules::WRONG_TYPE, Place::Value(route.clone()), message, help),
            repair: Repair::Gateway(route),
            missing: None,
        }
    }

    /// How a number becomes the text that is wanted: in quotes, unless its grammar asks for more.
    fn as_text(&self, route: &Route, written: &str) -> String {
        let schema = self.schema_at(route).and_then(|schema| self.followed(schema));
        let format = schema.and_then(|schema| schema.get("format")?.as_str()).unwrap_or_default();
        match grammar::refusal(format, written) {
            None => format!("put it in quotes: `\"{}\"`", shown(written)),
            // A duration without a unit is most likely one of seconds.
            Some(_) if format == GoDuration::FORMAT && grammar::refusal(format, &format!("{written}s")).is_none() => {
                format!("write `{}s`: a number with a unit", shown(written))
            }
            Some(refusal) => format!("write {}", refusal.help),
        }
    }

    /// A scalar put where the one field it was likely meant for would take it: `{port: 80}`.
    fn example(&self, route: &Route, instance: &Value) -> Option<String> {
        let schema = self.schema_at(route).and_then(|schema| self.followed(schema))?;
        let mut objects = self.objects(schema);
        let word = instance.as_str();
        // The branch that the word itself names, if one has it for its tag.
        objects.sort_by_key(|object| word.is_none() || tag_of(object).and_then(|tag| tag_value(object, &tag)) != word);
        let object = objects.into_iter().next()?;
        let properties = object.get("properties")?.as_object()?;
        let first = match tag_of(object) {
            Some(tag) => tag,
            None => object.get("required")?.as_array()?.first()?.as_str()?.to_owned(),
        };
        let fits = tag_of(object).is_some() || self.accepts_type(properties.get(&first)?, instance);
        (fits && !instance.is_object() && !instance.is_array())
            .then(|| format!("{{{first}: {}}}", shown(&plain(instance))))
    }

    /// The maps a value may be, through every choice.
    fn objects<'s>(&'s self, schema: &'s Value) -> Vec<&'s Value> {
        let branches = self.alternatives(schema);
        if !branches.is_empty() {
            return branches.into_iter().flat_map(|branch| self.objects(branch)).collect();
        }
        if schema.get("properties").is_some() { vec![schema] } else { Vec::new() }
    }

    /// The fields beside it below which an unknown one has its place.
    fn below(&self, route: &Route, key: &str) -> Vec<&str> {
        let Some(object) = self.object_schema(route) else { return Vec::new() };
        let fields = object.get("properties").and_then(Value::as_object).into_iter().flatten();
        let holds = |schema: &Value| {
            let schema = self.followed(schema);
            let objects = schema.map(|schema| self.objects(schema)).unwrap_or_default();
            objects.iter().any(|object| object["properties"].get(key).is_some())
        };
        let mut below: Vec<&str> = fields.filter(|(_, schema)| holds(schema)).map(|(name, _)| name.as_str()).collect();
        // Of the fields for one cloud each, the one that is written or named is meant.
        let here = at(self.json, route);
        let named = |name: &&str| {
            here.is_some_and(|here| here.get(*name).is_some() || here.get("provider").is_some_and(|word| word == name))
        };
        if below.iter().any(named) {
            below.retain(named);
        }
        below
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

/// Whether the branch of a choice is the one of this name.
fn tagged(branch: Option<&Value>, name: &str) -> bool {
    branch.is_some_and(|branch| tag_of(branch).and_then(|tag| tag_value(branch, &tag)) == Some(name))
}

fn invalid(route: Route, message: String, help: String) -> Fault {
    Fault {
        finding: Finding::new(&rules::INVALID_VALUE, Place::Value(route.clone()), message, help),
        repair: Repair::Gateway(route),
        missing: None,
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
