//! A refusal for logs, metrics and people.

use std::borrow::Cow;

use super::{Cause, Denied, ProxyUserFault, TailscaleFault};
use crate::pairing::PairReason;

impl Denied {
    /// A stable snake_case word for logs and metrics.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match &self.cause {
            Cause::AmbiguousHeader { .. } => "ambiguous_header",
            Cause::BadRequest { .. } => "bad_request",
            Cause::HeaderTooLarge { .. } => "header_too_large",
            Cause::UpgradeRequired => "upgrade_required",
            Cause::CredentialInUrl => "credential_in_url",
            Cause::HostNotOwn { .. } => "host_not_own",
            Cause::OriginNotAllowed { .. } => "origin_not_allowed",
            Cause::OriginMissing => "origin_missing",
            Cause::CrossSite => "cross_site",
            Cause::ProxyAttributionRequired => "proxy_attribution_required",
            Cause::BadForwarded { .. } => "bad_forwarded",
            Cause::ForwardedClient => "forwarded_client",
            Cause::TrustedProxyLocalInterface => "trusted_proxy_local_interface_source",
            Cause::TrustedProxyLoopback => "trusted_proxy_loopback",
            Cause::TrustedProxyUser { fault } => fault.reason(),
            Cause::ServeHeaders { .. } => "serve_headers",
            Cause::FunnelUnexpected => "funnel_unexpected",
            Cause::PeerNotLoopback => "peer_not_loopback",
            Cause::NoneNeedsLocal { .. } => "none_needs_local",
            Cause::NoneRemoteShape { .. } => "none_remote_shape",
            Cause::ProtocolMismatch { .. } => "protocol_mismatch",
            Cause::InvalidRole => "invalid_role",
            Cause::WorkerRole => "worker_role",
            Cause::BadScopes => "bad_scopes",
            Cause::OversizeCredential => "oversize_credential",
            Cause::SecretMismatch => "secret_mismatch",
            Cause::SecretMissing => "secret_missing",
            Cause::DeviceTokenMismatch => "device_token_mismatch",
            Cause::ScopeMismatch => "scope_mismatch",
            Cause::RateLimited => "rate_limited",
            Cause::DeviceIdentityRequired => "device_identity_required",
            Cause::ControlUiDeviceIdentityRequired => "control_ui_device_identity_required",
            Cause::Device(_) => "device_auth_invalid",
            Cause::Pairing(info) => match info.reason {
                PairReason::NotPaired => "not_paired",
                PairReason::RoleUpgrade => "role_upgrade",
                PairReason::ScopeUpgrade => "scope_upgrade",
                PairReason::MetadataUpgrade => "metadata_upgrade",
            },
            Cause::Tailscale(fault) => fault.reason(),
            Cause::Unauthorized => "unauthorized",
            Cause::BadAuthorization => "bad_authorization",
        }
    }

    /// What a person can do about it, when there is something.
    #[must_use]
    pub fn hint(&self) -> Option<Cow<'static, str>> {
        if let Cause::OriginNotAllowed { origin } = &self.cause {
            return origin_hint(origin);
        }
        if let Cause::HostNotOwn { host } = &self.cause {
            return Some(Cow::Owned(format!(
                "`{host}` is not a name of this gateway; set `gateway.publicOrigin` or add its origin to \
                 `gateway.controlUi.allowedOrigins`"
            )));
        }
        if let Cause::Pairing(info) = &self.cause {
            return Some(Cow::Owned(format!("run `openclaw devices approve {}`", info.request_id)));
        }
        if let Cause::AmbiguousHeader { name } = &self.cause {
            return Some(Cow::Owned(format!(
                "`{name}` stands there twice, or under a look-alike name"
            )));
        }
        fixed_hint(&self.cause).map(Cow::Borrowed)
    }
}

/// `null` and unreadable origins cannot be allowed by any line (D5).
fn origin_hint(origin: &str) -> Option<Cow<'static, str>> {
    let host = origin.split_once("://")?.1;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    if host.is_empty() || !host.chars().all(plain) {
        return None;
    }
    Some(Cow::Owned(format!(
        "if you trust this page, add \"{origin}\" to `gateway.controlUi.allowedOrigins`"
    )))
}

