//! Where to dial, and whether plain text may be spoken there.
//!
//! | URL | plain `ws://` |
//! |---|---|
//! | loopback literal (`127.0.0.0/8`, `::1`, `::ffff:127.x`) | yes |
//! | `localhost`, `*.localhost`, a name without a dot | only if every address is loopback (`I4`) |
//! | any other name | refused before the name is resolved (`I3`); with [`Plaintext::Private`] only if every address is private |
//! | private literal | only with [`Plaintext::Private`] |
//! | anything else, carrier-grade `100.64.0.0/10` included (`I5`) | never |
//!
//! `wss://` goes anywhere. A URL with a user name, a password or a fragment is refused: it would end in logs.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    str::FromStr,
};

use tokio_tungstenite::tungstenite::http::Uri;

use crate::client::{
    error::{ClientError, Kind},
    tls::Fingerprint,
};

/// One gateway to dial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub endpoint: Endpoint,
    /// The only certificate that is accepted; none means the public roots.
    pub pin: Option<Fingerprint>,
    pub plaintext: Plaintext,
}

/// Where plain `ws://` may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plaintext {
    Loopback,
    /// `gateway.remote.transport: "direct"` or `OPENCLAW_ALLOW_INSECURE_PRIVATE_WS=1`.
    Private,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    Ws,
    Wss,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    Ip(IpAddr),
    Name(String),
}

/// A parsed gateway URL. `Display` leaves out the query, which may hold anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub scheme: Scheme,
    pub host: Host,
    pub port: u16,
    /// Path and query of the upgrade request, `/` if none.
    pub path: String,
}

/// What a name may resolve to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    Loopback,
    Private,
    Anywhere,
}

/// How to get an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    Address(SocketAddr),
    Name(String, u16, Reach),
}

impl Target {
    /// The route to dial, decided before any packet (`I3`, `I4`).
    ///
    /// # Errors
    /// Plain text that may not be spoken there.
    pub fn route(&self) -> Result<Route, ClientError> {
        let Endpoint { scheme, host, port, .. } = &self.endpoint;
        let reach = match (scheme, self.plaintext) {
            (Scheme::Wss, _) => Reach::Anywhere,
            (Scheme::Ws, Plaintext::Loopback) => Reach::Loopback,
            (Scheme::Ws, Plaintext::Private) => Reach::Private,
        };
        match host {
            Host::Ip(ip) if reach.admits(*ip) => Ok(Route::Address(SocketAddr::new(*ip, *port))),
            Host::Name(name) if reach != Reach::Loopback || may_be_loopback(name) => {
                Ok(Route::Name(name.clone(), *port, reach))
            }
            Host::Ip(_) | Host::Name(_) => Err(self.plaintext_refused()),
        }
    }

    /// Whether only an explicit allowance lets this target be dialled.
    #[must_use]
    pub fn speaks_plaintext_beyond_loopback(&self) -> bool {
        let strict = Self { plaintext: Plaintext::Loopback, ..self.clone() };
        self.route().is_ok() && strict.route().is_err()
    }

    /// The refusal of plain text to this target.
    #[must_use]
    pub fn plaintext_refused(&self) -> ClientError {
        let Endpoint { host, port, .. } = &self.endpoint;
        let encrypted = match port {
            80 => format!("wss://{host}"),
            port => format!("wss://{host}:{port}"),
        };
        ClientError::new(
            Kind::Target,
            format!("`{}` would send credentials as plain text", self.endpoint),
        )
        .hint(format!("use `{encrypted}`, or an SSH tunnel to the gateway's loopback port"))
        .hint("for an address in a private network that you trust, set `OPENCLAW_ALLOW_INSECURE_PRIVATE_WS=1`")
    }
}

impl Reach {
    /// Whether `ip` may be dialled.
    #[must_use]
    pub fn admits(self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        match self {
            Self::Anywhere => true,
            Self::Loopback => ip.is_loopback(),
            Self::Private => ip.is_loopback() || is_private(ip),
        }
    }
}

fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// Names whose meaning this host decides: everything else would be asked of a name server.
fn may_be_loopback(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    !name.contains('.') || name.to_ascii_lowercase().ends_with(".localhost")
}

impl FromStr for Endpoint {
    type Err = ClientError;

    fn from_str(text: &str) -> Result<Self, ClientError> {
        let refuse = |why: &str| {
            ClientError::new(Kind::Target, format!("not a gateway URL: {why}"))
                .hint("write it as `ws://127.0.0.1:18789` or `wss://host.example`")
        };
        let text = text.trim();
        if text.contains('#') {
            return Err(refuse("a fragment (`#…`) has no meaning here"));
        }
        let uri: Uri = text.parse().map_err(|error| refuse(&format!("{error}")))?;
        let (scheme, standard) = match uri.scheme_str() {
            Some("ws") => (Scheme::Ws, 80),
            Some("wss") => (Scheme::Wss, 443),
            Some("http" | "https") => return Err(refuse("`http` is not a WebSocket scheme")),
            Some(_) | None => return Err(refuse("it must start with `ws://` or `wss://`")),
        };
        let authority = uri.authority().ok_or_else(|| refuse("it has no host"))?;
        if authority.as_str().contains('@') {
            return Err(refuse("it holds a user name; pass `--token` or `--password` instead"));
        }
        let port = match authority.port_u16() {
            Some(0) => return Err(refuse("port 0 cannot be dialled")),
            Some(port) => port,
            None if authority.as_str().ends_with(authority.host()) => standard,
            None => return Err(refuse("the port must be 1-65535")),
        };
        let host = match authority.host() {
            "" => return Err(refuse("it has no host")),
            host => host.parse()?,
        };
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Ok(Self { scheme, host, port, path })
    }
}

