//! YAML text that reads back as the value it was written from.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Number, Value};

use crate::source::{FileId, compose};

/// How lists, long lines and empty collections are laid out.
fn layout() -> serde_yaml::SerializerOptions {
    serde_yaml::ser_options! {
        indent_step: 2,
        compact_list_indent: false,
        empty_as_braces: true,
        prefer_block_scalars: true,
        // Folding would put line breaks into commands and addresses.
        folded_wrap_chars: usize::MAX,
        // Strings that older readers take for something else get quotes.
        yaml_12: false,
    }
}

/// Writes a value as block-style YAML that reads back as the same value.
///
/// # Errors
/// When the value has no faithful text: numbers beyond 64 bits signed, nesting
/// or size beyond what is read back. The phrase says which.
pub fn to_yaml(value: &Value) -> Result<String, String> {
    let written = serde_yaml::to_string_with_options(&Quoted(value), layout())
        .map_err(|error| format!("the value cannot be written as YAML: {error}"))?;
    // Blank lines of a literal block come indented. No text with a line of
    // spaces is written as a block, so these spaces are never content.
    let mut text = String::with_capacity(written.len() + 1);
    for line in written.lines() {
        if !line.trim_matches(' ').is_empty() {
            text.push_str(line);
        }
        text.push('\n');
    }
    // A writer and a reader that share no code rarely share a mistake, and a
    // config file that says something else is worse than none.
    let read = compose(&text, FileId(0)).map_err(|faults| {
        let why = faults.first().map_or("", |fault| fault.message.as_str());
        format!("the written YAML does not read back: {why}")
    })?;
    if same(value, &read.to_json()) { Ok(text) } else { Err("the written YAML reads back as another value".to_owned()) }
}

/// Reads YAML that a template wrote.
pub fn read(text: &str) -> Result<Value, String> {
    match compose(text, FileId(0)) {
        Ok(node) => Ok(node.to_json()),
        Err(faults) => Err(faults.into_iter().map(|fault| fault.message).collect::<Vec<_>>().join("; ")),
    }
}

/// A value whose strings get quotes where a literal block, or the block form
/// of a key, is read differently by different readers.
struct Quoted<'a>(&'a Value);

impl Serialize for Quoted<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::String(text) if !fits_block(text) => serde_yaml::DoubleQuoted(text).serialize(serializer),
            Value::Array(items) => serializer.collect_seq(items.iter().map(Quoted)),
            Value::Object(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    if key.contains('\n') {
                        map.serialize_entry(&serde_yaml::DoubleQuoted(key), &Quoted(value))?;
                    } else {
                        map.serialize_entry(key, &Quoted(value))?;
                    }
                }
                map.end()
            }
            other => other.serialize(serializer),
        }
    }
}

/// Whether a text of several lines is safe as a literal block: a first line
/// that is blank or indented, a line of blanks, and a tab before the first
/// letter are where readers part ways. Texts of one line always are.
fn fits_block(text: &str) -> bool {
    !text.contains('\n')
        || (!text.starts_with(char::is_whitespace)
            && text.split('\n').all(|line| line.is_empty() || !line.trim().is_empty()))
}

/// Whether two values are equal, numbers by what they count.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => same_number(left, right),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(l, r)| same(l, r))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len() && left.iter().all(|(key, l)| right.get(key).is_some_and(|r| same(l, r)))
        }
        _ => left == right,
    }
}

