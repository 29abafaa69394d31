//! The rules of reading: what a text must be to become a spec.

use crate::finding::{Rule, Severity};

macro_rules! rules {
    ($($(#[$doc:meta])* $name:ident = $code:literal;)*) => {
        $(
            $(#[$doc])*
            pub static $name: Rule = Rule {
                name: $code,
                severity: Severity::Error,
                acceptable: false,
                page: include_str!(concat!("rules/", $code, ".md")),
            };
        )*
        /// Every rule of reading.
        pub static ALL: &[&Rule] = &[$(&$name),*];
    };
}

rules! {
    /// The text is not YAML.
    YAML_SYNTAX = "yaml-syntax";
    /// A map has a key twice.
    YAML_DUPLICATE_KEY = "yaml-duplicate-key";
    /// A key is not a text.
    YAML_KEY = "yaml-key";
    /// A whole number starts with a zero.
    YAML_LEADING_ZERO = "yaml-leading-zero";
    /// A number is too large, infinite or none at all.
    YAML_NUMBER = "yaml-number";
    /// A tag that a spec has no use for.
    YAML_TAG = "yaml-tag";
    /// More than one document in a file.
    YAML_SECOND_DOCUMENT = "yaml-second-document";
    /// Nothing in the file.
    YAML_EMPTY = "yaml-empty";
    /// An alias without an anchor, or inside its own.
    YAML_ALIAS = "yaml-alias";
    /// A merge key that merges no map.
    YAML_MERGE_KEY = "yaml-merge-key";
    /// Aliases that expand beyond any spec.
    YAML_TOO_LARGE = "yaml-too-large";
    /// Collections nested beyond any spec.
    YAML_TOO_DEEP = "yaml-too-deep";
    /// A base that cannot be had.
    UNREADABLE_BASE = "unreadable-base";
    /// A ConfigMap of an older MetalLB.
    METALLB_CONFIG_MAP = "metallb-config-map";
    /// A field that the spec does not have.
    UNKNOWN_FIELD = "unknown-field";
    /// A field that must be there.
    MISSING_FIELD = "missing-field";
    /// A value of another type.
    WRONG_TYPE = "wrong-type";
    /// A value outside its grammar.
    INVALID_VALUE = "invalid-value";
}

/// The rule with this name; the syntax rule for one that the composer made up.
#[must_use]
pub fn by_name(name: &str) -> &'static Rule {
    ALL.iter().copied().find(|rule| rule.name == name).unwrap_or(&YAML_SYNTAX)
}
