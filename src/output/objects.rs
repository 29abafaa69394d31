//! Kubernetes objects by file: what two ways in share is written once.

use serde_json::Value;

/// Adds the objects of a way in to its file, beside those of another way that the same gateway has.
pub fn join(files: &mut Vec<(String, Vec<Value>)>, name: String, mut objects: Vec<Value>) {
    match files.iter_mut().find(|(known, _)| *known == name) {
        Some((_, known)) => {
            objects.retain(|new| known.iter().all(|old| identity(old) != identity(new)));
            known.append(&mut objects);
        }
        None => files.push((name, objects)),
    }
}

/// What tells one object from another.
pub fn identity(object: &Value) -> (&str, &str) {
    (object["kind"].as_str().unwrap_or_default(), object["metadata"]["name"].as_str().unwrap_or_default())
}