/// `1.0` and `1` count the same; two whole numbers are never compared as floats.
fn same_number(left: &Number, right: &Number) -> bool {
    match (left.as_i64(), right.as_i64()) {
        (Some(left), Some(right)) => left == right,
        _ => left == right || left.as_f64() == right.as_f64(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TRICKY: &[&str] = &[
        "yes",
        "no",
        "on",
        "off",
        "y",
        "n",
        "Y",
        "N",
        "Yes",
        "NO",
        "true",
        "False",
        "1_000",
        "0x_1",
        "0777",
        "08",
        "0b1",
        "0o7",
        "null",
        "Null",
        "~",
        "",
        " ",
        " lead",
        "trail ",
        "\ttab",
        "a\tb",
        "tab\t",
        "a: b",
        ": ",
        ":",
        "a:",
        "::",
        "#",
        "a #b",
        "#x",
        "- a",
        "-",
        "--",
        "---",
        "...",
        "--- a",
        "? a",
        "?",
        "one\ntwo",
        "one\ntwo\n",
        "one\ntwo\n\n",
        "\n",
        "\n\n",
        "\none",
        "  one\ntwo",
        "one\n  two\n",
        "one \ntwo \n",
        "\t\n",
        "one\n\ttwo\n",
        "one\n\n\ntwo",
        " \n x",
        "a\r\nb",
        "a\rb",
        "<<",
        "=",
        "!x",
        "!",
        "&x",
        "*x",
        "%x",
        "@x",
        "`",
        "`x",
        "|",
        ">",
        ">-",
        "{",
        "}",
        "[",
        "]",
        "[a]",
        "{a: b}",
        ",",
        "'",
        "\"",
        "it's",
        "\"q\"",
        "\\",
        "\\n",
        "2001:db8::1",
        "::1",
        "fe80::1%eth0",
        "12:30:45",
        "1:20",
        "1e3",
        "1.",
        ".5",
        "+1",
        "-1",
        "1",
        "1.5",
        ".inf",
        "-.INF",
        ".nan",
        "inf",
        "NaN",
        "2024-01-01",
        "2024-01-01T10:00:00Z",
        "2024-01-01 10:00:00",
        "한국어",
        "한 국: 어",
        "é",
        "🦀",
        "\u{85}",
        "\u{2028}",
        "\u{feff}",
        "\u{feff}x",
        "\u{0}",
        "\u{1}",
        "\u{7f}",
        "\u{200b}",
        "\u{a0}",
        "a\u{85}b\nc",
        "\u{fffe}",
        "10.0.0.0/24",
        "00:11:22:33:44:55",
        "aa:bb:cc:dd:ee:ff",
        "1e",
        "0x",
        "0xg",
        "9223372036854775808",
        "99999999999999999999",
        "1e999",
        "_",
        "1_",
        "_1",
        "0_7",
        "a, b",
        "x]",
        "key:value",
        "http://a/b?c=d#e",
        "%YAML 1.2",
    ];

    fn read(text: &str) -> Value {
        compose(text, FileId(0)).unwrap().to_json()
    }

    #[test]
    fn tricky_strings_survive_as_values_and_keys() {
        for text in TRICKY {
            for value in [
                json!(text),
                json!([text]),
                json!({"a": text}),
                json!({*text: 1}),
                json!({"a": {"b": [text, {"c": text}]}}),
                json!([[text, text], {"d": [text]}]),
                json!({*text: {*text: [text]}}),
            ] {
                let written = to_yaml(&value).unwrap_or_else(|error| panic!("{text:?}: {error}"));
                assert_eq!(read(&written), value, "{written}");
            }
        }
        let long = "word ".repeat(200) + "end";
        let written = to_yaml(&json!({ "a": long })).unwrap();
        assert_eq!(written.lines().count(), 1);
        let all: Value = TRICKY
            .iter()
            .enumerate()
            .map(|(at, text)| (format!("k{at}"), json!(text)))
            .collect::<serde_json::Map<_, _>>()
            .into();
        assert_eq!(read(&to_yaml(&all).unwrap()), all);
    }

    #[test]
    fn layout_is_stable() {
        let value = json!({
            "empty": {},
            "list": ["a", {"b": 1, "c": [1, 2]}, [3, []]],
            "none": [], "nothing": null,
            "script": "#!/bin/sh\nset -e\n",
            "yes": "no",
            "z": "one\n\ntwo\n\n",
            "zz": " one\n",
        });
        let written = to_yaml(&value).unwrap();
        assert_eq!(
            written,
            "\
empty: {}
list:
  - a
  - b: 1
    c:
      - 1
      - 2
  - - 3
    - []
none: []
nothing: null
script: |
  #!/bin/sh
  set -e
\"yes\": \"no\"
z: |+
  one

  two

zz: \" one\\n\"
"
        );
        assert_eq!(to_yaml(&json!({})).unwrap(), "{}\n");
        assert_eq!(to_yaml(&json!([])).unwrap(), "[]\n");
    }

    #[test]
    fn numbers_compare_by_value() {
        let value = json!([1, -1, 1.0, 1.5, 1e300, 1e-7, 0.1, i64::MIN, i64::MAX, -0.0, 5e-324, 1e21, 123_456_789.0]);
        let written = to_yaml(&value).unwrap();
        assert!(same(&value, &read(&written)), "{written}");
        assert!(to_yaml(&json!(u64::MAX)).is_err());
        assert!(!same(&json!(i64::MAX), &json!(i64::MAX - 1)));
        assert!(same(&json!(1), &json!(1.0)));
        assert!(!same(&json!({"a": 1}), &json!({"b": 1})));
    }

    #[test]
    fn nesting_that_cannot_be_read_back_is_refused() {
        let mut value = json!(1);
        for _ in 0..70 {
            value = json!([value]);
        }
        assert!(to_yaml(&value).is_err());
    }
}
