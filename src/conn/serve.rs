//! The whole line of one WebSocket: challenge, connect, decision, hello, actor.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use ipnet::IpNet;
use openclaw_auth::{
    Admitted, Decision, Denied, Evidence, Grant, Ledger, Limiter, Method, PairNeed, Policy,
    Protocol, Role, Scope, Trace,
    decide::{decide, resume},
    limiter::{Class, Limits},
    pairing::{Approval, PairReason},
    policy::Now,
    via::WhoisAnswer,
};
use serde_json::{json, value::RawValue};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, sleep, timeout_at},
};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::UnixMs,
    devices::{DeviceError, Request},
    events::kinds,
    protocol::{
        close::Close,
        error::ErrorShape,
        frame::{self, Json},
        hello::{Auth, HelloOk, Server, Snapshot},
    },
    rpc::{
        self, Ctx,
        methods::devices::{PendingRow, resolved},
        services::Services,
    },
};

use super::{
    actor::Actor,
    handshake::{self, Connect, Refusal},
    pipe::Pipe,
    seat::Seat,
    wire::{Turn, Wire},
};

/// What every connection passes: the policy in force, the limiter, and what is behind the door.
#[derive(Debug)]
pub struct Door {
    pub services: Arc<Services>,
    policy: RwLock<Arc<Policy>>,
    /// Where fresh nodes are let in from (`gateway.nodes.pairing.autoApproveCidrs`), as far as in force.
    node_networks: RwLock<Vec<IpNet>>,
    pub limiter: Mutex<Limiter>,
    pub handshake_timeout: Duration,
    features: Json,
    session_defaults: Json,
    refusals: Refusals,
}

/// A connection that has not said hello yet, with what it holds while it is a stranger.
#[derive(Debug)]
pub struct Stranger<G> {
    /// When the handshake must be done, counted from accept.
    pub deadline: Instant,
    /// Cancelled when a newcomer needs the place.
    pub evicted: CancellationToken,
    /// Cancelled when the gateway stops: whoever has said nothing yet has nothing to finish.
    pub closing: CancellationToken,
    /// Its place among strangers; dropped at hello.
    pub place: G,
}

impl Door {
    #[must_use]
    pub fn new(
        services: Arc<Services>,
        policy: Policy,
        limiter: Limiter,
        handshake_timeout: Duration,
    ) -> Self {
        let methods: Vec<&str> = rpc::entries().map(|entry| entry.name).collect();
        let challenge = std::iter::once("connect.challenge");
        let events: Vec<&str> = challenge.chain(kinds::ALL.iter().map(|kind| kind.name)).collect();
        let session_defaults = json!({
            "defaultAgentId": "main", "mainKey": "main", "mainSessionKey": "agent:main:main", "scope": "per-sender",
        });
        let loaded = services.config.current();
        let node_networks = loaded.config.gateway.nodes.pairing.auto_approve_cidrs.clone();
        Self {
            services,
            policy: RwLock::new(Arc::new(policy)),
            node_networks: RwLock::new(node_networks),
            limiter: Mutex::new(limiter),
            handshake_timeout,
            features: frame::to_json(&json!({ "methods": methods, "events": events })),
            session_defaults: frame::to_json(&session_defaults),
            refusals: Refusals::default(),
        }
    }

