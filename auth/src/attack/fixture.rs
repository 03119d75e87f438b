//! The host, the peers and the clients of the attack table.

use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer as _, SigningKey};

use crate::device::{Layout, Signed, payload};
use crate::{
    Admitted, Approval, Ask, Challenge, Client, Decision, Denied, DetailValue, DeviceProof,
    DeviceRecord, Evidence, Funnel, Head, HostName, HttpVersion, Ledger, Limiter, Limits, Locality,
    Mode, Now, Origin, Owner, Peer, Policy, Protocol, ProxyRange, PublicKey, RequestLine, Role,
    RoleGrant, Scope, ScopeSet, Secret, ServeFront, SharedSecret, TokenKey, Trace, Userspace, Via,
    WhoisAnswer, admit, decide,
};

/// The configured secret; a canary that no output may show (I5).
pub(super) const TOKEN: &str = "canary-4f2b9c-shared-secret-0123456789";
pub(super) const NOW_MS: u64 = 1_800_000_000_000;
pub(super) const OWN_UID: u32 = 1000;
pub(super) const TAILSCALED_UID: u32 = 998;
pub(super) const GW: &str = "gw.tail1234.ts.net";

pub(super) type Lines<'a> = &'a [(&'a str, &'a str)];

pub(super) fn secret() -> SharedSecret {
    SharedSecret::new(&Secret::new(TOKEN))
}

pub(super) fn name(text: &str) -> HostName {
    HostName::parse(text).unwrap()
}

pub(super) fn origin(text: &str) -> Origin {
    Origin::parse(text).unwrap()
}

/// Token mode on a host with a LAN and a tailnet address and a Serve front.
pub(super) fn policy() -> Policy {
    let mut policy = Policy::new(Mode::Token(secret()));
    policy.own_names.extend([name("192.168.1.10"), name("100.101.102.103"), name(GW)]);
    policy.own_ports = vec![18789];
    policy.own_addresses = vec![ip("192.168.1.10"), ip("100.101.102.103"), ip("127.0.0.1")];
    policy.auto_approve_local = true;
    policy.own_uid = Some(OWN_UID);
    policy.tailscaled_uid = Some(TAILSCALED_UID);
    policy.serve =
        Some(ServeFront { origin: origin("https://gw.tail1234.ts.net"), funnel: Funnel::Refused });
    policy.generation = 7;
    policy
}

pub(super) fn with_proxies(ranges: &[&str]) -> Policy {
    let mut policy = policy();
    policy.trusted_proxies = ranges.iter().map(|text| ProxyRange::parse(text).unwrap().0).collect();
    policy
}

pub(super) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A peer at an address; on loopback it is our own user.
pub(super) fn peer(text: &str) -> Peer {
    let addr = SocketAddr::new(ip(text), 50_000);
    let owner =
        if addr.ip().to_canonical().is_loopback() { Owner::Uid(OWN_UID) } else { Owner::Unknown };
    Peer { addr: Some(addr), owner, userspace: Userspace::Tun }
}

pub(super) fn local() -> Peer {
    peer("127.0.0.1")
}

/// The Serve socket: a unix peer that tailscaled owns.
pub(super) fn tailscaled() -> Peer {
    Peer { addr: None, owner: Owner::Uid(TAILSCALED_UID), userspace: Userspace::Tun }
}

pub(super) fn read<'a>(target: &'a str, lines: Lines<'a>) -> Result<Head<'a>, Denied> {
    let line = RequestLine { method: "GET", target, version: HttpVersion::Http11 };
    Head::read(line, lines.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())))
}

/// `ALLOW <client> local|remote`, or `<status> <reason>`; a loopback `Host` is added when there is none.
pub(super) fn verdict(policy: &Policy, peer: &Peer, via: Via, lines: Lines<'_>) -> String {
    match admitted(policy, peer, via, lines) {
        Ok(admitted) => {
            let client = admitted.client_ip().map_or_else(|| "?".to_owned(), |ip| ip.to_string());
            let near = if admitted.locality() == Locality::Proven { "local" } else { "remote" };
            format!("ALLOW {client} {near}")
        }
        Err(denied) => format!("{} {}", denied.http_status(), denied.reason()),
    }
}

pub(super) fn admitted(
    policy: &Policy,
    peer: &Peer,
    via: Via,
    lines: Lines<'_>,
) -> Result<Admitted, Denied> {
    let mut all = lines.to_vec();
    if !all.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        all.push(("Host", "127.0.0.1:18789"));
    }
    admit(policy, peer, via, &read("/", &all)?)
}

/// The headers that Serve writes for a tailnet user.
pub(super) fn serve_lines(
    login: &'static str,
    source: &'static str,
) -> Vec<(&'static str, &'static str)> {
    vec![
        ("Host", GW),
        ("X-Forwarded-For", source),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", GW),
        ("Tailscale-User-Login", login),
        ("Tailscale-User-Name", "Somebody"),
    ]
}

pub(super) fn signer() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

pub(super) fn public_key(key: &SigningKey) -> PublicKey {
    PublicKey::from_raw(key.verifying_key().to_bytes()).unwrap()
}

pub(super) fn challenge() -> Challenge {
    Challenge { nonce: "11111111-2222-3333-4444-555555555555".into(), issued_at: NOW_MS }
}

pub(super) fn now() -> Now {
    Now { unix_ms: NOW_MS, uptime: Duration::from_secs(1_000) }
}

pub(super) fn token_key() -> TokenKey {
    TokenKey::new([9; 32])
}

pub(super) fn scopes(words: &[&str]) -> ScopeSet {
    ScopeSet::from_sent(words).unwrap()
}

