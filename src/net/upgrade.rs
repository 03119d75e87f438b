//! From an accepted upgrade request to a WebSocket in `conn`.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hyper::{
    Request, Response, StatusCode,
    body::Incoming,
    header::{CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, UPGRADE},
    upgrade::{OnUpgrade, Parts},
};
use hyper_util::rt::TokioIo;
use openclaw_auth::Admitted;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::conn::{
    pipe::Pipe,
    serve::{self, Stranger},
};

use super::{
    http::{Body, Session, empty},
    io::Io,
    strangers::Place,
};

/// Answers 101 and serves the socket in a task of the house.
pub fn accept(
    session: &Arc<Session>,
    mut request: Request<Incoming>,
    admitted: Admitted,
    place: Place,
) -> Response<Body> {
    let key =
        request.headers().get("sec-websocket-key").map(|key| derive_accept_key(key.as_bytes()));
    let upgrade = hyper::upgrade::on(&mut request);
    let house = &session.house;
    let stranger = Stranger {
        deadline: session.deadline,
        evicted: place.evicted.clone(),
        closing: house.closing.clone(),
        place,
    };
    let task = websocket(Arc::clone(session), upgrade, admitted, stranger);
    house.tracker.spawn(task);
    let mut response = Response::new(empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    if let Some(key) = key.and_then(|key| HeaderValue::from_str(&key).ok()) {
        headers.insert(SEC_WEBSOCKET_ACCEPT, key);
    }
    response
}

async fn websocket(
    session: Arc<Session>,
    upgrade: OnUpgrade,
    admitted: Admitted,
    stranger: Stranger<Place>,
) {
    let upgraded = tokio::select! {
        biased;
        () = stranger.evicted.cancelled() => return,
        upgraded = upgrade => upgraded,
    };
    let Ok(upgraded) = upgraded else { return };
    let Ok(Parts { io, read_buf, .. }) = upgraded.downcast::<TokioIo<Io>>() else { return };
    let pipe = Pipe::new(io.into_inner(), read_buf);
    let (door, stop) = (Arc::clone(&session.house.door), session.house.stop.clone());
    drop(session);
    serve::serve(door, pipe, admitted, stranger, stop).await;
}

/// True for a key of 16 bytes in base64 (row G12).
#[must_use]
pub fn is_key(key: &str) -> bool {
    STANDARD.decode(key).is_ok_and(|bytes| bytes.len() == 16)
}
