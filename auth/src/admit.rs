//! Pipeline steps 2 and 4-7: may this request be answered at all, and where does it come from?
//!
//! Each step may only take trust away. What is left is an [`Admitted`]: the client's address and key, the page behind
//! a browser, and whether the client is proven to be on this host.

use std::net::IpAddr;

use crate::denied::{Cause, Denied};
use crate::forwarded::{self, Attribution, ProxyUser, proxy_user};
use crate::headers::Head;
use crate::limiter::ClientKey;
use crate::origin::{self, Origin, Page, Route};
use crate::policy::{Mode, Policy};
use crate::trace::{Outcome, Trace};
use crate::via::{Peer, Via};

mod locality;
mod serve;

pub use locality::{Locality, NotLocal};

/// A request that may be answered. Built only by [`admit`].
#[derive(Clone, Debug)]
pub struct Admitted {
    via: Via,
    client: ClientKey,
    client_ip: Option<IpAddr>,
    locality: Locality,
    page: Page,
    user: ProxyUser,
    login: Option<Box<str>>,
    source: Source,
}

/// What stands between us and the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Direct,
    Proxy,
    Serve,
    Funnel,
}

impl Admitted {
    #[must_use]
    pub fn via(&self) -> Via {
        self.via
    }

    /// The key under which failures are counted.
    #[must_use]
    pub fn client(&self) -> &ClientKey {
        &self.client
    }

    /// Who is at the other end, past trusted proxies and Serve.
    #[must_use]
    pub fn client_ip(&self) -> Option<IpAddr> {
        self.client_ip
    }

    #[must_use]
    pub fn locality(&self) -> Locality {
        self.locality
    }

    #[must_use]
    pub fn is_local(&self) -> bool {
        self.locality == Locality::Proven
    }

    /// The allowed origin of the browser page behind the request.
    #[must_use]
    pub fn origin(&self) -> Option<&Origin> {
        self.page.origin()
    }

    /// The request came through Serve, proven by its socket: whois of [`Self::client_ip`] is worth asking.
    #[must_use]
    pub fn is_serve(&self) -> bool {
        self.source == Source::Serve
    }

    pub(crate) fn user(&self) -> &ProxyUser {
        &self.user
    }

    /// The login that Serve wrote; a cross-check for whois, never an identity by itself (B11).
    pub(crate) fn login(&self) -> Option<&str> {
        self.login.as_deref()
    }

    pub(crate) fn source(&self) -> Source {
        self.source
    }
}

/// Decide steps 2 and 4-7 for one request or upgrade.
///
/// # Errors
/// The refusal, answered as HTTP.
pub fn admit(policy: &Policy, peer: &Peer, via: Via, head: &Head<'_>) -> Result<Admitted, Denied> {
    admit_traced(policy, peer, via, head, &mut Trace::off())
}

/// As [`admit`], and write down every step.
///
/// # Errors
/// The refusal, answered as HTTP.
pub fn admit_traced(
    policy: &Policy,
    peer: &Peer,
    via: Via,
    head: &Head<'_>,
    trace: &mut Trace,
) -> Result<Admitted, Denied> {
    let result = steps(policy, peer, via, head, trace);
    if let Err(denied) = &result {
        trace.push(denied.reason(), Outcome::Deny, || format!("HTTP {}", denied.http_status()));
    }
    result
}

/// Who sent the request, after step 6.
struct Sender {
    source: Source,
    ip: Option<IpAddr>,
    attribution: Attribution,
    login: Option<Box<str>>,
}

fn steps(
    policy: &Policy,
    peer: &Peer,
    via: Via,
    head: &Head<'_>,
    trace: &mut Trace,
) -> Result<Admitted, Denied> {
    if via == Via::Loopback && !peer.is_loopback() {
        return Err(Denied::new(Cause::PeerNotLoopback));
    }
    trace.push("peer", Outcome::Pass, || match peer.ip() {
        Some(ip) => format!("listener {}, peer {ip}", via.as_str()),
        None => format!("listener {}, a unix socket", via.as_str()),
    });
    let sender = sender(policy, peer, via, head)?;
    trace.push("attribution", Outcome::Pass, || match sender.ip {
        Some(ip) => format!("client {ip}"),
        None => "client unknown".to_owned(),
    });
    let user = proxy_user(policy, peer, head, sender.attribution)?;
    let page = origin::judge(policy, head, sender.source.route())?;
    trace.push("origin", Outcome::Pass, || match page.origin() {
        Some(origin) => origin.to_string(),
        None => "no page".to_owned(),
    });
    let locality = locality::judge(policy, peer, sender.source, sender.attribution, &page);
    let outcome = if locality == Locality::Proven { Outcome::Pass } else { Outcome::Downgrade };
    trace.push("locality", outcome, || locality.to_string());
    refuse_remote_none(policy, head, locality)?;
    let client = locality::client_key(peer, &sender, locality, &page);
    let Sender { source, ip: client_ip, login, .. } = sender;
    Ok(Admitted { via, client, client_ip, locality, page, user, login, source })
}

/// Step 6: Serve by its socket, a listed proxy by its address, or the peer itself.
fn sender(policy: &Policy, peer: &Peer, via: Via, head: &Head<'_>) -> Result<Sender, Denied> {
    if serve::is_serve(policy, peer, via, head) {
        return serve::read(policy, head);
    }
    // Only the Serve socket has peers without an address.
    let ip = peer.ip().ok_or_else(|| Denied::new(Cause::ProxyAttributionRequired))?;
    let attribution = forwarded::attribute(policy, ip, head)?;
    let (source, ip) = match attribution {
        Attribution::Client(client) => (Source::Proxy, client),
        Attribution::Peer | Attribution::ProxyItself => (Source::Direct, ip),
    };
    Ok(Sender { source, ip: Some(ip), attribution, login: None })
}

/// E22: without a secret, everything must say "this host".
fn refuse_remote_none(policy: &Policy, head: &Head<'_>, locality: Locality) -> Result<(), Denied> {
    if !matches!(policy.mode, Mode::None) {
        return Ok(());
    }
    if let Locality::NotLocal(why) = locality {
        return Err(Denied::new(Cause::NoneNeedsLocal { why }));
    }
    let own = head.host().is_none_or(|host| origin::is_own_host(policy, &host.name));
    if own { Ok(()) } else { Err(Denied::new(Cause::NoneRemoteShape { what: "Host" })) }
}

impl Source {
    fn route(self) -> Route {
        match self {
            Self::Direct => Route::Direct,
            Self::Proxy => Route::Proxied,
            Self::Serve | Self::Funnel => Route::Serve,
        }
    }
}
