//! The exposure that a migration leads to, told by the strategy, `--set`, and what both strategies have.

use serde_json::Value;

use crate::commands::{Failure, load};
use crate::finding::{nearest, shown};
use crate::grammar::DnsLabel;
use crate::input;
use crate::plan;
use crate::source::Value as Yaml;

/// Fields that mean the same in every strategy that has them.
const COMMON: [&str; 4] = ["allowFrom", "limits", "externalTrafficPolicy", "sessionAffinity"];

/// The fields of a strategy.
pub struct Fields {
    strategy: &'static str,
    known: Vec<String>,
    required: Vec<String>,
}

impl Fields {
    /// As the schema has them.
    pub fn of(strategy: &str) -> Result<Self, Failure> {
        let names = || plan::STRATEGY_PAGES.iter().map(|(name, _)| *name);
        let Some(strategy) = names().find(|name| *name == strategy) else {
            let hint = nearest(strategy, names())
                .map_or_else(|| names().collect::<Vec<_>>().join(", "), |near| format!("did you mean `{near}`?"));
            return Err(Failure::Usage(format!("there is no strategy `{}`; {hint}", shown(strategy))));
        };
        let schema = input::schema();
        let of = |variant: &&Value| variant["properties"]["strategy"]["const"] == strategy;
        let variant = schema["definitions"]["Exposure"]["oneOf"].as_array().and_then(|all| all.iter().find(of));
        let known = variant.and_then(|variant| variant["properties"].as_object());
        let required = variant.and_then(|variant| variant["required"].as_array());
        Ok(Self {
            strategy,
            known: known.into_iter().flat_map(|fields| fields.keys().cloned()).collect(),
            required: required.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect(),
        })
    }

    /// The lines of the new exposure, to be laid over the old one.
    pub fn exposure(&self, old: &load::Loaded, gateway: &DnsLabel, set: &[String]) -> Result<Vec<String>, Failure> {
        let set = set.iter().map(|text| assignment(text)).collect::<Result<Vec<_>, _>>()?;
        if let Some((twice, _)) = set.iter().enumerate().find(|(at, it)| set[..*at].iter().any(|known| known.0 == it.0))
        {
            return Err(Failure::Usage(format!("`{}` is set twice; say it once", set[twice].0)));
        }
        let written = |field: &str| old.written(&["gateways", gateway.as_str(), "exposure", field]);
        let same = written("strategy").is_some_and(|node| node.value == Yaml::Str(self.strategy.to_owned()));
        let keeps = |field: &str| {
            self.known.iter().any(|known| known == field)
                && (same || COMMON.contains(&field))
                && written(field).is_some()
        };
        let sets = |field: &str| set.iter().any(|(name, _)| *name == field);
        let missing: Vec<String> = self
            .required
            .iter()
            .filter(|field| *field != "strategy" && !sets(field) && !keeps(field))
            .map(|field| format!("--set '{field}={}'", example(field)))
            .collect();
        if !missing.is_empty() {
            return Err(Failure::Usage(format!("`{}` needs more: add {}", self.strategy, missing.join(" "))));
        }
        let mut lines = dropped(old, gateway, |field| keeps(field) || sets(field));
        lines.push(format!("strategy: {}", self.strategy));
        lines.extend(set.iter().map(|(field, value)| format!("{field}: {value}")));
        Ok(lines)
    }
}

/// Lines that take every field of the old exposure away but these.
pub fn dropped(old: &load::Loaded, gateway: &DnsLabel, stays: impl Fn(&str) -> bool) -> Vec<String> {
    let exposure = old.written(&["gateways", gateway.as_str(), "exposure"]).map(|node| &node.value);
    let Some(Yaml::Map(entries)) = exposure else { return Vec::new() };
    entries
        .iter()
        .filter(|entry| entry.key != "strategy" && !stays(&entry.key))
        .map(|entry| format!("{}: null", entry.key))
        .collect()
}

/// `field=value`, the value on one line.
fn assignment(text: &str) -> Result<(&str, &str), Failure> {
    let (field, value) = text.split_once('=').unwrap_or((text, ""));
    let named = !field.is_empty() && field.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !named || value.is_empty() || value.chars().any(crate::grammar::is_unprintable) {
        return Err(Failure::Usage(format!(
            "`--set {}` is no field with a value; write `--set 'addresses=[198.51.100.10/32]'`, on one line",
            shown(text)
        )));
    }
    Ok((field, value))
}

/// A value for a field that a strategy cannot do without.
fn example(field: &str) -> &'static str {
    match field {
        "addresses" => "[198.51.100.10-198.51.100.20]",
        "provider" => "aws",
        _ => "…",
    }
}