impl FromStr for Host {
    type Err = ClientError;

    fn from_str(text: &str) -> Result<Self, ClientError> {
        let bracketed = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        if let Some(inner) = bracketed {
            let ip: Ipv6Addr = inner.parse().map_err(|error| {
                ClientError::new(Kind::Target, format!("`[{inner}]` is no address: {error}"))
            })?;
            return Ok(Self::Ip(IpAddr::V6(ip)));
        }
        Ok(match text.parse() {
            Ok(ip) => Self::Ip(ip),
            Err(_) => Self::Name(text.to_ascii_lowercase()),
        })
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
            Self::Ip(IpAddr::V4(ip)) => write!(f, "{ip}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ws => "ws",
            Self::Wss => "wss",
        })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, host, port, path } = self;
        write!(f, "{scheme}://{host}:{port}")?;
        match path.split('?').next() {
            Some("/") | None => Ok(()),
            Some(path) => f.write_str(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str, plaintext: Plaintext) -> Target {
        Target { endpoint: url.parse().expect(url), pin: None, plaintext }
    }

    #[test]
    fn i3_i4_i5_plaintext_goes_to_loopback_alone() {
        let allowed = [
            "ws://127.0.0.1:18789",
            "ws://127.9.9.9",
            "ws://[::1]:18789",
            "ws://[::ffff:127.0.0.1]:1",
        ];
        for url in allowed {
            assert!(
                matches!(target(url, Plaintext::Loopback).route(), Ok(Route::Address(_))),
                "{url}"
            );
        }
        for url in ["ws://localhost:1", "ws://gw:1", "ws://a.localhost:1", "ws://LOCALHOST:1"] {
            let route = target(url, Plaintext::Loopback).route();
            assert!(matches!(route, Ok(Route::Name(_, 1, Reach::Loopback))), "{url}");
        }
        let refused = [
            "ws://gw.example.com",
            "ws://foo.local",
            "ws://x.ts.net",
            "ws://127.evil.com",
            "ws://10.0.0.1.evil.com",
            "ws://[::ffff:8.8.8.8]",
            "ws://10.0.0.1",
            "ws://192.168.1.2",
            "ws://100.64.1.2",
            "ws://0.0.0.0:18789",
            "ws://[::]:18789",
            "ws://8.8.8.8",
            "ws://localhost.evil.com",
        ];
        for url in refused {
            let error = target(url, Plaintext::Loopback).route().expect_err(url);
            assert_eq!(error.kind, Kind::Target, "{url}");
            assert!(error.hints[0].contains("wss://"), "{url}: {:?}", error.hints);
        }
    }

    #[test]
    fn i5_the_private_allowance_never_means_public_or_carrier_grade() {
        let rows = [
            ("ws://10.0.0.1", true),
            ("ws://192.168.1.2", true),
            ("ws://[fd00::1]", true),
            ("ws://127.0.0.1", true),
            ("ws://100.64.1.2", false),
            ("ws://8.8.8.8", false),
            ("ws://[2001:db8::1]", false),
            ("ws://[::ffff:8.8.8.8]", false),
        ];
        for (url, dialled) in rows {
            assert_eq!(target(url, Plaintext::Private).route().is_ok(), dialled, "{url}");
        }
        for (url, beyond) in
            [("ws://10.0.0.1", true), ("ws://127.0.0.1", false), ("wss://h", false)]
        {
            let target = target(url, Plaintext::Private);
            assert_eq!(target.speaks_plaintext_beyond_loopback(), beyond, "{url}");
        }
        let named = target("ws://foo.local:7", Plaintext::Private).route();
        assert_eq!(named.expect("route"), Route::Name("foo.local".to_owned(), 7, Reach::Private));
    }

    #[test]
    fn encrypted_urls_go_anywhere() {
        for url in ["wss://gw.example.com", "wss://8.8.8.8", "wss://100.64.1.2:8443/base"] {
            assert!(target(url, Plaintext::Loopback).route().is_ok(), "{url}");
        }
    }

    #[test]
    fn urls_are_read_and_printed() {
        let rows = [
            ("ws://127.0.0.1:18789", "ws://127.0.0.1:18789"),
            ("ws://127.0.0.1:18789/", "ws://127.0.0.1:18789"),
            ("wss://Host.Example/gw?token=x", "wss://host.example:443/gw"),
            ("ws://[::1]:5", "ws://[::1]:5"),
            (" ws://localhost ", "ws://localhost:80"),
        ];
        for (text, printed) in rows {
            let endpoint: Endpoint = text.parse().expect(text);
            assert_eq!(endpoint.to_string(), printed);
        }
        let bad = [
            "",
            "127.0.0.1:18789",
            "http://127.0.0.1",
            "ws://",
            "ws://user:secret@127.0.0.1",
            "ws://127.0.0.1:0",
            "ws://127.0.0.1:99999",
            "ws://h/#token=abc",
            "ftp://h",
            "ws://[::zz]:1",
        ];
        for text in bad {
            let error = text.parse::<Endpoint>().expect_err(text);
            assert_eq!(error.kind, Kind::Target, "{text}");
            assert!(!error.message.contains("secret"), "{}", error.message);
        }
    }
}
