//! What a connection may do, in the words of `gateway probe`.

use serde_json::{Value, json};

use crate::{
    client::{
        error::{ClientError, Kind},
        scopes,
    },
    protocol::hello::Greeting,
};

/// Ordered: a larger one may do more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Capability {
    Unknown,
    PairingPending,
    ConnectedNoOperatorScope,
    ReadOnly,
    WriteCapable,
    AdminCapable,
}

impl Capability {
    /// What `hello` grants.
    #[must_use]
    pub fn of_hello(hello: &Greeting) -> Self {
        let Some(auth) = &hello.auth else { return Self::ConnectedNoOperatorScope };
        let has = |scope: &str| auth.scopes.iter().any(|held| held == scope);
        match () {
            () if has(scopes::ADMIN) => Self::AdminCapable,
            () if has("operator.write") => Self::WriteCapable,
            () if has(scopes::READ) => Self::ReadOnly,
            () => Self::ConnectedNoOperatorScope,
        }
    }

    /// What a refusal says.
    #[must_use]
    pub fn of_error(error: &ClientError) -> Self {
        match error.kind == Kind::Pairing {
            true => Self::PairingPending,
            false => Self::Unknown,
        }
    }

    /// The word in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::PairingPending => "pairing_pending",
            Self::ConnectedNoOperatorScope => "connected_no_operator_scope",
            Self::ReadOnly => "read_only",
            Self::WriteCapable => "write_capable",
            Self::AdminCapable => "admin_capable",
        }
    }

    /// The word for people.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::PairingPending => "waits for approval",
            Self::ConnectedNoOperatorScope => "connect only",
            Self::ReadOnly => "read",
            Self::WriteCapable => "read and write",
            Self::AdminCapable => "everything",
        }
    }
}

/// `auth` of a target in JSON.
#[must_use]
pub fn auth_json(hello: Option<&Greeting>, capability: Capability) -> Value {
    let auth = hello.and_then(|hello| hello.auth.as_ref());
    json!({
        "role": auth.map(|auth| auth.role.as_str()),
        "scopes": auth.map(|auth| auth.scopes.as_slice()).unwrap_or_default(),
        "method": auth.and_then(|auth| auth.method.as_deref()),
        "capability": capability.as_str(),
    })
}

/// `server` of a target in JSON.
#[must_use]
pub fn server_json(hello: Option<&Greeting>) -> Value {
    hello.map_or(Value::Null, |hello| {
        json!({
            "version": hello.server.version,
            "protocol": hello.protocol,
            "connId": hello.server.conn_id,
        })
    })
}
