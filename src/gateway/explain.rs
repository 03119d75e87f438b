//! The same decisions, run dry: what would listen where, and what would become of a described request.
//!
//! Nothing is asked of a running gateway and no secret is read into the answer: the described client
//! presents a stand-in for the right or the wrong secret, and the policy holds the same stand-in.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Mutex,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::{Signer as _, SigningKey};
use openclaw_auth::{
    Admitted, Ask, Challenge, Decision, Denied, DeviceProof, Evidence, Head, HttpVersion, Ledger,
    Limiter, Owner, Peer, Policy, Protocol, PublicKey, RequestLine, Role, Scheme, Scope, ScopeSet,
    Secret, TokenKey, Trace, Userspace, Via, admit_traced,
    decide::{Client, decide},
    device::{Layout, Signed, payload},
    limiter::Limits,
    policy::Now,
    via::WhoisAnswer,
};
use openclaw_bind::Plan;
use serde::Serialize;

use crate::{
    config::{gateway::AuthMode, load::Loaded, problem::Problem, resolve},
    rpc,
};

use super::{
    exposure,
    policy::{self, Facts},
};

/// A request as a person describes it.
#[derive(Debug, Clone)]
pub struct Described {
    /// An HTTP path in place of a WebSocket.
    pub path: Option<String>,
    /// The method called after `connect`.
    pub method: Option<String>,
    pub peer: Option<IpAddr>,
    pub via: Via,
    pub headers: Vec<(String, String)>,
    pub presented: Presented,
    pub role: String,
    /// Client id and mode.
    pub client: (String, String),
}

/// Which shared secret the client presents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presented {
    Right,
    Wrong,
    None,
}

/// One rule that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    pub name: String,
    pub outcome: String,
    pub note: String,
}

/// What became of the described request.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    pub steps: Vec<Step>,
    pub allowed: bool,
    /// `ALLOW …`, `DENY …` or `PAIR …` in one line.
    pub summary: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// The plan for this configuration on this host.
///
/// # Errors
/// A secret that cannot be read, or the refusal.
pub fn plan(loaded: &Loaded) -> Result<Plan, Problem> {
    let gateway = &loaded.config.gateway;
    let credentials = resolve::credentials(loaded).map_err(|problems| {
        problems
            .list
            .into_iter()
            .next()
            .unwrap_or_else(|| Problem::new("gateway.auth", "the secret cannot be read"))
    })?;
    exposure::plan(gateway, &credentials, &exposure::situation(gateway)?)
}

/// Decides the described request.
///
/// # Errors
/// A configuration whose policy cannot be built, or a role that nobody has.
pub fn explain(loaded: &Loaded, described: &Described) -> Result<Verdict, Problem> {
    let gateway = &loaded.config.gateway;
    let mode = gateway.auth.effective_mode();
    let local = SocketAddr::new(local_ip(described), gateway.port);
    let facts = Facts {
        mode,
        secret: matches!(mode, AuthMode::Token | AuthMode::Password).then(|| Secret::new(RIGHT)),
        locals: vec![local],
        own_addresses: exposure::addresses(&exposure::situation(gateway)?),
        scheme: if gateway.tls.enabled { Scheme::Https } else { Scheme::Http },
        generation: 1,
    };
    let policy = policy::build(gateway, &facts)?;
    Ok(Case { policy: &policy, described, local, limits: policy::limits(gateway) }.run())
}

const RIGHT: &str = "explain: stand-in for the configured secret";
const WRONG: &str = "explain: stand-in for another secret";

fn local_ip(described: &Described) -> IpAddr {
    match described.peer {
        Some(ip) if !ip.is_loopback() => Ipv4Addr::UNSPECIFIED.into(),
        Some(_) | None => Ipv4Addr::LOCALHOST.into(),
    }
}

/// A refusal, and whether it is told by HTTP or by a close frame.
struct Refused {
    denied: Denied,
    how: String,
}

/// What is refused before the upgrade is answered as HTTP.
impl From<Denied> for Refused {
    fn from(denied: Denied) -> Self {
        let how = format!("HTTP {}", denied.http_status());
        Self { denied, how }
    }
}

struct Case<'a> {
    policy: &'a Policy,
    described: &'a Described,
    local: SocketAddr,
    limits: Limits,
}

