//! What went wrong, for scripts ([`Kind`]) and for people (message and hints).
//!
//! Texts of the other side are kept as they came; whoever prints them takes control characters out
//! (`I10`). No message holds a credential (`J13`).

use std::time::Duration;

use serde_json::Value;

use crate::protocol::{close::Close, error::ErrorShape};

/// The class of a failure, printed as `error.type` in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The address may not be dialled as asked.
    Target,
    /// `--url` without credentials.
    CredentialsRequired,
    /// No connection, or it broke.
    Transport,
    /// Wrong certificate.
    Tls,
    /// The gateway does not accept who we are.
    Auth,
    /// The gateway wants an operator to approve this device.
    Pairing,
    /// The gateway refused a request.
    Request,
    /// The other side does not speak the protocol.
    Protocol,
    /// A deadline passed.
    Timeout,
    /// Our own files.
    State,
}

impl Kind {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Target => "gateway_target_error",
            Self::CredentialsRequired => "gateway_credentials_required",
            Self::Transport => "gateway_transport_error",
            Self::Tls => "gateway_tls_error",
            Self::Auth => "gateway_auth_error",
            Self::Pairing => "gateway_pairing_required",
            Self::Request => "gateway_request_error",
            Self::Protocol => "gateway_protocol_error",
            Self::Timeout => "gateway_timeout",
            Self::State => "client_state_error",
        }
    }
}

/// Why there is no connection or no answer.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct ClientError {
    pub kind: Kind,
    pub message: String,
    /// What to do, most likely first.
    pub hints: Vec<String>,
    /// The gateway's own words, where it spoke.
    pub refusal: Option<Box<ErrorShape>>,
    /// The close frame, where one came.
    pub close: Option<Close>,
}

impl ClientError {
    #[must_use]
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hints: Vec::new(), refusal: None, close: None }
    }

    #[must_use]
    pub fn transport(message: impl Into<String>) -> Self {
        Self::new(Kind::Transport, message)
    }

    #[must_use]
    pub fn protocol(message: impl Into<String>) -> Self {
        Self::new(Kind::Protocol, message)
    }

    #[must_use]
    pub fn timeout(what: &str, limit: Duration) -> Self {
        Self::new(Kind::Timeout, format!("{what} within {} ms", limit.as_millis()))
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    #[must_use]
    pub fn closed(close: Close) -> Self {
        let message = match close.reason.as_str() {
            "" => format!("the gateway closed the connection ({})", close.code),
            reason => format!("the gateway closed the connection ({}: {reason})", close.code),
        };
        Self { close: Some(close), ..Self::transport(message) }
    }

    /// A request that the gateway answered with `error`.
    #[must_use]
    pub fn request(error: ErrorShape) -> Self {
        let mut made = Self::new(Kind::Request, error.message.as_ref());
        if let Some(scope) = missing_scope(&error) {
            made = made.hint(format!(
                "this connection lacks `{scope}`: pair this device with that scope, or use the shared token on the gateway host"
            ));
        }
        made.refusal = Some(Box::new(error));
        made
    }

    /// The scope that was missing, if that is the reason.
    #[must_use]
    pub fn missing_scope(&self) -> Option<&str> {
        missing_scope(self.refusal.as_deref()?)
    }

    /// `error.code` of the gateway.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.refusal.as_ref().map(|error| error.code.as_str())
    }

    /// One text of `error.details`.
    #[must_use]
    pub fn detail(&self, name: &str) -> Option<&str> {
        self.refusal.as_ref()?.details.as_ref()?.get(name)?.as_str()
    }

    pub(super) fn wants_device_token(&self) -> bool {
        let details = self.refusal.as_ref().and_then(|error| error.details.as_ref());
        let flag = details.and_then(|details| details.get("canRetryWithDeviceToken"));
        self.detail("recommendedNextStep") == Some("retry_with_device_token")
            || flag == Some(&Value::Bool(true))
    }
}

/// Protocol 4 says it in the details, protocol 3 only in the sentence.
fn missing_scope(error: &ErrorShape) -> Option<&str> {
    let told = error.details.as_ref().and_then(|details| details.get("missingScope"));
    told.and_then(Value::as_str).or_else(|| error.message.strip_prefix("missing scope: "))
}
