//! How callers will prove themselves, as far as it decides where the gateway may listen.
//!
//! The values themselves never come here: a token is present or not, a password long enough or not.

/// Fewest characters of a password that may guard a Funnel: the whole internet may guess at it (`A26`).
pub const FUNNEL_PASSWORD_CHARS: usize = 16;

/// The authentication and exposure settings that the bind rules depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// What `gateway.auth` asks of a caller.
    pub secret: Secret,
    /// What `gateway.tailscale.mode` publishes.
    pub serve: Serve,
    /// Whether `gateway.trustedProxies` names anybody.
    pub trusted_proxies: bool,
    /// Whether the user wrote `auto`; a default that happens to be `auto` never widens (`A6`).
    pub explicit_auto: bool,
}

/// What a caller must present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secret {
    /// `auth.mode=none`, or nothing usable configured.
    None,
    /// A bearer token.
    Token(Token),
    /// A password.
    Password(Strength),
    /// An identity asserted by a configured proxy.
    TrustedProxy,
}

impl Secret {
    /// A password of so many characters; an empty one is no secret at all.
    #[must_use]
    pub const fn password(chars: usize) -> Self {
        match chars {
            0 => Self::None,
            1..FUNNEL_PASSWORD_CHARS => Self::Password(Strength::Weak),
            _ => Self::Password(Strength::Strong),
        }
    }

    /// Whether the owner chose this secret; a token made up at start does not count beyond loopback (`E8`).
    #[must_use]
    pub const fn is_configured(self) -> bool {
        match self {
            Self::None | Self::Token(Token::Generated) => false,
            Self::Token(Token::Configured) | Self::Password(_) | Self::TrustedProxy => true,
        }
    }
}

/// Where the token comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    /// Written by the owner.
    Configured,
    /// Made by the gateway because none was written.
    Generated,
}

/// Whether a password reaches [`FUNNEL_PASSWORD_CHARS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strength {
    /// Shorter.
    Weak,
    /// Long enough for the open internet.
    Strong,
}

/// What tailscaled publishes for the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Serve {
    /// Nothing.
    Off,
    /// HTTPS for the tailnet.
    Serve,
    /// HTTPS for the internet.
    Funnel,
}
