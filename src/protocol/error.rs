//! Error shapes: `{code, message, details?, retryable?, retryAfterMs?}`.

use std::{borrow::Cow, fmt};

use openclaw_auth::Protocol;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// `error.code` on the wire; unknown values of a newer peer are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum ErrorCode {
    InvalidRequest,
    Unavailable,
    NotPaired,
    Forbidden,
    Other(Box<str>),
}

impl ErrorCode {
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::InvalidRequest => "INVALID_REQUEST",
            Self::Unavailable => "UNAVAILABLE",
            Self::NotPaired => "NOT_PAIRED",
            Self::Forbidden => "FORBIDDEN",
            Self::Other(code) => code,
        }
    }
}

impl From<String> for ErrorCode {
    fn from(code: String) -> Self {
        match code.as_str() {
            "INVALID_REQUEST" => Self::InvalidRequest,
            "UNAVAILABLE" => Self::Unavailable,
            "NOT_PAIRED" => Self::NotPaired,
            "FORBIDDEN" => Self::Forbidden,
            _ => Self::Other(code.into()),
        }
    }
}

impl From<ErrorCode> for String {
    fn from(code: ErrorCode) -> Self {
        code.as_str().to_owned()
    }
}

/// What a caller is told when its request was not done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorShape {
    pub code: ErrorCode,
    pub message: Cow<'static, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<Box<Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retryable: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

impl ErrorShape {
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into(), details: None, retryable: None, retry_after_ms: None }
    }

    #[must_use]
    pub fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCode::InvalidRequest, message)
    }

    #[must_use]
    pub fn unavailable(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCode::Unavailable, message)
    }

    #[must_use]
    pub fn with_details(mut self, details: Value) -> Self {
        self.details = Some(Box::new(details));
        self
    }

    /// Marks the error as worth another try after `ms`.
    #[must_use]
    pub fn retry_after(mut self, ms: u64) -> Self {
        self.retryable = Some(true);
        self.retry_after_ms = Some(ms);
        self
    }

    /// Official clients match this text to degrade gracefully.
    #[must_use]
    pub fn unknown_method(name: &str) -> Self {
        Self::invalid(format!("unknown method: {name}"))
    }

    #[must_use]
    pub fn unauthorised_role(role: &str) -> Self {
        Self::invalid(format!("unauthorized role: {role}"))
    }

    /// Protocol 3 knows no `FORBIDDEN`; the sentence is the same in both.
    #[must_use]
    pub fn missing_scope(protocol: Protocol, scope: &str) -> Self {
        let message = format!("missing scope: {scope}");
        match protocol {
            Protocol::V3 => Self::invalid(message),
            Protocol::V4 => Self::new(ErrorCode::Forbidden, message).with_details(json!({
                "code": "MISSING_SCOPE", "missingScope": scope, "requiredScopes": [scope],
            })),
        }
    }

    /// `details.code`, where the finer meaning sits.
    #[must_use]
    pub fn detail_code(&self) -> Option<&str> {
        self.details.as_ref()?.get("code")?.as_str()
    }
}

impl fmt::Display for ErrorShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ErrorShape {}
