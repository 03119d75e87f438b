//! One HTTP connection: request hygiene, admission, routes.
//!
//! Probes (`/healthz` and friends) are static and answered before anything is believed. Everything else is
//! admitted first (`openclaw_auth::admit`), then upgraded, or answered by the Control UI. The canonical
//! path is made once and used for both routing and authority (attack row G9).

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode, Version,
    body::Incoming,
    header::{
        ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName,
        HeaderValue, RETRY_AFTER, TRANSFER_ENCODING, UPGRADE,
    },
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use openclaw_auth::{
    Admitted, Denied, Head, HttpVersion, Ledger, Peer, RequestLine, Trace, Via, admit, bearer,
    bearer::BearerEvidence,
};
use serde_json::json;
use tokio::time::Instant;

use crate::{
    protocol::frame,
    ui::{self, Ui, bootstrap},
};

use super::{
    accept::{Arrival, House},
    io::Io,
    peer,
    strangers::Place,
    upgrade,
};

pub type Body = Full<Bytes>;

/// Between requests, and for the head of one (rows F12, G8).
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// Read buffer: a request head may be 16 KiB in all (row G8).
const BUFFER: usize = 16 * 1024;

/// Header lines of a request (row G8).
const HEADERS: usize = 64;

/// Kept-alive connections that are no strangers any more but hold no WebSocket; past it each is closed
/// after its answer.
const GUESTS: usize = 1024;

/// What is served besides the WebSocket.
#[derive(Debug)]
pub struct Site {
    pub ui: Ui,
    guests: AtomicUsize,
}

impl Site {
    #[must_use]
    pub const fn new(ui: Ui) -> Self {
        Self { ui, guests: AtomicUsize::new(0) }
    }
}

/// One TCP connection and what it may still become.
#[derive(Debug)]
pub struct Session {
    pub house: House,
    via: Via,
    peer: SocketAddr,
    local: SocketAddr,
    /// When a WebSocket on it must have said hello.
    pub deadline: Instant,
    standing: Mutex<Standing>,
    /// Asked from the kernel once, at the first request that is not a probe.
    described: std::sync::OnceLock<Peer>,
}

/// A stranger becomes a guest with its first whole request; an upgrade takes the place along.
#[derive(Debug)]
enum Standing {
    Stranger(Place),
    Guest,
    Upgraded,
}

