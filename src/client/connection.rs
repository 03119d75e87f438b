//! An open connection: requests, answers, events.
//!
//! One task owns it. While it waits for an answer it keeps the events that come, the newest
//! [`EVENTS`] of them; [`Connection::next_event`] gives them out in order.

use std::{collections::VecDeque, net::SocketAddr, time::Duration};

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Error, Message, error::CapacityError, protocol::CloseFrame};
use uuid::Uuid;

use crate::{
    client::{
        dial::{Dialled, Reached, Socket},
        error::ClientError,
    },
    protocol::{
        close::Close,
        error::ErrorShape,
        frame::{self, Event, Incoming, Response},
        hello::Greeting,
        limits,
    },
};

/// Events kept while a call waits: a busy gateway sends a few dozen during one.
const EVENTS: usize = 256;

/// A peer that does not answer a close frame is left.
const GOODBYE: Duration = Duration::from_millis(250);

/// A socket that speaks frames; what there is before hello-ok.
pub struct Wire {
    socket: Socket,
    pub peer: SocketAddr,
    pub reached: Reached,
    requests: u64,
}

impl Wire {
    #[must_use]
    pub fn new(dialled: Dialled) -> Self {
        let Dialled { socket, peer, reached } = dialled;
        Self { socket, peer, reached, requests: 0 }
    }

    /// Sends a request and returns its id. No params means no `params`, as official clients do it.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn request(
        &mut self,
        method: &str,
        params: Option<&Value>,
    ) -> Result<String, ClientError> {
        self.requests += 1;
        let id = format!("{}:{}", self.requests, Uuid::new_v4());
        let text = frame::request(&id, method, params);
        tracing::trace!(id, method, bytes = text.len(), "request");
        self.socket.send(Message::text(text)).await.map_err(broken)?;
        Ok(id)
    }

    /// The next frame that we know; others are skipped, as a newer gateway may have more kinds.
    ///
    /// # Errors
    /// The connection broke or was closed.
    pub async fn next(&mut self) -> Result<Incoming, ClientError> {
        loop {
            let Some(message) = self.socket.next().await else {
                return Err(ClientError::transport("the gateway closed the connection"));
            };
            let read = match message.map_err(broken)? {
                Message::Text(text) => serde_json::from_str(text.as_str()),
                Message::Binary(bytes) => serde_json::from_slice(&bytes),
                Message::Close(frame) => return Err(ClientError::closed(close_of(frame))),
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => continue,
            };
            if let Ok(incoming) = read {
                return Ok(incoming);
            }
        }
    }

    async fn close(mut self) {
        // The answer is already here: a peer that is slow to say goodbye changes nothing.
        drop(timeout(GOODBYE, self.socket.close(None)).await);
    }
}

fn close_of(frame: Option<CloseFrame>) -> Close {
    // 1005: a close frame without a code.
    frame.map_or_else(|| Close::silent(1005), |frame| Close::new(frame.code.into(), &frame.reason))
}

fn broken(error: Error) -> ClientError {
    if let Error::Capacity(CapacityError::MessageTooLong { size, .. }) = error {
        let allowed = limits::MAX_PAYLOAD;
        return ClientError::protocol(format!(
            "the gateway sent {size} bytes in one message; {allowed} are allowed"
        ));
    }
    ClientError::transport(format!("the connection broke: {error}"))
}

/// A connection after hello-ok.
pub struct Connection {
    wire: Wire,
    hello: Greeting,
    limit: Duration,
    events: VecDeque<Event>,
}

impl Connection {
    #[must_use]
    pub fn new(wire: Wire, hello: Greeting, limit: Duration) -> Self {
        Self { wire, hello, limit, events: VecDeque::new() }
    }

    /// What the gateway said of itself and of us.
    #[must_use]
    pub fn hello(&self) -> &Greeting {
        &self.hello
    }

    /// The address that was dialled.
    #[must_use]
    pub fn peer(&self) -> SocketAddr {
        self.wire.peer
    }

