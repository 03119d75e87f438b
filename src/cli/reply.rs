//! Reading fields of the gateway's answers. A field that is missing or of another type is not there: a
//! newer or older gateway still gets its answer shown.

use serde_json::Value;

/// A text at `path` (dotted).
#[must_use]
pub fn text<'v>(value: &'v Value, path: &str) -> Option<&'v str> {
    at(value, path)?.as_str().filter(|text| !text.is_empty())
}

/// A count or a time at `path`.
#[must_use]
pub fn number(value: &Value, path: &str) -> Option<u64> {
    at(value, path)?.as_u64()
}

/// The entries of a list at `path`; none where there is no list.
pub fn list<'v>(value: &'v Value, path: &str) -> impl Iterator<Item = &'v Value> {
    at(value, path).and_then(Value::as_array).into_iter().flatten()
}

/// The texts of a list at `path`, joined.
#[must_use]
pub fn texts(value: &Value, path: &str) -> String {
    list(value, path).filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
}

/// The value at `path`.
#[must_use]
pub fn at<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('.').filter(|name| !name.is_empty()).try_fold(value, |value, name| value.get(name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_there_is_none() {
        let value = json!({"a": {"b": "x", "n": 5, "l": ["p", 1, "q"]}, "e": ""});
        assert_eq!(text(&value, "a.b"), Some("x"));
        assert_eq!(text(&value, "a.n"), None);
        assert_eq!(text(&value, "e"), None);
        assert_eq!(number(&value, "a.n"), Some(5));
        assert_eq!(number(&value, "a.b.c"), None);
        assert_eq!(texts(&value, "a.l"), "p, q");
        assert_eq!(list(&value, "a.b").count(), 0);
    }
}
