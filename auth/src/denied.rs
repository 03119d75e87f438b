//! Every way to be refused, and how each looks on the wire, to HTTP, in a log and to a person.
//!
//! `Cause` says what happened; `Denied` adds what the answer depends on (protocol, mode, who asked) and what the caller
//! must do (delay, retry-after). Texts follow protocol 4.2 to the letter. Nothing here may hold a secret (I5).

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use crate::admit::NotLocal;
use crate::device::{DeviceFault, DeviceId};
use crate::limiter::Class;
use crate::pairing::PairReason;
use crate::policy::Protocol;
use crate::role::Role;
use crate::scope::ScopeSet;

mod human;
mod wire;

pub use wire::DetailValue;

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A header that must be single came twice, or under a look-alike name (B14, B17, D10, D11, E15).
    AmbiguousHeader {
        name: Cow<'static, str>,
    },
    /// The request is not well-formed (G1-G5, G9, G12); `what` names the part.
    BadRequest {
        what: &'static str,
    },
    /// Too many or too large headers (G8, F28).
    HeaderTooLarge {
        what: &'static str,
    },
    /// The WebSocket version is not 13 (G12).
    UpgradeRequired,
    /// A token, password or ticket in the query (D14).
    CredentialInUrl,
    /// A browser used a name that is not ours (D2-D4, D12).
    HostNotOwn {
        host: Box<str>,
    },
    /// A page of another origin asks (D1, D5, D7-D9, D20, D22).
    OriginNotAllowed {
        origin: Box<str>,
    },
    /// A browser client without an Origin (protocol 4.5).
    OriginMissing,
    /// A browser says that another site asks (D6).
    CrossSite,
    /// Forwarding evidence from somebody who is not a trusted proxy (B1, B2, B35, C6, C8-C10).
    ProxyAttributionRequired,
    /// Forwarding headers that no honest proxy sends (C4, C5, C7, B43, B45).
    BadForwarded {
        what: &'static str,
    },
    /// A forwarded client that can be no client: loopback, unspecified, multicast (C2, B44).
    ForwardedClient,
    /// The proxy is this very host (C16).
    TrustedProxyLocalInterface,
    /// The proxy is on loopback and not an allowed process (C17).
    TrustedProxyLoopback,
    /// The proxy named no user, or one that is not allowed.
    TrustedProxyUser {
        fault: ProxyUserFault,
    },
    /// Serve did not send what it always sends (B46, B47).
    ServeHeaders {
        what: &'static str,
    },
    /// Funnel where none is configured (B30, B31).
    FunnelUnexpected,
    /// A loopback listener was reached from elsewhere (A18).
    PeerNotLoopback,
    /// Mode `none` admits this host only (E22).
    NoneNeedsLocal {
        why: NotLocal,
    },
    /// Mode `none` and a request shaped by something remote (E22).
    NoneRemoteShape {
        what: &'static str,
    },
    ProtocolMismatch {
        min: u64,
        max: u64,
    },
    InvalidRole,
    WorkerRole,
    /// More than 32 scopes, or one that cannot be a scope (H18).
    BadScopes,
    /// Longer than 1 KiB (E14).
    OversizeCredential,
    SecretMismatch,
    SecretMissing,
    DeviceTokenMismatch,
    ScopeMismatch,
    RateLimited,
    DeviceIdentityRequired,
    ControlUiDeviceIdentityRequired,
    Device(DeviceFault),
    Pairing(Box<PairingInfo>),
    /// Tailscale evidence that forbids (B8, B10, B20, B26-B28, B51).
    Tailscale(TailscaleFault),
    /// HTTP: no or wrong bearer (B36).
    Unauthorized,
    /// HTTP: the `Authorization` header cannot be read (E15).
    BadAuthorization,
}

/// Why a trusted proxy's word for a user is not enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProxyUserFault {
    /// The user header is absent.
    Missing,
    /// A required header is absent.
    RequiredHeader,
    /// The user is not in `allowUsers`.
    NotAllowed,
}

/// Why tailscaled's answer is not enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TailscaleFault {
    UnknownPeer,
    Unavailable,
    TaggedNode,
    SharedNode,
    OwnNode,
    Expired,
    Jailed,
    IdentityMismatch,
}

/// What a `PAIRING_REQUIRED` answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairingInfo {
    pub reason: PairReason,
    pub request_id: Box<str>,
    pub device_id: DeviceId,
    pub role: Role,
    pub scopes: ScopeSet,
    pub approved: Vec<(Role, ScopeSet)>,
}

/// Which secret the gateway compares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SecretKind {
    #[default]
    Token,
    Password,
}

/// Who asked, as far as hints differ (protocol 4.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Speaker {
    LocalCli,
    RemoteCli,
    ControlUi,
    #[default]
    Other,
}

/// Whether the client could come again with a device token (protocol 4.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Retry {
    /// A device block and `auth.token`, but no `auth.deviceToken` was sent.
    WithDeviceToken,
    #[default]
    No,
}

/// What the words of an answer depend on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tone {
    pub protocol: Protocol,
    pub secret: SecretKind,
    pub speaker: Speaker,
    pub retry: Retry,
}

/// A refusal, ready to be answered, logged and counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    cause: Cause,
    tone: Tone,
    counted: Option<Class>,
    delay: Option<Duration>,
    retry_after: Option<Duration>,
}

impl Denied {
    /// A refusal may be made anywhere; only a [`crate::Grant`] may not.
    #[must_use]
    pub fn new(cause: Cause) -> Self {
        Self { cause, tone: Tone::default(), counted: None, delay: None, retry_after: None }
    }

    /// Speak the client's protocol.
    #[must_use]
    pub fn for_protocol(mut self, protocol: Protocol) -> Self {
        self.tone.protocol = protocol;
        self
    }

    pub(crate) fn toned(mut self, tone: Tone) -> Self {
        self.tone = tone;
        self
    }

    pub(crate) fn counted(mut self, class: Class) -> Self {
        self.counted = Some(class);
        self
    }

    pub(crate) fn delayed(mut self, delay: Option<Duration>) -> Self {
        self.delay = delay;
        self
    }

    pub(crate) fn retry_after_at(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    #[must_use]
    pub fn cause(&self) -> &Cause {
        &self.cause
    }

    /// Hold the answer back for this long: loopback guesses are slowed, never locked (F8).
    #[must_use]
    pub fn delay(&self) -> Option<Duration> {
        self.delay
    }

    /// `Retry-After` and `retryAfterMs`.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// The limiter has already counted this refusal, in the named class.
    #[must_use]
    pub fn counts_as_failure(&self) -> Option<Class> {
        self.counted
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason(), self.message())
    }
}

impl std::error::Error for Denied {}