impl Case<'_> {
    fn run(&self) -> Verdict {
        let mut trace = Trace::on();
        let decided = self.decide(&mut trace);
        let steps = trace.steps().iter().map(|step| Step {
            name: step.name.to_owned(),
            outcome: step.outcome.as_str().to_owned(),
            note: step.note.clone().into_owned(),
        });
        let steps = steps.collect();
        match decided {
            Ok(summary) => Verdict { steps, allowed: true, summary, code: None, hint: None },
            Err(Refused { denied, how }) => Verdict {
                steps,
                allowed: false,
                summary: format!("DENY ({how}) {}: {}", denied.reason(), denied.message()),
                code: Some(denied.reason().to_owned()),
                hint: denied.hint().map(Into::into),
            },
        }
    }

    fn decide(&self, trace: &mut Trace) -> Result<String, Refused> {
        let peer = self.peer();
        let headers = self.headers();
        let target = self.described.path.as_deref().unwrap_or("/");
        let line = RequestLine { method: "GET", target, version: HttpVersion::Http11 };
        let head = Head::read(
            line,
            headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())),
        )?;
        let admitted = admit_traced(self.policy, &peer, self.described.via, &head, trace)?;
        if self.described.path.is_some() {
            let locality = if admitted.is_local() { "local" } else { "not local" };
            return Ok(format!("ALLOW {} (client {locality})", head.path().as_str()));
        }
        self.connect(&admitted, trace).map_err(|denied| {
            let how = format!("close {}", denied.close_code());
            Refused { denied, how }
        })
    }

    fn peer(&self) -> Peer {
        let ip = self.described.peer.unwrap_or_else(|| Ipv4Addr::LOCALHOST.into());
        let owner = match self.policy.own_uid {
            Some(uid) if ip.to_canonical().is_loopback() => Owner::Uid(uid),
            Some(_) | None => Owner::Unknown,
        };
        Peer { addr: Some(SocketAddr::new(ip, 50_000)), owner, userspace: Userspace::NotConfigured }
    }

    fn headers(&self) -> Vec<(String, String)> {
        let mut headers = self.described.headers.clone();
        let named = |name: &str| {
            self.described.headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name))
        };
        let mut add = |name: &str, value: String| {
            if !named(name) {
                headers.push((name.to_owned(), value));
            }
        };
        add("host", self.local.to_string());
        if self.described.path.is_none() {
            add("connection", "Upgrade".to_owned());
            add("upgrade", "websocket".to_owned());
            add("sec-websocket-version", "13".to_owned());
            add("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA==".to_owned());
        }
        headers
    }

    fn connect(&self, admitted: &Admitted, trace: &mut Trace) -> Result<String, Denied> {
        let challenge = Challenge { nonce: "explain".into(), issued_at: 0 };
        let mut ask = self.ask()?;
        if !self.is_deviceless(admitted) {
            ask.device = Some(prove(&ask, &challenge));
        }
        let evidence = Evidence {
            admitted,
            challenge: &challenge,
            record: None,
            token_key: &TokenKey::new([0; 32]),
            whois: WhoisAnswer::NotAsked,
        };
        let limiter = Mutex::new(Limiter::new(self.limits));
        let now = Now { unix_ms: 0, uptime: std::time::Duration::ZERO };
        match decide(self.policy, &evidence, &ask, now, &mut Ledger { limiter: &limiter, trace }) {
            Decision::Deny(denied) => Err(denied),
            Decision::Pair(need) => {
                let how = match need.approval() {
                    openclaw_auth::pairing::Approval::Silent => {
                        "paired at once, because it is local with the secret"
                    }
                    openclaw_auth::pairing::Approval::Operator => {
                        "waits for `openclaw devices approve`"
                    }
                };
                Ok(format!("PAIR a new device: {how}; it then holds {}", words(need.scopes())))
            }
            Decision::Allow(grant) => {
                let gate = self.described.method.as_deref().map(|name| match rpc::find(name) {
                    None => format!("; `{name}` is an unknown method"),
                    Some(entry) => entry.refusal(&grant, Protocol::V4).map_or_else(
                        || format!("; `{name}` may be called"),
                        |error| format!("; `{name}`: {error}"),
                    ),
                });
                let held = words(grant.scopes());
                Ok(format!(
                    "ALLOW by {} as {} with {held}{}",
                    grant.method(),
                    grant.role().as_str(),
                    gate.unwrap_or_default()
                ))
            }
        }
    }

    /// Official command-line clients send no device block on loopback; every other client has one.
    fn is_deviceless(&self, admitted: &Admitted) -> bool {
        let (id, mode) = (self.described.client.0.as_str(), self.described.client.1.as_str());
        admitted.is_local()
            && matches!((id, mode), ("cli", "cli" | "probe") | ("gateway-client", "backend"))
    }

    fn ask(&self) -> Result<Ask, Denied> {
        let role = Role::parse(Some(&self.described.role))?;
        let scopes = match role {
            Role::Operator => ScopeSet::from_sent([Scope::Admin.as_str()])?,
            Role::Node => ScopeSet::empty(),
        };
        let token = match self.described.presented {
            Presented::Right => Some(Secret::new(RIGHT)),
            Presented::Wrong => Some(Secret::new(WRONG)),
            Presented::None => None,
        };
        let client = Client {
            id: self.described.client.0.as_str().into(),
            mode: self.described.client.1.as_str().into(),
            platform: std::env::consts::OS.into(),
            device_family: None,
        };
        Ok(Ask {
            protocol: Protocol::V4,
            role,
            scopes,
            client,
            token,
            password: None,
            device_token: None,
            device: None,
        })
    }
}