    /// One request and its answer.
    ///
    /// # Errors
    /// The gateway's refusal, a broken connection, or no answer in time.
    pub async fn call(
        &mut self,
        method: &str,
        params: Option<&Value>,
    ) -> Result<Value, ClientError> {
        self.call_until(method, params, Until::First).await
    }

    /// As [`Connection::call`], but an answer that only says `accepted` is not the last one.
    ///
    /// # Errors
    /// As [`Connection::call`].
    pub async fn call_final(
        &mut self,
        method: &str,
        params: Option<&Value>,
    ) -> Result<Value, ClientError> {
        self.call_until(method, params, Until::Final).await
    }

    async fn call_until(
        &mut self,
        method: &str,
        params: Option<&Value>,
        until: Until,
    ) -> Result<Value, ClientError> {
        let limit = self.limit;
        let answered = async {
            let id = self.wire.request(method, params).await?;
            loop {
                let answer = payload(self.response(&id).await?)?;
                if until == Until::First || !is_accepted(&answer) {
                    return Ok(answer);
                }
            }
        };
        timeout(limit, answered).await.unwrap_or_else(|_| Err(unanswered(method, limit)))
    }

    /// Several requests at once, answered in any order; the answers come in the order of the requests.
    ///
    /// # Errors
    /// Only that the connection broke before the last answer; refusals are in the list.
    pub async fn call_all(
        &mut self,
        requests: &[(&str, Option<Value>)],
    ) -> Result<Vec<Result<Value, ClientError>>, ClientError> {
        let limit = self.limit;
        let answered = async {
            let mut ids = Vec::with_capacity(requests.len());
            for (method, params) in requests {
                ids.push(self.wire.request(method, params.as_ref()).await?);
            }
            let mut answers: Vec<Option<_>> = ids.iter().map(|_| None).collect();
            while answers.iter().any(Option::is_none) {
                let response = self.any_response().await?;
                let slot = ids.iter().position(|id| *id == response.id);
                if let Some(slot) = slot.and_then(|at| answers.get_mut(at)) {
                    *slot = Some(payload(response));
                }
            }
            Ok(answers.into_iter().flatten().collect())
        };
        let names = || requests.iter().map(|(method, _)| *method).collect::<Vec<_>>().join("`, `");
        timeout(limit, answered).await.unwrap_or_else(|_| Err(unanswered(&names(), limit)))
    }

    /// The next event, waiting for it.
    ///
    /// # Errors
    /// The connection broke or was closed.
    pub async fn next_event(&mut self) -> Result<Event, ClientError> {
        if let Some(event) = self.events.pop_front() {
            return Ok(event);
        }
        loop {
            if let Incoming::Event(event) = self.wire.next().await? {
                return Ok(event);
            }
        }
    }

    /// Says goodbye.
    pub async fn close(self) {
        self.wire.close().await;
    }

    async fn response(&mut self, id: &str) -> Result<Response, ClientError> {
        loop {
            let response = self.any_response().await?;
            if response.id == id {
                return Ok(response);
            }
        }
    }

    async fn any_response(&mut self) -> Result<Response, ClientError> {
        loop {
            match self.wire.next().await? {
                Incoming::Res(response) => return Ok(response),
                Incoming::Event(event) => {
                    if self.events.len() == EVENTS {
                        self.events.pop_front();
                    }
                    self.events.push_back(event);
                }
            }
        }
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("peer", &self.wire.peer).finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Until {
    First,
    Final,
}

fn is_accepted(payload: &Value) -> bool {
    payload.get("status").and_then(Value::as_str) == Some("accepted")
}

fn payload(response: Response) -> Result<Value, ClientError> {
    let Response { ok, payload, error, .. } = response;
    match (ok, error) {
        (true, _) => Ok(payload.unwrap_or_default()),
        (false, Some(error)) => Err(ClientError::request(error)),
        (false, None) => Err(ClientError::request(ErrorShape::unavailable("no reason given"))),
    }
}

fn unanswered(method: &str, limit: Duration) -> ClientError {
    ClientError::timeout(&format!("`{method}` was not answered"), limit)
        .hint("a larger `--timeout` waits longer")
}
