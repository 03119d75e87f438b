//! The sentence for JSON that does not fit its type, in the shape upstream's validator writes:
//! `at /client/id: …`, `must have required property 'x'`, `at root: unexpected property 'x'`.

use serde::de::DeserializeOwned;
use serde_path_to_error::Path;

/// Reads `json` as `T`, or says in upstream's words what does not fit.
///
/// # Errors
/// The sentence, without the value: a caller may show it to a stranger.
pub fn read<T: DeserializeOwned>(json: &str) -> Result<T, String> {
    // serde would read an array as a struct, field by field.
    if !json.trim_start().starts_with('{') {
        return Err("must be object".to_owned());
    }
    let mut reader = serde_json::Deserializer::from_str(json);
    serde_path_to_error::deserialize(&mut reader)
        .map_err(|error| sentence(error.path(), &error.inner().to_string()))
}

fn sentence(path: &Path, cause: &str) -> String {
    let cause = cause.split(" at line ").next().unwrap_or(cause);
    if let Some(name) = quoted(cause, "unknown field `") {
        return format!("at {}: unexpected property '{name}'", place(path, Some(name)));
    }
    if let Some(name) = quoted(cause, "missing field `") {
        let place = place(path, None);
        let prefix = if place == "root" { String::new() } else { format!("at {place}: ") };
        return format!("{prefix}must have required property '{name}'");
    }
    if quoted(cause, "duplicate field `").is_some() {
        return format!("at {}: must not name a property twice", place(path, None));
    }
    if let Some(what) =
        cause.split("expected ").nth(1).filter(|_| cause.starts_with("invalid type"))
    {
        return match (place(path, None), kind(what)) {
            (place, "object") if place == "root" => "must be object".to_owned(),
            (place, kind) => format!("at {place}: must be {kind}"),
        };
    }
    if cause.starts_with("invalid value") || cause.starts_with("unknown variant") {
        return format!("at {}: must be equal to one of the allowed values", place(path, None));
    }
    format!("at {}: must be valid JSON of the expected shape", place(path, None))
}

fn quoted<'a>(cause: &'a str, start: &str) -> Option<&'a str> {
    cause.strip_prefix(start)?.split('`').next()
}

/// `/client/id`, or `root`. For an unexpected property the parser's path already ends in its name.
fn place(path: &Path, unexpected: Option<&str>) -> String {
    let mut text = String::new();
    for segment in path.iter() {
        text.push('/');
        text.push_str(&segment.to_string());
    }
    if let Some(parent) = unexpected.and_then(|name| text.strip_suffix(&format!("/{name}"))) {
        text = parent.to_owned();
    }
    if text.is_empty() || text == "/?" { "root".to_owned() } else { text }
}

fn kind(expected: &str) -> &'static str {
    let integers = ["u64", "u32", "i64", "u16", "i32", "usize", "u8"];
    if expected.contains("string") || expected.contains("str") && !expected.contains("struct") {
        "string"
    } else if integers.iter().any(|name| expected.starts_with(name)) {
        "integer"
    } else if expected.contains("boolean") {
        "boolean"
    } else if expected.contains("sequence") {
        "array"
    } else if expected.contains("struct") || expected.contains("map") {
        "object"
    } else {
        "of the expected type"
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::read;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    #[expect(dead_code, reason = "only the failure to read is looked at")]
    struct Outer {
        request_id: String,
        inner: Option<Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only the failure to read is looked at")]
    struct Inner {
        limit: u32,
    }

    #[test]
    fn sentences_are_upstreams() {
        let rows = [
            ("{}", "must have required property 'requestId'"),
            (r#"{"requestId":"a","bogus":1}"#, "at root: unexpected property 'bogus'"),
            (r#"{"requestId":5}"#, "at /requestId: must be string"),
            (r#"{"requestId":"a","inner":{}}"#, "at /inner: must have required property 'limit'"),
            (
                r#"{"requestId":"a","inner":{"limit":1,"x":2}}"#,
                "at /inner: unexpected property 'x'",
            ),
            (r#"{"requestId":"a","inner":{"limit":"x"}}"#, "at /inner/limit: must be integer"),
            (r#"{"requestId":"a","requestId":"b"}"#, "at root: must not name a property twice"),
            ("[1]", "must be object"),
            ("5", "must be object"),
        ];
        for (json, expected) in rows {
            let sentence = read::<Outer>(json).map(|_| ()).expect_err(json);
            assert_eq!(sentence, expected, "{json}");
        }
    }

    #[test]
    fn a_value_is_never_echoed() {
        let sentence =
            read::<Outer>(r#"{"requestId":{"canary-secret":1}}"#).map(|_| ()).expect_err("type");
        assert!(!sentence.contains("canary"), "{sentence}");
    }
}
