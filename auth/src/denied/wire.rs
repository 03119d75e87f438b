//! A refusal as a `res` frame, a close frame and an HTTP answer.

use std::borrow::Cow;
use std::time::Duration;

use super::{Cause, Denied, PairingInfo, Retry, SecretKind, Speaker};
use crate::device::DeviceFault;
use crate::pairing::PairReason;
use crate::policy::Protocol;

/// A close frame carries at most 125 bytes with its code; upstream cuts at 120.
const MAX_CLOSE_REASON: usize = 120;

/// A value of `error.details`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DetailValue {
    Text(Cow<'static, str>),
    Number(u64),
    Flag(bool),
    List(Vec<String>),
}

type Details = Vec<(&'static str, DetailValue)>;

fn text(value: &'static str) -> DetailValue {
    DetailValue::Text(Cow::Borrowed(value))
}

impl Denied {
    /// `error.code` of the `res` frame.
    #[must_use]
    pub fn code(&self) -> &'static str {
        if matches!(self.cause, Cause::DeviceIdentityRequired | Cause::Pairing(_)) {
            "NOT_PAIRED"
        } else {
            "INVALID_REQUEST"
        }
    }

    /// `error.message` of the `res` frame.
    #[must_use]
    pub fn message(&self) -> Cow<'static, str> {
        let what = match (&self.cause, self.tone.secret) {
            (Cause::Pairing(info), _) => return self.pairing_message(info),
            (Cause::SecretMismatch, SecretKind::Token) => "gateway token mismatch",
            (Cause::SecretMismatch, SecretKind::Password) => "gateway password mismatch",
            (Cause::SecretMissing, SecretKind::Token) => "gateway token missing",
            (Cause::SecretMissing, SecretKind::Password) => "gateway password missing",
            // Protocol 3 has no word of its own for it.
            (Cause::ScopeMismatch, _) if self.tone.protocol == Protocol::V3 => {
                return Cow::Borrowed(plain_message(&Cause::DeviceTokenMismatch));
            }
            (cause, _) => return Cow::Borrowed(plain_message(cause)),
        };
        Cow::Owned(format!("unauthorized: {what} ({})", self.parenthesis()))
    }

    /// The hint inside the parentheses, by who asked (protocol 4.2).
    fn parenthesis(&self) -> &'static str {
        match (self.tone.secret, self.tone.speaker) {
            (SecretKind::Token, Speaker::LocalCli) => {
                "use this gateway's gateway.auth.token or pair the device"
            }
            (SecretKind::Token, Speaker::RemoteCli) => {
                "set gateway.remote.token to match gateway.auth.token"
            }
            (SecretKind::Token, Speaker::ControlUi) => {
                "open the dashboard URL and paste the token in Control UI settings"
            }
            (SecretKind::Token, Speaker::Other) => "provide gateway auth token",
            (SecretKind::Password, Speaker::LocalCli) => "use this gateway's gateway.auth.password",
            (SecretKind::Password, Speaker::RemoteCli) => {
                "set gateway.remote.password to match gateway.auth.password"
            }
            (SecretKind::Password, Speaker::ControlUi) => {
                "enter the password in Control UI settings"
            }
            (SecretKind::Password, Speaker::Other) => "provide gateway auth password",
        }
    }

    fn pairing_message(&self, info: &PairingInfo) -> Cow<'static, str> {
        if self.tone.protocol == Protocol::V3 {
            return Cow::Borrowed("pairing required");
        }
        Cow::Borrowed(match info.reason {
            PairReason::NotPaired => "pairing required: device is not approved yet",
            PairReason::RoleUpgrade => {
                "pairing required: device is asking for a higher role than currently approved"
            }
            PairReason::ScopeUpgrade => {
                "pairing required: device is asking for more scopes than currently approved"
            }
            PairReason::MetadataUpgrade => {
                "pairing required: device identity changed and must be re-approved"
            }
        })
    }

    /// `error.details`, empty when the wire shows none.
    #[must_use]
    pub fn details(&self) -> Vec<(&'static str, DetailValue)> {
        match &self.cause {
            Cause::SecretMismatch | Cause::SecretMissing => self.secret_details(),
            Cause::DeviceTokenMismatch => self.auth_details(
                "AUTH_DEVICE_TOKEN_MISMATCH",
                "device_token_mismatch",
                "update_auth_credentials",
            ),
            Cause::ScopeMismatch if self.tone.protocol == Protocol::V3 => self.auth_details(
                "AUTH_DEVICE_TOKEN_MISMATCH",
                "scope_mismatch",
                "review_auth_configuration",
            ),
            Cause::ScopeMismatch => self.auth_details(
                "AUTH_SCOPE_MISMATCH",
                "scope_mismatch",
                "review_auth_configuration",
            ),
            Cause::RateLimited => {
                self.auth_details("AUTH_RATE_LIMITED", "rate_limited", "wait_then_retry")
            }
            Cause::Tailscale(_) | Cause::TrustedProxyUser { .. } | Cause::Unauthorized => {
                self.auth_details("AUTH_UNAUTHORIZED", self.reason(), "review_auth_configuration")
            }
            Cause::DeviceIdentityRequired => vec![("code", text("DEVICE_IDENTITY_REQUIRED"))],
            Cause::ControlUiDeviceIdentityRequired => {
                vec![("code", text("CONTROL_UI_DEVICE_IDENTITY_REQUIRED"))]
            }
            Cause::Device(fault) => self.device_details(*fault),
            Cause::Pairing(info) => self.pairing_details(info),
            Cause::OriginNotAllowed { .. } => self.origin_details("origin not allowed"),
            Cause::OriginMissing => self.origin_details("origin missing or invalid"),
            Cause::ProtocolMismatch { min, max } => self.protocol_details(*min, *max),
            Cause::AmbiguousHeader { .. }
            | Cause::BadRequest { .. }
            | Cause::HeaderTooLarge { .. }
            | Cause::UpgradeRequired
            | Cause::CredentialInUrl
            | Cause::HostNotOwn { .. }
            | Cause::CrossSite
            | Cause::ProxyAttributionRequired
            | Cause::BadForwarded { .. }
            | Cause::ForwardedClient
            | Cause::TrustedProxyLocalInterface
            | Cause::TrustedProxyLoopback
            | Cause::ServeHeaders { .. }
            | Cause::FunnelUnexpected
            | Cause::PeerNotLoopback
            | Cause::NoneNeedsLocal { .. }
            | Cause::NoneRemoteShape { .. }
            | Cause::InvalidRole
            | Cause::WorkerRole
            | Cause::BadScopes
            | Cause::OversizeCredential
            | Cause::BadAuthorization => Vec::new(),
        }
    }

    fn secret_details(&self) -> Details {
        let missing = self.cause == Cause::SecretMissing;
        let next = match (missing, self.tone.retry) {
            (true, _) => "update_auth_configuration",
            (false, Retry::WithDeviceToken) => "retry_with_device_token",
            (false, Retry::No) => "update_auth_credentials",
        };
        match (self.tone.secret, missing) {
            (SecretKind::Token, true) => {
                self.auth_details("AUTH_TOKEN_MISSING", "token_missing", next)
            }
            (SecretKind::Token, false) => {
                self.auth_details("AUTH_TOKEN_MISMATCH", "token_mismatch", next)
            }
            (SecretKind::Password, true) => {
                self.auth_details("AUTH_PASSWORD_MISSING", "password_missing", next)
            }
            (SecretKind::Password, false) => {
                self.auth_details("AUTH_PASSWORD_MISMATCH", "password_mismatch", next)
            }
        }
    }

    fn auth_details(
        &self,
        code: &'static str,
        reason: &'static str,
        next: &'static str,
    ) -> Details {
        let mut details = vec![("code", text(code)), ("authReason", text(reason))];
        if self.tone.protocol >= Protocol::V4 {
            let retry = next == "retry_with_device_token";
            details.push(("canRetryWithDeviceToken", DetailValue::Flag(retry)));
            details.push(("recommendedNextStep", text(next)));
        }
        details
    }

    fn device_details(&self, fault: DeviceFault) -> Details {
        let (code, reason) = device_words(fault);
        let code = if self.tone.protocol == Protocol::V3 { "DEVICE_AUTH_INVALID" } else { code };
        vec![("code", text(code)), ("reason", text(reason))]
    }

    fn origin_details(&self, reason: &'static str) -> Details {
        if self.tone.protocol == Protocol::V3 {
            return Vec::new();
        }
        vec![("code", text("CONTROL_UI_ORIGIN_NOT_ALLOWED")), ("reason", text(reason))]
    }

    /// A client outside both ranges gets the newer answer: it says more (protocol 3.5).
    fn protocol_details(&self, min: u64, max: u64) -> Details {
        vec![
            ("code", text("PROTOCOL_MISMATCH")),
            ("clientMinProtocol", DetailValue::Number(min)),
            ("clientMaxProtocol", DetailValue::Number(max)),
            ("expectedProtocol", DetailValue::Number(4)),
            ("minimumProbeProtocol", DetailValue::Number(3)),
        ]
    }

    fn pairing_details(&self, info: &PairingInfo) -> Details {
        let owned = |value: &str| DetailValue::Text(Cow::Owned(value.to_owned()));
        let code = ("code", text("PAIRING_REQUIRED"));
        let reason = ("reason", text(info.reason.as_str()));
        let request = ("requestId", owned(&info.request_id));
        if self.tone.protocol == Protocol::V3 {
            return vec![code, request, reason];
        }
        let mut details = vec![
            code,
            reason,
            request,
            ("remediationHint", text(remediation(info.reason))),
            ("deviceId", owned(info.device_id.as_str())),
            ("requestedRole", text(info.role.as_str())),
        ];
        let list = |words: Vec<String>| DetailValue::List(words);
        if !info.scopes.is_empty() {
            details
                .push(("requestedScopes", list(info.scopes.words().map(str::to_owned).collect())));
        }
        if !info.approved.is_empty() {
            let roles = info.approved.iter().map(|(role, _)| role.as_str().to_owned()).collect();
            details.push(("approvedRoles", list(roles)));
            let mut scopes: Vec<String> = info
                .approved
                .iter()
                .flat_map(|(_, scopes)| scopes.words().map(str::to_owned))
                .collect();
            scopes.sort();
            scopes.dedup();
            details.push(("approvedScopes", list(scopes)));
        }
        details
    }

    /// `error.retryable` and `error.retryAfterMs`; protocol 3 has neither.
    #[must_use]
    pub fn retry_after_ms(&self) -> Option<u64> {
        let wait = self.retry_after().filter(|_| self.tone.protocol >= Protocol::V4)?;
        Some(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX))
    }

    /// False when the socket is closed without a `res` frame.
    #[must_use]
    pub fn answers(&self) -> bool {
        self.cause != Cause::WorkerRole
    }

    /// The WebSocket close code.
    #[must_use]
    pub fn close_code(&self) -> u16 {
        if matches!(self.cause, Cause::ProtocolMismatch { .. }) { 1002 } else { 1008 }
    }

    /// The close reason, at most 120 bytes of UTF-8.
    #[must_use]
    pub fn close_reason(&self) -> Cow<'static, str> {
        let mut reason = self.message();
        if let Cause::Pairing(info) = &self.cause
            && self.tone.protocol >= Protocol::V4
        {
            reason = Cow::Owned(format!("{reason} (requestId: {})", info.request_id));
        }
        if reason.len() <= MAX_CLOSE_REASON {
            return reason;
        }
        let end = reason.floor_char_boundary(MAX_CLOSE_REASON);
        Cow::Owned(reason.get(..end).unwrap_or_default().to_owned())
    }

    /// The status when the request is refused as HTTP.
    #[must_use]
    pub fn http_status(&self) -> u16 {
        match &self.cause {
            Cause::AmbiguousHeader { .. }
            | Cause::BadRequest { .. }
            | Cause::CredentialInUrl
            | Cause::BadForwarded { .. }
            | Cause::BadAuthorization
            | Cause::OversizeCredential
            | Cause::ProtocolMismatch { .. }
            | Cause::InvalidRole
            | Cause::WorkerRole
            | Cause::BadScopes => 400,
            Cause::HeaderTooLarge { .. } => 431,
            Cause::UpgradeRequired => 426,
            Cause::HostNotOwn { .. } => 421,
            Cause::RateLimited => 429,
            Cause::Unauthorized
            | Cause::SecretMismatch
            | Cause::SecretMissing
            | Cause::DeviceTokenMismatch
            | Cause::DeviceIdentityRequired
            | Cause::ControlUiDeviceIdentityRequired
            | Cause::Device(_) => 401,
            Cause::OriginNotAllowed { .. }
            | Cause::OriginMissing
            | Cause::CrossSite
            | Cause::ProxyAttributionRequired
            | Cause::ForwardedClient
            | Cause::TrustedProxyLocalInterface
            | Cause::TrustedProxyLoopback
            | Cause::TrustedProxyUser { .. }
            | Cause::ServeHeaders { .. }
            | Cause::FunnelUnexpected
            | Cause::PeerNotLoopback
            | Cause::NoneNeedsLocal { .. }
            | Cause::NoneRemoteShape { .. }
            | Cause::ScopeMismatch
            | Cause::Pairing(_) => 403,
            Cause::Tailscale(fault) => fault.http_status(),
        }
    }

    /// The wait rounded up to whole seconds, for `Retry-After`.
    #[must_use]
    pub fn retry_after_seconds(&self) -> Option<u64> {
        self.retry_after()
            .map(|wait| wait.as_secs() + u64::from(wait > Duration::from_secs(wait.as_secs())))
    }
}

