//! From flags to an open connection.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    cli::{
        args::Dial,
        context::Context,
        failure::Failure,
        sources,
        target::{Resolved, resolve},
        version,
    },
    client::{
        Client, Deadlines,
        connection::Connection,
        credentials::ConnectAs,
        error::{ClientError, Kind},
    },
    store::runtime_file::RuntimeFile,
};

/// A decided target and a client that can dial it, as often as a command needs.
pub struct Session {
    pub client: Client,
    pub resolved: Resolved,
    /// What the running local gateway wrote, whether or not it is the target.
    pub runtime: Option<RuntimeFile>,
}

/// The time for each step, unless the command or the user says otherwise.
pub const PATIENCE: Duration = Duration::from_secs(10);

impl Session {
    /// Decides; connects nowhere.
    ///
    /// # Errors
    /// As [`resolve`].
    pub fn open(context: &mut Context, dial: &Dial, patience: Duration) -> Result<Self, Failure> {
        let (resolved, runtime) = {
            let sources = sources::gather(context);
            (resolve(dial, &sources)?, sources.runtime)
        };
        if resolved.target.speaks_plaintext_beyond_loopback() {
            let endpoint = &resolved.target.endpoint;
            context.printer.warn(&format!(
                "`{endpoint}` is not encrypted: everyone on the way can read the credentials"
            ));
        }
        Ok(Self { client: client(context, dial, patience), resolved, runtime })
    }

    /// Connects.
    ///
    /// # Errors
    /// As [`Client::connect`], with a hint on where a refused secret came from.
    pub async fn connect(&self, connect_as: &ConnectAs) -> Result<Connection, ClientError> {
        let Resolved { target, credentials, secret, .. } = &self.resolved;
        let connected = Box::pin(self.client.connect(target, credentials, connect_as)).await;
        connected.map_err(|error| match (error.kind, secret.words()) {
            (Kind::Auth, Some(words)) if error.detail("authReason").is_some() => error.hint(words),
            _ => error,
        })
    }

    /// Connects and says how long that took, in milliseconds.
    ///
    /// # Errors
    /// As [`Session::connect`].
    pub async fn timed(&self, connect_as: &ConnectAs) -> Result<(Connection, u64), ClientError> {
        let started = Instant::now();
        let connection = self.connect(connect_as).await?;
        let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        Ok((connection, ms))
    }

    /// The URL as it is printed.
    #[must_use]
    pub fn url(&self) -> String {
        self.resolved.target.endpoint.to_string()
    }
}

/// The client of this run.
#[must_use]
pub fn client(context: &Context, dial: &Dial, patience: Duration) -> Client {
    let budget = dial.timeout.map_or(patience, Duration::from_millis);
    Client {
        identity: context.identity(),
        version: version::NUMBER,
        deadlines: Deadlines::within(budget),
        now_ms: context.now_ms,
    }
}