fn words(scopes: &ScopeSet) -> String {
    let words: Vec<&str> = scopes.words().collect();
    if words.is_empty() { "no scopes".to_owned() } else { words.join(", ") }
}

/// A device that was never seen before, signing as official clients do (layout v3).
fn prove(ask: &Ask, challenge: &Challenge) -> DeviceProof {
    let key = SigningKey::from_bytes(&[7; 32]);
    let public = key.verifying_key().to_bytes();
    let id = PublicKey::from_raw(public).map(|key| key.device_id());
    let signed = Signed {
        client_id: &ask.client.id,
        client_mode: &ask.client.mode,
        role: ask.role,
        scopes: &ask.scopes,
        signed_at: challenge.issued_at.cast_signed(),
        token: ask.token.as_ref().map_or(&[], Secret::expose),
        nonce: &challenge.nonce,
        platform: &ask.client.platform,
        device_family: "",
    };
    let bytes = id.as_ref().map(|id| payload(Layout::V3, id, &signed)).unwrap_or_default();
    DeviceProof {
        id: id.map(|id| id.as_str().into()).unwrap_or_default(),
        public_key: URL_SAFE_NO_PAD.encode(public).into(),
        signature: URL_SAFE_NO_PAD.encode(key.sign(&bytes).to_bytes()).into(),
        signed_at: challenge.issued_at.cast_signed(),
        nonce: challenge.nonce.clone(),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{
        env::Env,
        layers::Flags,
        load,
        paths::{Instance, Paths},
    };

    use super::*;

    fn loaded(config: &str) -> (tempfile::TempDir, Loaded) {
        let home = tempfile::tempdir().expect("home");
        let env = Env::of([("HOME", home.path().to_str().expect("utf-8"))]);
        let paths = Paths::resolve(&Instance::Default, &env).expect("paths");
        crate::store::private_file::write(&paths.config, config).expect("config");
        let loaded =
            load::load(&load::Request { paths: &paths, env: &env, flags: &Flags::default() })
                .expect("loads");
        (home, loaded)
    }

    fn request() -> Described {
        Described {
            path: None,
            method: None,
            peer: None,
            via: Via::Loopback,
            headers: Vec::new(),
            presented: Presented::Right,
            role: "operator".to_owned(),
            client: ("cli".to_owned(), "cli".to_owned()),
        }
    }

    #[test]
    fn a_verdict_is_the_gateways_own() {
        let config = r#"{ gateway: { mode: "local", auth: { token: "explain-test-token-0123456789abcdef" } } }"#;
        let (_home, loaded) = loaded(config);
        let lan = |client: &str| Described {
            peer: Some([203, 0, 113, 9].into()),
            via: Via::Lan,
            client: (client.to_owned(), "ui".to_owned()),
            ..request()
        };
        let header = |name: &str, value: &str| Described {
            headers: vec![(name.to_owned(), value.to_owned())],
            ..request()
        };
        let rows = [
            (request(), true, "ALLOW by token as operator with operator.admin"),
            (
                Described { method: Some("health".to_owned()), ..request() },
                true,
                "`health` may be called",
            ),
            (
                Described { method: Some("nope".to_owned()), ..request() },
                true,
                "`nope` is an unknown method",
            ),
            (Described { presented: Presented::Wrong, ..request() }, false, "token mismatch"),
            (
                Described { presented: Presented::None, ..request() },
                false,
                "device identity required",
            ),
            (lan("openclaw-macos"), true, "waits for `openclaw devices approve`"),
            (
                header("X-Forwarded-For", "1.2.3.4"),
                false,
                "DENY (HTTP 403) proxy_attribution_required",
            ),
            (header("Origin", "https://evil.example"), false, "DENY (HTTP 403) origin_not_allowed"),
            (Described { path: Some("/".to_owned()), ..request() }, true, "ALLOW / (client local)"),
        ];
        for (described, allowed, words) in rows {
            let verdict = explain(&loaded, &described).expect("policy");
            assert_eq!(verdict.allowed, allowed, "{described:?}: {}", verdict.summary);
            assert!(verdict.summary.contains(words), "{words}: {}", verdict.summary);
            assert_eq!(
                verdict.summary,
                explain(&loaded, &described).expect("policy").summary,
                "I4"
            );
        }
    }
}
