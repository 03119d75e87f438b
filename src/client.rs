//! The client of a gateway: one WebSocket, one handshake, requests and events.
//!
//! [`Client::connect`] goes through four states, each with its own deadline: dial (TCP, TLS, upgrade),
//! challenge, connect, ready. What may be dialled and trusted is decided in [`target`] before a packet
//! leaves; what may be sent there is decided in [`credentials`]. No proxy is used and no redirect followed
//! (`I8`, `I13`). A [`Connection`] is owned by one task and needs no other.
//!
//! * [`target`]: URL, plaintext rule; [`tls`]: public roots or one pinned certificate
//! * [`dial`]: address, socket, upgrade; [`handshake`]: challenge, connect, hello-ok
//! * [`identity`], [`tokens`]: the device key and the device tokens on disk
//! * [`connection`]: calls and events; [`scopes`]: what a method needs; [`error`]: what went wrong

pub mod connection;
pub mod credentials;
pub mod dial;
pub mod error;
pub mod handshake;
pub mod identity;
pub mod scopes;
pub mod target;
pub mod tls;
pub mod tokens;

#[cfg(test)]
pub(crate) mod fake;
#[cfg(test)]
mod tests;

use std::{future::Future, path::PathBuf, time::Duration};

use tokio::time::timeout;

use crate::client::{
    connection::{Connection, Wire},
    credentials::{ConnectAs, Credentials},
    dial::Reached,
    error::{ClientError, Kind},
    target::Target,
};

/// How long each state may take.
#[derive(Debug, Clone, Copy)]
pub struct Deadlines {
    /// Name, TCP, TLS and WebSocket upgrade.
    pub dial: Duration,
    /// Until `connect.challenge` came.
    pub challenge: Duration,
    /// Until `connect` was answered. A loopback gateway delays a wrong secret up to 5 s.
    pub connect: Duration,
    /// Until a request was answered.
    pub call: Duration,
}

impl Deadlines {
    /// A challenge is sent at once; what stays silent for 5 s is not a gateway.
    const CHALLENGE: Duration = Duration::from_secs(5);

    /// Every state within `budget`.
    #[must_use]
    pub fn within(budget: Duration) -> Self {
        Self { dial: budget, challenge: budget.min(Self::CHALLENGE), connect: budget, call: budget }
    }
}

/// Who dials: the same for every connection of one command.
#[derive(Debug, Clone)]
pub struct Client {
    /// `<state>/identity`, where the device key and tokens live.
    pub identity: PathBuf,
    /// Our version, as told to the gateway.
    pub version: &'static str,
    pub deadlines: Deadlines,
    /// Wall clock in milliseconds, for a new key and for a challenge without a time.
    pub now_ms: u64,
}

impl Client {
    /// Dials `target` and shakes hands. When the gateway says that a device token would do, one more
    /// attempt is made with the stored one, on loopback or a pinned certificate only (`I9`).
    ///
    /// # Errors
    /// [`ClientError`] with a kind for scripts and hints for people.
    pub async fn connect(
        &self,
        target: &Target,
        credentials: &Credentials,
        connect_as: &ConnectAs,
    ) -> Result<Connection, ClientError> {
        let refused = match Box::pin(self.attempt(target, credentials, connect_as)).await {
            Ok(connection) => return Ok(connection),
            Err(error) => error,
        };
        let trusted = refused.reached == Reached::Loopback || target.pin.is_some();
        if !(trusted && refused.error.wants_device_token()) {
            return Err(refused.error);
        }
        let Some(retry) = credentials.with_stored_token(&self.identity)? else {
            return Err(refused.error);
        };
        tracing::debug!("once more, with the stored device token");
        Box::pin(self.attempt(target, &retry, connect_as)).await.map_err(|again| again.error)
    }

    async fn attempt(
        &self,
        target: &Target,
        credentials: &Credentials,
        connect_as: &ConnectAs,
    ) -> Result<Connection, Refused> {
        let limits = self.deadlines;
        let dialled = within(limits.dial, "the connection was not up", dial::dial(target))
            .await
            .map_err(|error| Refused { error, reached: Reached::Elsewhere })?;
        let reached = dialled.reached;
        tracing::debug!(peer = %dialled.peer, "connected to {}", target.endpoint);
        let shaken = async {
            let mut wire = Wire::new(dialled);
            let challenge = handshake::challenge(&mut wire);
            let challenge = within(limits.challenge, "no `connect.challenge` came", challenge)
                .await
                .map_err(silent)?;
            let proof = credentials.proof(self, connect_as, &challenge, reached)?;
            let device = proof.device.as_ref().map(|device| device.id.clone());
            let connect = handshake::connect(&mut wire, self, connect_as, proof);
            let hello = within(limits.connect, "`connect` was not answered", connect).await?;
            if let Some(device) = device {
                credentials.keep_issued(self, &device, &hello);
            }
            tracing::debug!(version = hello.server.version, protocol = hello.protocol, "greeted");
            Ok(Connection::new(wire, hello, limits.call))
        };
        shaken.await.map_err(|error| Refused { error, reached })
    }
}

/// A failed attempt and where it was made.
struct Refused {
    error: ClientError,
    reached: Reached,
}

fn silent(error: ClientError) -> ClientError {
    match error.kind == Kind::Timeout {
        true => error.hint("something else than a gateway may listen there"),
        false => error,
    }
}

async fn within<T>(
    limit: Duration,
    what: &str,
    work: impl Future<Output = Result<T, ClientError>>,
) -> Result<T, ClientError> {
    timeout(limit, work).await.unwrap_or_else(|_| Err(ClientError::timeout(what, limit)))
}
