//! How a command ends: exit codes, and one shape for every error.

use std::io;

use serde_json::{Map, Value, json};

use crate::{client::error::ClientError, config::problem::Problems};

/// The exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Ok,
    /// The user can do something about it.
    User,
    /// A fault of ours.
    Ours,
    /// The configuration is wrong.
    Config,
}

impl Exit {
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::User => 1,
            Self::Ours => 2,
            Self::Config => 78,
        }
    }
}

/// Why a command failed.
#[derive(Debug, Clone)]
pub struct Failure {
    pub exit: Exit,
    /// `error.type` in JSON.
    pub kind: &'static str,
    pub message: String,
    pub hints: Vec<String>,
    /// More fields of `error` in JSON.
    pub more: Box<Map<String, Value>>,
    /// The answer is printed already: only the exit code is left.
    pub told: bool,
}

impl Failure {
    #[must_use]
    pub fn user(kind: &'static str, message: impl Into<String>) -> Self {
        Self {
            exit: Exit::User,
            kind,
            message: message.into(),
            hints: Vec::new(),
            more: Box::default(),
            told: false,
        }
    }

    #[must_use]
    pub fn usage(message: impl Into<String>) -> Self {
        Self::user("usage_error", message)
    }

    #[must_use]
    pub fn ours(message: impl Into<String>) -> Self {
        Self { exit: Exit::Ours, ..Self::user("internal_error", message) }
    }

    /// The command already printed what there is to say.
    #[must_use]
    pub fn told(exit: Exit) -> Self {
        Self { exit, told: true, ..Self::user("", "") }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// `{"ok":false,"error":{…}}`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({ "ok": false, "error": self.error_json() })
    }

    /// The `error` object alone.
    #[must_use]
    pub fn error_json(&self) -> Value {
        let mut error = Map::new();
        error.insert("type".to_owned(), json!(self.kind));
        error.insert("message".to_owned(), json!(self.message));
        for (key, value) in self.more.iter() {
            error.insert(key.clone(), value.clone());
        }
        if !self.hints.is_empty() {
            error.insert("hints".to_owned(), json!(self.hints));
        }
        Value::Object(error)
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let mut made = Self::user(error.kind.as_str(), error.message.as_str());
        let mut put = |key: &str, value: Value| made.more.insert(key.to_owned(), value);
        if let Some(refusal) = &error.refusal {
            put("code", json!(refusal.code.as_str()));
            put("retryable", json!(refusal.retryable.unwrap_or(false)));
            let details = refusal.details.as_ref();
            for key in ["reason", "requestId", "missingScope", "recommendedNextStep"] {
                if let Some(value) = details.and_then(|details| details.get(key)) {
                    put(key, value.clone());
                }
            }
            if let Some(code) = refusal.detail_code() {
                put("detailCode", json!(code));
            }
            if let Some(ms) = refusal.retry_after_ms {
                put("retryAfterMs", json!(ms));
            }
        }
        if let Some(close) = &error.close {
            put("close", json!({ "code": close.code, "reason": close.reason }));
        }
        made.hints = error.hints;
        made
    }
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        let mut made = Self::user("config_error", problems.to_string());
        made.exit = Exit::Config;
        made.more.insert("problems".to_owned(), json!(problems.list));
        made
    }
}

impl From<io::Error> for Failure {
    /// Output that cannot be written. A reader that went away has what it wanted.
    fn from(error: io::Error) -> Self {
        match error.kind() == io::ErrorKind::BrokenPipe {
            true => Self::told(Exit::Ok),
            false => Self::ours(format!("the output cannot be written: {error}")),
        }
    }
}