fn remediation(reason: PairReason) -> &'static str {
    match reason {
        PairReason::NotPaired => "Approve this device from the pending pairing requests.",
        PairReason::RoleUpgrade => {
            "Review the requested role upgrade, then approve the pending request."
        }
        PairReason::ScopeUpgrade => {
            "Review the requested scopes, then approve the pending upgrade."
        }
        PairReason::MetadataUpgrade => {
            "Review the refreshed device details, then approve the pending request."
        }
    }
}

fn device_words(fault: DeviceFault) -> (&'static str, &'static str) {
    match fault {
        DeviceFault::IdMismatch => ("DEVICE_AUTH_DEVICE_ID_MISMATCH", "device-id-mismatch"),
        DeviceFault::Expired => ("DEVICE_AUTH_SIGNATURE_EXPIRED", "device-signature-stale"),
        DeviceFault::NonceMissing => ("DEVICE_AUTH_NONCE_REQUIRED", "device-nonce-missing"),
        DeviceFault::NonceMismatch => ("DEVICE_AUTH_NONCE_MISMATCH", "device-nonce-mismatch"),
        DeviceFault::Signature => ("DEVICE_AUTH_SIGNATURE_INVALID", "device-signature"),
        DeviceFault::PublicKey => ("DEVICE_AUTH_PUBLIC_KEY_INVALID", "device-public-key"),
    }
}

