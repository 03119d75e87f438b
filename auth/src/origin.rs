//! Host names that are ours and origins that may talk to us (group D).

/// The scheme of an origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    Http,
    Https,
}

/// A host as it stands in a `Host` header or an origin: lower case, no trailing dot, IP literals canonical.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostName(Box<str>);

impl HostName {
    /// `127.0.0.1`, `[::1]` and `localhost`.
    #[must_use]
    pub fn loopback_names() -> Vec<Self> {
        ["127.0.0.1", "[::1]", "localhost"].map(|name| Self(name.into())).into()
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A web origin: scheme, host, port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    scheme: OriginScheme,
    host: HostName,
    port: Option<u16>,
}

/// What may stand before `://` in an allow list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum OriginScheme {
    Web(Scheme),
    /// A browser extension, allowed only by its exact id (D22).
    Extension(Box<str>),
}

impl HostName {
    /// Read a configured name or the host part of an authority, without port; `None` when it is neither.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let url = url::Url::parse(&format!("http://{text}/")).ok()?;
        let plain = url.port().is_none() && url.username().is_empty() && url.password().is_none();
        let host = url.host_str()?.trim_end_matches('.');
        (plain && url.path() == "/" && !host.is_empty()).then(|| Self(host.into()))
    }
}

impl Origin {
    /// Read a configured or sent origin; `None` for `null`, user info, a path, or anything not an origin (D5, D9).
    #[must_use]
    pub fn parse(_text: &str) -> Option<Self> {
        None
    }

    #[must_use]
    pub fn host(&self) -> &HostName {
        &self.host
    }

    /// `None` for a browser extension.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.port
    }
}