/// `cli/cli` with the right token and no device.
pub(super) fn cli() -> Ask {
    Ask {
        protocol: Protocol::V4,
        role: Role::Operator,
        scopes: scopes(&["operator.write", "operator.read"]),
        client: Client {
            id: "cli".into(),
            mode: "cli".into(),
            platform: "Linux".into(),
            device_family: Some("Linux".into()),
        },
        token: Some(Secret::new(TOKEN)),
        password: None,
        device_token: None,
        device: None,
    }
}

pub(super) fn as_client(id: &str, mode: &str) -> Ask {
    let mut ask = cli();
    ask.client.id = id.into();
    ask.client.mode = mode.into();
    ask
}

/// The same, signed by the device with this layout.
pub(super) fn signed_as(mut ask: Ask, key: &SigningKey, layout: Layout) -> Ask {
    let public = public_key(key);
    let challenge = challenge();
    let token = ask.token.as_ref().or(ask.device_token.as_ref());
    let signed = Signed {
        client_id: &ask.client.id,
        client_mode: &ask.client.mode,
        role: ask.role,
        scopes: &ask.scopes,
        signed_at: i64::try_from(NOW_MS).unwrap(),
        token: token.map_or(&[], Secret::expose),
        nonce: &challenge.nonce,
        platform: &ask.client.platform,
        device_family: ask.client.device_family.as_deref().unwrap_or_default(),
    };
    let signature = key.sign(&payload(layout, &public.device_id(), &signed));
    ask.device = Some(DeviceProof {
        id: public.device_id().as_str().into(),
        public_key: public.encode().into(),
        signature: URL_SAFE_NO_PAD.encode(signature.to_bytes()).into(),
        signed_at: i64::try_from(NOW_MS).unwrap(),
        nonce: challenge.nonce,
    });
    ask
}

pub(super) fn signed(ask: Ask) -> Ask {
    signed_as(ask, &signer(), Layout::V3)
}

/// A record that covers [`cli`].
pub(super) fn record(scopes: &[Scope]) -> DeviceRecord {
    let key = public_key(&signer());
    let scopes = ScopeSet::from_iter(scopes.iter().copied()).normalised();
    DeviceRecord {
        id: key.device_id(),
        public_key: key,
        platform: Some("linux".into()),
        device_family: Some("linux".into()),
        roles: vec![RoleGrant { role: Role::Operator, scopes, generation: 3, revoked: false }],
    }
}

/// The token that the record's operator role stands for.
pub(super) fn device_token() -> Secret {
    token_key().derive(&public_key(&signer()).device_id(), Role::Operator, 3)
}

/// Everything around one `connect`.
pub(super) struct Door {
    pub(super) policy: Policy,
    pub(super) admitted: Admitted,
    pub(super) record: Option<DeviceRecord>,
    pub(super) whois: Option<crate::Whois>,
    pub(super) limiter: Mutex<Limiter>,
    pub(super) now: Now,
}

impl Door {
    pub(super) fn new(policy: Policy, peer: &Peer, via: Via, lines: Lines<'_>) -> Self {
        let admitted = admitted(&policy, peer, via, lines).unwrap();
        let limiter = Mutex::new(Limiter::new(Limits::default()));
        Self { policy, admitted, record: None, whois: None, limiter, now: now() }
    }

    /// A clean loopback connection of our own user.
    pub(super) fn local() -> Self {
        Self::new(policy(), &local(), Via::Loopback, &[])
    }

    /// The Control UI on loopback.
    pub(super) fn local_page() -> Self {
        Self::new(policy(), &local(), Via::Loopback, &[("Origin", "http://127.0.0.1:18789")])
    }

    /// A stranger in the LAN.
    pub(super) fn lan() -> Self {
        Self::new(policy(), &peer("192.168.1.66"), Via::Lan, &[])
    }

    pub(super) fn with(mut self, record: DeviceRecord) -> Self {
        self.record = Some(record);
        self
    }

    pub(super) fn decide(&self, ask: &Ask) -> Decision {
        self.traced(ask, &mut Trace::off())
    }

    pub(super) fn traced(&self, ask: &Ask, trace: &mut Trace) -> Decision {
        let challenge = challenge();
        let key = token_key();
        let evidence = Evidence {
            admitted: &self.admitted,
            challenge: &challenge,
            record: self.record.as_ref(),
            token_key: &key,
            whois: self.whois.as_ref().map_or(WhoisAnswer::NotAsked, WhoisAnswer::Node),
        };
        let mut ledger = Ledger { limiter: &self.limiter, trace };
        decide(&self.policy, &evidence, ask, self.now, &mut ledger)
    }

    /// `ALLOW <method> [scopes]`, `PAIR <reason> silent|operator`, or the code of the refusal.
    pub(super) fn word(&self, ask: &Ask) -> String {
        word(&self.decide(ask))
    }
}

pub(super) fn word(decision: &Decision) -> String {
    match decision {
        Decision::Allow(grant) => {
            let words: Vec<_> = grant.scopes().words().collect();
            format!("ALLOW {} [{}]", grant.method(), words.join(" "))
        }
        Decision::Pair(need) => {
            let how = if need.approval() == Approval::Silent { "silent" } else { "operator" };
            format!("PAIR {} {how}", need.reason().as_str())
        }
        Decision::Deny(denied) => code(denied),
    }
}

/// `details.code`, else the stable reason.
pub(super) fn code(denied: &Denied) -> String {
    match denied.details().first() {
        Some(("code", DetailValue::Text(text))) => text.to_string(),
        _ => denied.reason().to_owned(),
    }
}

pub(super) fn denied(decision: Decision) -> Denied {
    match decision {
        Decision::Deny(denied) => denied,
        other @ (Decision::Allow(_) | Decision::Pair(_)) => panic!("not refused: {}", word(&other)),
    }
}
