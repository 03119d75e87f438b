//! Requests through Tailscale Serve: what it always sends, and nothing else (rows B13, B30-B34, B43-B47).

use std::net::{IpAddr, Ipv4Addr};

use super::{Sender, Source};
use crate::denied::{Cause, Denied};
use crate::forwarded::{Attribution, can_be_client, malformed};
use crate::headers::{Head, Name};
use crate::origin::Scheme;
use crate::policy::{Funnel, Policy};
use crate::via::{Owner, Peer, Userspace, Via};

/// tailscaled's own service address, which is no client (B44).
const SERVICE_IP: IpAddr = IpAddr::V4(Ipv4Addr::new(100, 100, 100, 100));
/// The marker of a Funnel request.
const FUNNEL_MARK: &[u8] = b"?1";

/// The peer is tailscaled, by the listener it came to or by the kernel's word for who owns the socket. In the second
/// case tailscaled must also have said that it does not dial for a tailnet peer, whose headers would be fiction (B6).
pub(super) fn is_serve(policy: &Policy, peer: &Peer, via: Via, head: &Head<'_>) -> bool {
    if via == Via::ServeSocket {
        return true;
    }
    let owned = matches!(peer.owner, Owner::Uid(uid) if policy.tailscaled_uid == Some(uid));
    owned && peer.is_loopback() && peer.userspace == Userspace::Tun && head.shape().is_proxied()
}

/// Read who stands behind Serve.
pub(super) fn read(policy: &Policy, head: &Head<'_>) -> Result<Sender, Denied> {
    let login = head.text(Name::TailscaleLogin).filter(|login| !login.is_empty());
    let marker = head.value(Name::TailscaleFunnel);
    if marker.is_some() && login.is_some() {
        return Err(malformed("Tailscale-Funnel-Request"));
    }
    let funnel = policy.serve.as_ref().map_or(Funnel::Refused, |front| front.funnel);
    let source = match (marker, funnel) {
        (None, _) => Source::Serve,
        (Some(FUNNEL_MARK), Funnel::Expected) => Source::Funnel,
        (Some(_), Funnel::Expected | Funnel::Refused) => {
            return Err(Denied::new(Cause::FunnelUnexpected));
        }
    };
    let ip = source_ip(head)?;
    let scheme =
        policy.serve.as_ref().and_then(|front| front.origin.scheme()).unwrap_or(Scheme::Https);
    if head.text(Name::ForwardedProto) != Some(scheme.as_str()) {
        return Err(Denied::new(Cause::ServeHeaders { what: "X-Forwarded-Proto" }));
    }
    let login = login.filter(|_| policy.allow_tailscale).map(Box::from);
    // Serve passes a client's own `X-Forwarded-User` and the like through, so it never counts as a naming proxy (B18).
    Ok(Sender { source, ip: Some(ip), attribution: Attribution::Peer, login })
}

/// One bare canonical address; Serve writes nothing else.
fn source_ip(head: &Head<'_>) -> Result<IpAddr, Denied> {
    let bad = || malformed("X-Forwarded-For");
    let line = match head.forwarded_for() {
        [] => return Err(Denied::new(Cause::ServeHeaders { what: "X-Forwarded-For" })),
        [line] => std::str::from_utf8(line).ok().ok_or_else(bad)?,
        _ => return Err(bad()),
    };
    let ip: IpAddr = line.parse().ok().ok_or_else(bad)?;
    if ip.to_canonical() != ip || ip.to_string() != line {
        return Err(bad());
    }
    if !can_be_client(ip) || ip == SERVICE_IP {
        return Err(Denied::new(Cause::ForwardedClient));
    }
    Ok(ip)
}