/// Serves one connection to its end.
pub async fn serve(house: House, io: Io, arrival: Arrival, accepted: Instant) {
    let evicted = arrival.place.evicted.clone();
    let closing = house.closing.clone();
    let session = Arc::new(Session {
        via: arrival.via,
        peer: arrival.peer,
        local: arrival.local,
        deadline: accepted + house.door.handshake_timeout,
        standing: Mutex::new(Standing::Stranger(arrival.place)),
        described: std::sync::OnceLock::new(),
        house,
    });
    let service = service_fn(|request| respond(Arc::clone(&session), request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(BUFFER)
        .max_headers(HEADERS)
        .serve_connection(TokioIo::new(io), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        biased;
        () = evicted.cancelled() => return,
        () = closing.cancelled() => {}
        ended = connection.as_mut() => return note(ended, &session),
    }
    // Stopping: answer the request in hand, then close.
    connection.as_mut().graceful_shutdown();
    drop(tokio::time::timeout(HEADER_TIMEOUT, connection).await);
}

fn note(ended: hyper::Result<()>, session: &Session) {
    if let Err(error) = ended {
        tracing::debug!(peer = %session.peer, %error, "http connection ended");
    }
}

async fn respond(
    session: Arc<Session>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let may_stay = session.may_stay();
    let mut response = answer(&session, request).await;
    if !may_stay && response.status() != StatusCode::SWITCHING_PROTOCOLS {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}

async fn answer(session: &Arc<Session>, request: Request<Incoming>) -> Response<Body> {
    if let Some(response) = session.quick_probe(&request) {
        return response;
    }
    let target = request.uri().to_string();
    let decided = {
        let head = match read(&request, &target) {
            Ok(head) => head,
            Err(denied) => return session.refuse(&denied),
        };
        if let Some(probe) = probe(head.path().as_str()) {
            return session.probe(probe, &request, &head);
        }
        session.admit(&head).and_then(|admitted| {
            let upgrade = head.upgrade()?.is_some();
            Ok((admitted, upgrade, head.path().as_str().to_owned()))
        })
    };
    match decided {
        Err(denied) => session.refuse(&denied),
        Ok((admitted, true, _)) => session.upgrade(request, admitted),
        Ok((admitted, false, path)) => session.page(&request, &target, admitted, &path).await,
    }
}

/// The head as the auth crate reads it: every header line, in order, as bytes.
fn read<'a>(request: &'a Request<Incoming>, target: &'a str) -> Result<Head<'a>, Denied> {
    let version = if request.version() == Version::HTTP_10 {
        HttpVersion::Http10
    } else {
        HttpVersion::Http11
    };
    let line = RequestLine { method: request.method().as_str(), target, version };
    Head::read(
        line,
        request.headers().iter().map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes())),
    )
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Probe {
    Live,
    Ready,
    Started,
}

fn probe(path: &str) -> Option<Probe> {
    match path {
        "/health" | "/healthz" => Some(Probe::Live),
        "/ready" | "/readyz" => Some(Probe::Ready),
        "/startup" | "/startupz" => Some(Probe::Started),
        _other => None,
    }
}

impl Session {
    /// The peer as the kernel knows it, and the decision whether this request may go on.
    fn admit(&self, head: &Head<'_>) -> Result<Admitted, Denied> {
        let peer = self.described.get_or_init(|| peer::describe(self.peer, self.local));
        admit(&self.house.door.policy(), peer, self.via, head)
    }

    /// Whether there is room for one more connection that only keeps alive.
    fn may_stay(&self) -> bool {
        self.house.site.guests.load(Ordering::Relaxed) < GUESTS
    }

    /// A plain `GET /healthz`, which monitors send by the thousand: nothing about it can be believed or
    /// refused, so nothing is looked at.
    fn quick_probe(&self, request: &Request<Incoming>) -> Option<Response<Body>> {
        let headers = request.headers();
        let plain = *request.method() == Method::GET
            && request.uri().query().is_none()
            && request.uri().authority().is_none()
            && probe(request.uri().path()) == Some(Probe::Live)
            && !headers.contains_key(CONTENT_LENGTH)
            && !headers.contains_key(TRANSFER_ENCODING)
            && !headers.contains_key(UPGRADE)
            && headers.get_all(HOST).iter().count() == 1;
        plain.then(|| {
            self.settle();
            reply(StatusCode::OK, LIVE, request.method())
        })
    }

    fn probe(&self, probe: Probe, request: &Request<Incoming>, head: &Head<'_>) -> Response<Body> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return method_not_allowed();
        }
        self.settle();
        let services = &self.house.door.services;
        let local = || self.admit(head).is_ok_and(|admitted| admitted.is_local());
        let ready = !self.house.closing.is_cancelled();
        let (status, document) = match probe {
            Probe::Live => (StatusCode::OK, LIVE),
            Probe::Started if local() => {
                let uptime = services.clock.uptime_ms();
                let version = services.about.version;
                let document = json!({ "ok": true, "status": "started", "version": version, "uptimeMs": uptime });
                return reply(StatusCode::OK, document.to_string(), request.method());
            }
            Probe::Started => (StatusCode::OK, r#"{"ok":true,"status":"started"}"#),
            Probe::Ready if ready && local() => {
                let document =
                    json!({ "ready": true, "failing": [], "uptimeMs": services.clock.uptime_ms() });
                return reply(StatusCode::OK, document.to_string(), request.method());
            }
            Probe::Ready if ready => (StatusCode::OK, r#"{"ready":true}"#),
            Probe::Ready => (StatusCode::SERVICE_UNAVAILABLE, r#"{"ready":false}"#),
        };
        reply(status, document, request.method())
    }

    fn upgrade(self: &Arc<Self>, request: Request<Incoming>, admitted: Admitted) -> Response<Body> {
        let key = request.headers().get("sec-websocket-key").and_then(|key| key.to_str().ok());
        if !key.is_some_and(upgrade::is_key) {
            return error(
                StatusCode::BAD_REQUEST,
                "the Sec-WebSocket-Key is not 16 bytes of base64",
                "bad_request",
            );
        }
        let mut standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        let place = match std::mem::replace(&mut *standing, Standing::Upgraded) {
            Standing::Stranger(place) => place,
            // A kept-alive connection that upgrades late is a stranger again.
            Standing::Guest | Standing::Upgraded => self.house.strangers.enter(self.peer.ip()),
        };
        drop(standing);
        upgrade::accept(self, request, admitted, place)
    }

    async fn page(
        &self,
        request: &Request<Incoming>,
        target: &str,
        admitted: Admitted,
        path: &str,
    ) -> Response<Body> {
        self.settle();
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return method_not_allowed();
        }
        let site = &self.house.site;
        if site.ui.is_bootstrap_path(path) {
            return match self.prove(request, target, &admitted) {
                Ok(()) => reply(StatusCode::OK, site.ui.bootstrap().to_string(), request.method()),
                Err(denied) => self.refuse(&denied),
            };
        }
        if site.ui.avatar_agent(path).is_some() {
            return match self.prove(request, target, &admitted) {
                Ok(()) => {
                    reply(StatusCode::OK, bootstrap::avatar_meta().to_string(), request.method())
                }
                Err(denied) => self.refuse(&denied),
            };
        }
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        let asked = ui::Request {
            method: request.method().as_str(),
            path,
            if_none_match: header("if-none-match"),
            accept_encoding: header("accept-encoding"),
            host: header("host"),
        };
        let page = site.ui.respond(&asked).await;
        let mut response = Response::new(Full::new(page.body));
        *response.status_mut() =
            StatusCode::from_u16(page.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        for (name, value) in &page.headers {
            put(&mut response, name, value);
        }
        response
    }

    /// The bearer of a route that needs one.
    fn prove(
        &self,
        request: &Request<Incoming>,
        target: &str,
        admitted: &Admitted,
    ) -> Result<(), Denied> {
        let door = &self.house.door;
        let head = read(request, target)?;
        let records = door.services.devices.records();
        let evidence = BearerEvidence {
            admitted,
            head: &head,
            records: &records,
            token_key: &door.services.token_key,
        };
        let mut trace = Trace::off();
        let mut ledger = Ledger { limiter: &door.limiter, trace: &mut trace };
        bearer(&door.policy(), &evidence, door.now(), &mut ledger).map(drop)
    }

    /// The request was served: this connection is no stranger any more.
    fn settle(&self) {
        let mut standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(&*standing, Standing::Stranger(_)) {
            *standing = Standing::Guest;
            self.house.site.guests.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn refuse(&self, denied: &Denied) -> Response<Body> {
        self.house
            .door
            .note_refusal(denied, &format!("{} via {}", self.peer.ip(), self.via.as_str()));
        let status = StatusCode::from_u16(denied.http_status()).unwrap_or(StatusCode::FORBIDDEN);
        let (message, kind) = match status {
            StatusCode::UNAUTHORIZED => ("Unauthorized".to_owned(), "unauthorized"),
            StatusCode::TOO_MANY_REQUESTS => (
                "Too many failed authentication attempts. Please try again later.".to_owned(),
                "rate_limited",
            ),
            _other => (denied.message().into_owned(), denied.reason()),
        };
        let mut response = error(status, &message, kind);
        // What follows a refused head on the same connection is not worth reading (rows G1, G5).
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        if let Some(seconds) = denied.retry_after_seconds() {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let standing = self.standing.get_mut().unwrap_or_else(PoisonError::into_inner);
        if matches!(standing, Standing::Guest) {
            self.house.site.guests.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// On every answer that is data: nothing in it may be run, framed or sniffed.
const DATA_HEADERS: [(&str, &str); 4] = [
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
];

const LIVE: &str = r#"{"ok":true,"status":"live"}"#;

#[must_use]
pub fn empty() -> Body {
    Full::new(Bytes::new())
}

fn reply(status: StatusCode, document: impl Into<Bytes>, method: &Method) -> Response<Body> {
    let body = if *method == Method::HEAD { Bytes::new() } else { document.into() };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    for (name, value) in DATA_HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

/// `{"error":{"message":…,"type":…}}`, upstream's shape for HTTP.
fn error(status: StatusCode, message: &str, kind: &str) -> Response<Body> {
    reply(
        status,
        frame::to_text(&json!({ "error": { "message": message, "type": kind } })),
        &Method::GET,
    )
}

fn method_not_allowed() -> Response<Body> {
    let mut response =
        error(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed", "method_not_allowed");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

fn put(response: &mut Response<Body>, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().entry(HeaderName::from_static(name)).or_insert(value);
    }
}