fn fixed_hint(cause: &Cause) -> Option<&'static str> {
    Some(match cause {
        Cause::CredentialInUrl => {
            "put the token behind `#token=`, or into the `Authorization` header; a query ends up in logs"
        }
        Cause::OriginMissing => {
            "open the Control UI in a browser; other clients use another client id"
        }
        Cause::ProxyAttributionRequired => "list the proxy's address in `gateway.trustedProxies`",
        Cause::TrustedProxyLoopback => {
            "set `gateway.auth.trustedProxy.allowLoopback` and name the proxy's user id in `proxyUids`"
        }
        Cause::TrustedProxyLocalInterface => "a proxy on this host must connect over loopback",
        Cause::TrustedProxyUser { .. } => {
            "check `gateway.auth.trustedProxy.userHeader`, `requiredHeaders` and `allowUsers`"
        }
        Cause::FunnelUnexpected => {
            "turn Funnel off for this port: `tailscale funnel status` shows who opened it"
        }
        Cause::NoneNeedsLocal { .. } | Cause::NoneRemoteShape { .. } => {
            "`gateway.auth.mode: none` serves this host only; set `token` and restart"
        }
        Cause::RateLimited => "wait, or restart the gateway if this was you",
        Cause::SecretMismatch | Cause::SecretMissing => {
            "run `openclaw config get gateway.auth` on the gateway host and use the same secret here"
        }
        Cause::DeviceTokenMismatch => "pair the device again, or connect with the shared secret",
        Cause::ScopeMismatch => {
            "connect with the shared secret to ask for more, or rotate the token with wider scopes"
        }
        Cause::Tailscale(TailscaleFault::Unavailable) => {
            "is tailscaled running? The token still works"
        }
        Cause::ControlUiDeviceIdentityRequired => "open the Control UI over HTTPS or on localhost",
        Cause::Device(crate::device::DeviceFault::Expired) => "check the clock of the client",
        Cause::AmbiguousHeader { .. }
        | Cause::BadRequest { .. }
        | Cause::HeaderTooLarge { .. }
        | Cause::UpgradeRequired
        | Cause::HostNotOwn { .. }
        | Cause::OriginNotAllowed { .. }
        | Cause::CrossSite
        | Cause::BadForwarded { .. }
        | Cause::ForwardedClient
        | Cause::ServeHeaders { .. }
        | Cause::PeerNotLoopback
        | Cause::ProtocolMismatch { .. }
        | Cause::InvalidRole
        | Cause::WorkerRole
        | Cause::BadScopes
        | Cause::OversizeCredential
        | Cause::DeviceIdentityRequired
        | Cause::Device(_)
        | Cause::Pairing(_)
        | Cause::Tailscale(_)
        | Cause::Unauthorized
        | Cause::BadAuthorization => return None,
    })
}

impl ProxyUserFault {
    fn reason(self) -> &'static str {
        match self {
            Self::Missing => "trusted_proxy_user_missing",
            Self::RequiredHeader => "trusted_proxy_header_missing",
            Self::NotAllowed => "trusted_proxy_user_not_allowed",
        }
    }
}

impl TailscaleFault {
    fn reason(self) -> &'static str {
        match self {
            Self::UnknownPeer => "tailscale_unknown_peer",
            Self::Unavailable => "tailscale_unavailable",
            Self::TaggedNode => "tailscale_tagged_node",
            Self::SharedNode => "tailscale_shared_node",
            Self::OwnNode => "tailscale_own_node",
            Self::Expired => "tailscale_expired_node",
            Self::Jailed => "tailscale_jailed_node",
            Self::IdentityMismatch => "tailscale_identity_mismatch",
        }
    }

    pub(super) fn http_status(self) -> u16 {
        match self {
            Self::UnknownPeer | Self::OwnNode | Self::IdentityMismatch => 401,
            Self::TaggedNode | Self::SharedNode | Self::Expired | Self::Jailed => 403,
            Self::Unavailable => 503,
        }
    }
}
