//! YAML text as a tree that remembers where every value stands.

mod compose;

pub use compose::{compose, compose_as_far};

/// Which of the files of one run a span lies in: an index into [`Files`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId(pub u16);

/// A piece of a file, in bytes from its start: `start..end`, end excluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// The file it lies in.
    pub file: FileId,
    /// First byte.
    pub start: u32,
    /// One past the last byte; never before `start`.
    pub end: u32,
}

/// One file as it was read: the path the user would recognise and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// How reports name it (`portgen.yaml`, `<stdin>`).
    pub path: String,
    /// The whole text, UTF-8.
    pub text: String,
}

/// Every file one spec was read from: the spec itself first, then its bases.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files(Vec<Source>);

impl Files {
    /// Adds a file and gives the id that spans into it carry.
    ///
    /// # Panics
    /// After 65,536 files; `input` refuses long before that.
    pub fn add(&mut self, source: Source) -> FileId {
        let id = u16::try_from(self.0.len()).expect("input bounds the number of bases");
        self.0.push(source);
        FileId(id)
    }

    /// The file behind an id that [`Files::add`] gave.
    #[must_use]
    pub fn get(&self, id: FileId) -> &Source {
        &self.0[usize::from(id.0)]
    }
}

/// A YAML value with the place it was written at.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// What was written.
    pub value: Value,
    /// Where: a scalar's text, or a collection from its first to its last byte.
    pub span: Span,
}

/// A YAML value under the 1.2 core schema; map keys are always strings.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A finite number with a fraction or an exponent.
    Float(f64),
    /// A quoted or plain text.
    Str(String),
    /// A list.
    Seq(Vec<Node>),
    /// A map in written order, keys unique.
    Map(Vec<Entry>),
}

/// One `key: value` of a map.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key's text.
    pub key: String,
    /// Where the key was written.
    pub key_span: Span,
    /// What it maps to.
    pub value: Node,
}

/// Why a text could not become a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Which kind of fault, a rule name: `yaml-syntax`, `yaml-duplicate-key`, …
    pub rule: &'static str,
    /// What is wrong, a phrase without a full stop.
    pub message: String,
    /// Where.
    pub span: Span,
    /// What to write instead.
    pub help: Option<String>,
    /// A second place that belongs to it: the first of two equal keys.
    pub also: Option<(Span, String)>,
}

impl Node {
    /// The entry a map has under `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The entry a map has under `key`, with the key's own place.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }

    /// The same value without places, for serde.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match &self.value {
            Value::Null => Json::Null,
            Value::Bool(value) => Json::Bool(*value),
            Value::Int(value) => Json::from(*value),
            Value::Float(value) => Json::from(*value),
            Value::Str(value) => Json::String(value.clone()),
            Value::Seq(items) => items.iter().map(Node::to_json).collect(),
            Value::Map(entries) => entries
                .iter()
                .map(|entry| (entry.key.clone(), entry.value.to_json()))
                .collect::<serde_json::Map<_, _>>()
                .into(),
        }
    }
}
