//! The Host and Origin rules over one request.

use super::{HostName, HostPort, Origin};
use crate::denied::{Cause, Denied};
use crate::headers::{Head, Name};
use crate::policy::Policy;

/// Which page a browser request comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Page {
    /// No browser, or a navigation that no page stands behind.
    None,
    /// Our own page, reached under a loopback name.
    OwnLoopback(Origin),
    /// Our own page under another of our names.
    Own(Origin),
    /// A page that the operator listed.
    Listed(Origin),
}

impl Page {
    pub(crate) fn origin(&self) -> Option<&Origin> {
        match self {
            Self::None => None,
            Self::OwnLoopback(origin) | Self::Own(origin) | Self::Listed(origin) => Some(origin),
        }
    }
}

/// How the request reached us, as far as its own origin depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// Our own listener: our own scheme.
    Direct,
    /// A trusted proxy may have ended TLS.
    Proxied,
    /// Serve: one name, one scheme.
    Serve,
}

/// Judge Host, Origin and Sec-Fetch-Site (D1-D10, D12, D17, D20, D22).
pub(crate) fn judge(policy: &Policy, head: &Head<'_>, route: Route) -> Result<Page, Denied> {
    if !head.is_browser() {
        return Ok(Page::None);
    }
    let host = head.host().ok_or_else(|| Denied::new(Cause::BadRequest { what: "Host" }))?;
    if !is_own_host(policy, &host.name) {
        return Err(Denied::new(Cause::HostNotOwn { host: host.name.as_str().into() }));
    }
    let Some(raw) = head.origin() else { return no_origin(head) };
    let refused = || Denied::new(Cause::OriginNotAllowed { origin: raw.into() });
    let origin = Origin::parse(raw).ok_or_else(refused)?;
    let own = match route {
        Route::Serve => policy.serve.as_ref().is_some_and(|front| front.origin == origin),
        Route::Direct | Route::Proxied => is_own_page(policy, host, &origin, route),
    };
    if own {
        let loopback = origin.host().is_some_and(HostName::is_loopback);
        return Ok(if loopback { Page::OwnLoopback(origin) } else { Page::Own(origin) });
    }
    if policy.public_origin.as_ref() == Some(&origin) {
        return Ok(Page::Own(origin));
    }
    if policy.allowed_origins.contains(&origin) { Ok(Page::Listed(origin)) } else { Err(refused()) }
}

/// Our names, and the hosts of origins that the operator wrote down (design, "Auth").
pub(crate) fn is_own_host(policy: &Policy, name: &HostName) -> bool {
    let written = policy.allowed_origins.iter().chain(policy.public_origin.as_ref());
    let front = policy.serve.as_ref().map(|front| &front.origin);
    policy.own_names.contains(name)
        || written.chain(front).any(|origin| origin.host() == Some(name))
}

/// The page was loaded from the very host and port it talks to, or from us under another loopback name.
fn is_own_page(policy: &Policy, host: &HostPort, origin: &Origin, route: Route) -> bool {
    let (Some(name), Some(port), Some(scheme)) = (origin.host(), origin.port(), origin.scheme())
    else {
        return false;
    };
    let scheme_fits = route == Route::Proxied || scheme == policy.own_scheme;
    // A name that is ours only because an origin was listed vouches for that exact origin alone.
    if !scheme_fits || !policy.own_names.contains(name) {
        return false;
    }
    let same = *name == host.name && port == host.port.unwrap_or_else(|| scheme.default_port());
    let alias = name.is_loopback() && host.name.is_loopback() && policy.own_ports.contains(&port);
    same || alias
}

/// Without an Origin only `Sec-Fetch-Site` tells a foreign page from a typed address (D6). A person who follows a link
/// to the dashboard navigates, which carries nothing and shows nothing to the other site.
fn no_origin(head: &Head<'_>) -> Result<Page, Denied> {
    let site = head.value(Name::FetchSite);
    let ours = site.is_none_or(|site| site == b"same-origin" || site == b"none");
    let navigates = head.value(Name::FetchMode) == Some(b"navigate")
        && head.value(Name::FetchDest) == Some(b"document")
        && matches!(head.method(), "GET" | "HEAD");
    if ours || navigates { Ok(Page::None) } else { Err(Denied::new(Cause::CrossSite)) }
}