    #[must_use]
    pub fn policy(&self) -> Arc<Policy> {
        Arc::clone(&self.policy.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts a new policy in force. Connections that an older one let in by a shared secret are closed when
    /// the credentials changed (row E18).
    pub fn replace_policy(&self, policy: Policy, node_networks: Vec<IpNet>) {
        let generation = policy.generation;
        *self.node_networks.write().unwrap_or_else(PoisonError::into_inner) = node_networks;
        *self.policy.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(policy);
        let closed = self.services.hub.close_where(&Close::policy("credential_rotated"), |grant| {
            rests_on_secret(grant) && grant.policy_generation() < generation
        });
        if closed > 0 {
            tracing::info!(closed, "credentials changed: connections of the old ones were closed");
        }
    }

    /// Changed limits start counting anew: a lock of the old ones would be judged by numbers nobody set.
    pub fn set_limits(&self, limits: Limits) {
        *self.limiter.lock().unwrap_or_else(PoisonError::into_inner) = Limiter::new(limits);
    }

    #[must_use]
    pub fn now(&self) -> Now {
        let clock = &self.services.clock;
        Now { unix_ms: clock.now_ms(), uptime: Duration::from_millis(clock.uptime_ms()) }
    }

    /// A credential of the wrong type is a guess too (row E12).
    fn count_failure(&self, admitted: &Admitted) {
        let mut limiter = self.limiter.lock().unwrap_or_else(PoisonError::into_inner);
        limiter.fail(admitted.client(), Class::SharedSecret, self.now().uptime);
    }

    /// True while neither the secret nor the device behind a grant was taken back.
    #[must_use]
    pub fn still_holds(&self, grant: &Grant) -> bool {
        let current = self.policy().generation;
        let generation = if rests_on_secret(grant) { current } else { grant.policy_generation() };
        let record = grant.device().and_then(|device| self.services.devices.record(device.id()));
        grant.still_holds(generation, record.as_deref())
    }

    /// Logs a refusal, at most once a minute per reason (row J14).
    pub fn note_refusal(&self, denied: &Denied, who: &str) {
        let now = self.services.clock.now_ms();
        if let Some(unlogged) = self.refusals.take(denied.reason(), now) {
            let hint = denied.hint().unwrap_or_default();
            tracing::warn!(
                reason = denied.reason(),
                from = who,
                unlogged,
                hint = hint.as_ref(),
                "refused: {}",
                denied.message()
            );
        }
    }
}

/// True for a grant that a shared secret gave; a device token stands by its own generation.
fn rests_on_secret(grant: &Grant) -> bool {
    match grant.method() {
        Method::Token | Method::Password => true,
        Method::None | Method::DeviceToken | Method::TrustedProxy | Method::Tailscale => false,
    }
}

/// How often each reason was refused since it was last logged.
#[derive(Debug, Default)]
struct Refusals(Mutex<HashMap<&'static str, (UnixMs, u64)>>);

impl Refusals {
    const QUIET_MS: u64 = 60_000;

    fn take(&self, reason: &'static str, now: UnixMs) -> Option<u64> {
        let mut reasons = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (logged_at, unlogged) = reasons.entry(reason).or_insert((0, 0));
        if *logged_at + Self::QUIET_MS > now {
            *unlogged += 1;
            return None;
        }
        *logged_at = now;
        Some(std::mem::take(unlogged))
    }
}

/// Serves one upgraded socket to its end.
pub async fn serve<S, G>(
    door: Arc<Door>,
    pipe: Pipe<S>,
    admitted: Admitted,
    stranger: Stranger<G>,
    stop: CancellationToken,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut wire = Wire::new(pipe).await;
    let greeting = async {
        let greeted = timeout_at(stranger.deadline, greet(&door, &mut wire, &admitted));
        tokio::select! {
            biased;
            () = stranger.closing.cancelled() => Err(Some(Close::new(Close::SERVICE_RESTART, "service restart"))),
            () = stranger.evicted.cancelled() => Err(Some(Close::new(Close::TRY_AGAIN_LATER, "too many unauthenticated sockets"))),
            greeted = greeted => greeted.unwrap_or_else(|_late| Err(Some(Close::silent(Close::NORMAL)))),
        }
    };
    // The handshake needs far more room than what follows: it gives it back.
    match Box::pin(greeting).await {
        Ok((ctx, seat)) => {
            drop(stranger);
            drop(admitted);
            wire.open();
            Actor::new(wire, ctx, seat).run(stop).await;
        }
        Err(Some(close)) => Box::pin(wire.close(&close)).await,
        Err(None) => {}
    }
}

type Greeted = Result<(Ctx, Seat), Option<Close>>;

/// Challenge, connect, decision, hello. `Err(None)`: the peer is gone.
async fn greet<S: AsyncRead + AsyncWrite + Unpin>(
    door: &Arc<Door>,
    wire: &mut Wire<S>,
    admitted: &Admitted,
) -> Greeted {
    let challenge = handshake::challenge(door.services.clock.now_ms());
    wire.send(handshake::challenge_frame(&challenge));
    let text = loop {
        match wire.next().await {
            Turn::Message(text) => break text,
            // Neither extends the deadline (row F14).
            Turn::Ping | Turn::Pong => {}
            Turn::Gone => return Err(None),
            Turn::Broken(close) => return Err(Some(close)),
        }
    };
    let entered = match handshake::read(&text) {
        Ok(connect) => {
            let admission = Admission { door, admitted, challenge: &challenge, connect: &connect };
            admission.decide().await.map(|grant| (connect, Arc::new(grant)))
        }
        Err(refusal) => {
            if refusal.counts {
                door.count_failure(admitted);
            }
            Err(refusal)
        }
    };
    match entered {
        Ok((connect, grant)) => Ok(enter(door, wire, admitted, (connect, grant))),
        Err(refusal) => {
            if let Some(answer) = refusal.answer {
                wire.send(answer);
            }
            Err(Some(refusal.close))
        }
    }
}

/// One `connect` on its way to a grant.
struct Admission<'a> {
    door: &'a Arc<Door>,
    admitted: &'a Admitted,
    challenge: &'a openclaw_auth::Challenge,
    connect: &'a Connect,
}

impl Admission<'_> {
    async fn decide(&self) -> Result<Grant, Box<Refusal>> {
        let policy = self.door.policy();
        match self.first(&policy) {
            Decision::Allow(grant) => Ok(*grant),
            Decision::Deny(denied) => Err(self.deny(&denied).await),
            Decision::Pair(need)
                if need.approval() == Approval::Silent || self.is_trusted_node(&need) =>
            {
                self.pair_silently(&policy, &need).await
            }
            Decision::Pair(need) => Err(self.ask_operator(&need).await),
        }
    }

    fn first(&self, policy: &Policy) -> Decision {
        let services = &self.door.services;
        let id = self
            .connect
            .ask
            .device
            .as_ref()
            .and_then(|device| openclaw_auth::DeviceId::parse(&device.id));
        let record = id.and_then(|id| services.devices.record(&id));
        let evidence = Evidence {
            admitted: self.admitted,
            challenge: self.challenge,
            record: record.as_deref(),
            token_key: &services.token_key,
            whois: WhoisAnswer::NotAsked,
        };
        let mut trace = Trace::off();
        let mut ledger = Ledger { limiter: &self.door.limiter, trace: &mut trace };
        decide(policy, &evidence, &self.connect.ask, self.door.now(), &mut ledger)
    }

    async fn deny(&self, denied: &Denied) -> Box<Refusal> {
        self.door.note_refusal(denied, &self.who());
        if let Some(delay) = denied.delay() {
            sleep(delay).await;
        }
        Refusal::denied(&self.connect.id, denied)
    }

    /// A fresh node without scopes from a network of `gateway.nodes.pairing.autoApproveCidrs`.
    fn is_trusted_node(&self, need: &PairNeed) -> bool {
        let fresh = need.reason() == PairReason::NotPaired
            && need.role() == Role::Node
            && need.scopes().is_empty();
        let networks = self.door.node_networks.read().unwrap_or_else(PoisonError::into_inner);
        let ip = self.admitted.client_ip();
        fresh
            && self.admitted.origin().is_none()
            && ip.is_some_and(|ip| networks.iter().any(|net| net.contains(&ip)))
    }

    fn who(&self) -> String {
        let client = &self.connect.client;
        let ip = self.admitted.client_ip().map_or_else(|| "unix".to_owned(), |ip| ip.to_string());
        format!("{ip} {}/{} via {}", client.id, client.mode, self.admitted.via().as_str())
    }

    async fn pair_silently(&self, policy: &Policy, need: &PairNeed) -> Result<Grant, Box<Refusal>> {
        let services = &self.door.services;
        let now = services.clock.now_ms();
        let applicant = self.connect.applicant(self.admitted.client_ip());
        let pending = services
            .devices
            .approve_silently(need, applicant, now)
            .await
            .map_err(|error| self.fail(error))?;
        tracing::info!(
            device = need.device_id().as_str(),
            role = need.role().as_str(),
            from = self.who(),
            "local device paired"
        );
        resolved(services, &pending, "approved", now);
        let record = services
            .devices
            .record(need.device_id())
            .ok_or_else(|| self.fail(DeviceError::UnknownDevice))?;
        match resume(policy, need, &record, &services.token_key, &mut Trace::off()) {
            Decision::Allow(grant) => Ok(*grant),
            Decision::Deny(denied) => Err(Refusal::denied(&self.connect.id, &denied)),
            Decision::Pair(need) => Err(self.ask_operator(&need).await),
        }
    }

    async fn ask_operator(&self, need: &PairNeed) -> Box<Refusal> {
        let services = &self.door.services;
        let now = services.clock.now_ms();
        let applicant = self.connect.applicant(self.admitted.client_ip());
        let request = match services.devices.request(need, applicant, now).await {
            Ok(request) => request,
            Err(error) => return self.fail(error),
        };
        if let Request::Filed { pending, gone } = &request {
            for old in gone {
                let mut old_request = pending.clone();
                old_request.request_id = old.clone();
                resolved(services, &old_request, "rejected", now);
            }
            services.hub.publish(
                &kinds::DEVICE_PAIR_REQUESTED,
                frame::to_json(&PendingRow::of(pending)),
                None,
            );
            tracing::info!(
                device = need.device_id().as_str(),
                request = pending.request_id.0.as_str(),
                from = self.who(),
                "a device asks to be paired: `openclaw devices approve {}`",
                pending.request_id.0
            );
        }
        Refusal::denied(&self.connect.id, &need.denied(&request.pending().request_id.0))
    }

    fn fail(&self, error: DeviceError) -> Box<Refusal> {
        Refusal::failed(&self.connect.id, &ErrorShape::from(error))
    }
}

/// Takes the seat and says hello.
fn enter<S: AsyncRead + AsyncWrite + Unpin>(
    door: &Arc<Door>,
    wire: &mut Wire<S>,
    admitted: &Admitted,
    (connect, grant): (Connect, Arc<Grant>),
) -> (Ctx, Seat) {
    let services = &door.services;
    if let Some(device) = grant.device() {
        services.devices.seen(device.id(), services.clock.now_ms());
    }
    let ip = admitted.client_ip().filter(|ip| !ip.is_loopback()).map(|ip| ip.to_string());
    let seat = Seat::take(services, &grant, &connect.client, ip);
    // Whoever was revoked between the decision and the seat was in nobody's list yet.
    if !door.still_holds(&grant) {
        seat.mailbox.close(Close::new(Close::REVOKED, "device removed"));
    }
    wire.send(hello(door, &connect, &grant));
    tracing::debug!(
        client = connect.client.id.as_str(),
        mode = connect.client.mode.as_str(),
        role = grant.role().as_str(),
        method = grant.method().as_str(),
        protocol = connect.ask.protocol.number(),
        "connected"
    );
    (Ctx { services: Arc::clone(services), grant, protocol: connect.ask.protocol }, seat)
}

fn hello(door: &Door, connect: &Connect, grant: &Grant) -> String {
    let services = &door.services;
    let about = &services.about;
    let protocol = connect.ask.protocol;
    let conn_id = uuid::Uuid::new_v4().to_string();
    let (presence, _) = services.presence.text();
    let health = services.health.text();
    // Paths are told to administrators; protocol 3 operators expect them always.
    let told =
        grant.allows(Scope::Admin) || (protocol == Protocol::V3 && grant.role() == Role::Operator);
    let (config_path, state_dir) =
        (about.config_path.to_string_lossy(), about.state_dir.to_string_lossy());
    // A client that may not read presence is not told who is here either.
    let nobody: &RawValue = serde_json::from_str("[]").unwrap_or(RawValue::NULL);
    let snapshot = Snapshot {
        presence: if grant.allows(Scope::Read) { &presence } else { nobody },
        health: &health,
        state_version: services.state_version(),
        uptime_ms: services.clock.uptime_ms(),
        session_defaults: &door.session_defaults,
        config_path: told.then_some(&config_path),
        state_dir: told.then_some(&state_dir),
        auth_mode: told.then_some(about.auth_mode),
    };
    let server = Server {
        version: about.version,
        conn_id: &conn_id,
        boot_id: (protocol >= Protocol::V4).then_some(&about.boot_id),
    };
    let mut hello = HelloOk::new(protocol, server, &door.features, snapshot);
    if let Some(auth) = auth(services, connect, grant) {
        hello = hello.with_auth(auth);
    }
    frame::response_of(&connect.id, &hello)
}

/// Protocol 4 always tells what the connection has; protocol 3 tells those that sent a device, and a paired
/// one what its token is good for.
fn auth<'a>(services: &Services, connect: &Connect, grant: &'a Grant) -> Option<Auth<'a>> {
    let protocol = connect.ask.protocol;
    if protocol == Protocol::V3 && connect.ask.device.is_none() {
        return None;
    }
    let device = grant.device();
    let scopes = match device {
        Some(device) if protocol == Protocol::V3 => device.token_scopes(),
        Some(_) | None => grant.scopes(),
    };
    Some(Auth {
        method: (protocol >= Protocol::V4).then(|| grant.method().as_str()),
        role: grant.role().as_str(),
        scopes: scopes.words().collect(),
        device_token: device.map(|device| device.token().expose_str()),
        issued_at_ms: device
            .and_then(|device| services.devices.issued_at(device.id(), grant.role())),
    })
}
