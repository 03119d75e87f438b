//! What the fuzz targets share: raw header lines, and a request that is local when nothing is added to it.

use std::net::SocketAddr;

use openclaw_auth::{
    Admitted, Denied, Head, HttpVersion, Mode, Owner, Peer, Policy, ProxyRange, RequestLine,
    Secret, SharedSecret, Userspace, Via, admit,
};

/// The user that owns our process, and the honest peer's socket.
const OWN_UID: u32 = 1000;

/// What stands in for every credential: it may never be seen again.
pub const CANARY: &str = "canary-5f0c1e9a77";

/// One header as a client writes it.
pub type Line<'a> = (&'a [u8], &'a [u8]);

/// `name: value`, one per line of the input; a line without a colon is a name alone.
pub fn lines(data: &[u8]) -> Vec<Line<'_>> {
    data.split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| match line.iter().position(|byte| *byte == b':') {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, &[][..]),
        })
        .collect()
}

/// A token, two trusted proxies, and everything that proves locality.
pub fn policy() -> Policy {
    let secret = SharedSecret::new(&Secret::new(CANARY));
    let mut policy = Policy::new(Mode::Token(secret));
    policy.own_ports = vec![18789];
    policy.own_uid = Some(OWN_UID);
    policy.trusted_proxies = ["10.0.0.0/8", "fd00::/64"].iter().map(|text| range(text)).collect();
    policy
}

pub fn range(text: &str) -> ProxyRange {
    ProxyRange::parse(text).expect("a literal of this file").0
}

/// A socket of this user on this host.
pub fn own_peer() -> Peer {
    peer("127.0.0.1:50000")
}

pub fn peer(addr: &str) -> Peer {
    let addr: SocketAddr = addr.parse().expect("a literal of this file");
    Peer { addr: Some(addr), owner: Owner::Uid(OWN_UID), userspace: Userspace::NotConfigured }
}

/// Reads and admits a GET with these headers.
pub fn enter(
    policy: &Policy,
    peer: &Peer,
    via: Via,
    headers: &[Line<'_>],
) -> Result<Admitted, Denied> {
    let line = RequestLine { method: "GET", target: "/", version: HttpVersion::Http11 };
    let head = Head::read(line, headers.iter().copied())?;
    admit(policy, peer, via, &head)
}