fn plain_message(cause: &Cause) -> &'static str {
    match cause {
        Cause::DeviceIdentityRequired => "device identity required",
        Cause::ControlUiDeviceIdentityRequired => {
            "control ui requires device identity (use HTTPS or localhost secure context)"
        }
        Cause::DeviceTokenMismatch => {
            "unauthorized: device token mismatch (rotate/reissue device token)"
        }
        Cause::ScopeMismatch => {
            "unauthorized: device token scope mismatch (re-pair or approve scope upgrade)"
        }
        Cause::RateLimited => "unauthorized: too many failed authentication attempts (retry later)",
        Cause::Device(DeviceFault::IdMismatch) => "device identity mismatch",
        Cause::Device(DeviceFault::Expired) => "device signature expired",
        Cause::Device(DeviceFault::NonceMissing) => "device nonce required",
        Cause::Device(DeviceFault::NonceMismatch) => "device nonce mismatch",
        Cause::Device(DeviceFault::Signature) => "device signature invalid",
        Cause::Device(DeviceFault::PublicKey) => "device public key invalid",
        Cause::OriginNotAllowed { .. } | Cause::OriginMissing | Cause::CrossSite => {
            "origin not allowed (open the Control UI from the gateway host or allow it in \
             gateway.controlUi.allowedOrigins)"
        }
        Cause::ProtocolMismatch { .. } => "protocol mismatch",
        Cause::InvalidRole => "invalid role",
        Cause::WorkerRole => "invalid-handshake",
        Cause::BadScopes => "invalid connect params: at /scopes: must be at most 32 scope names",
        Cause::OversizeCredential => "invalid connect params: at /auth: must be at most 1024 bytes",
        Cause::Tailscale(_) => "unauthorized: tailscale identity refused",
        Cause::TrustedProxyUser { .. } => "unauthorized: trusted proxy identity refused",
        Cause::SecretMismatch | Cause::SecretMissing | Cause::Unauthorized => "unauthorized",
        Cause::Pairing(_) => "pairing required",
        Cause::AmbiguousHeader { .. }
        | Cause::BadRequest { .. }
        | Cause::HeaderTooLarge { .. }
        | Cause::UpgradeRequired
        | Cause::CredentialInUrl
        | Cause::BadForwarded { .. }
        | Cause::BadAuthorization => "bad request",
        Cause::HostNotOwn { .. } => "misdirected request",
        Cause::ProxyAttributionRequired
        | Cause::ForwardedClient
        | Cause::TrustedProxyLocalInterface
        | Cause::TrustedProxyLoopback
        | Cause::ServeHeaders { .. }
        | Cause::FunnelUnexpected
        | Cause::PeerNotLoopback
        | Cause::NoneNeedsLocal { .. }
        | Cause::NoneRemoteShape { .. } => "forbidden",
    }
}
