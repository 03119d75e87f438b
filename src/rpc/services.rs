//! What handlers work on: the domain, put together once by the gateway.

use std::{
    collections::{HashMap, VecDeque},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use openclaw_auth::{Grant, TokenKey, limiter::ClientKey};
use serde_json::json;
use tokio::sync::Notify;

use crate::{
    clock::{Clock, UnixMs},
    config::live::Live,
    devices::Devices,
    events::{Hub, health::Health, kinds, presence::Presence},
    logs::Logs,
    protocol::{
        error::ErrorShape,
        frame::{self, Json, StateVersion},
    },
};

/// Facts of this process that never change while it runs.
#[derive(Debug, Clone)]
pub struct About {
    /// What we tell as `server.version`.
    pub version: &'static str,
    pub boot_id: String,
    pub state_dir: PathBuf,
    pub config_path: PathBuf,
    /// The gateway's own device identity (`gateway.identity.get`).
    pub device_id: String,
    pub public_key: String,
    pub pid: u32,
    /// `gateway.auth.mode` in force.
    pub auth_mode: &'static str,
}

/// Everything that handlers share.
#[derive(Debug)]
pub struct Services {
    pub about: About,
    pub clock: Clock,
    pub hub: Hub,
    pub presence: Presence,
    /// Rung when presence changed; one task gathers the rings into events.
    pub presence_bell: Notify,
    pub health: Health,
    pub devices: Devices,
    /// Device tokens are derived from it.
    pub token_key: TokenKey,
    pub config: Arc<Live>,
    pub logs: Option<Logs>,
    pub system_events: SystemEvents,
    pub writes: WriteBudget,
}

impl Services {
    #[must_use]
    pub fn state_version(&self) -> StateVersion {
        StateVersion { presence: self.presence.version(), health: self.health.version() }
    }

    /// Tells every reader who is here now.
    pub fn publish_presence(&self) {
        #[derive(serde::Serialize)]
        struct Payload<'a> {
            presence: &'a Json,
        }
        let (text, version) = self.presence.text();
        let state = StateVersion { presence: version, health: self.health.version() };
        self.hub.publish(
            &kinds::PRESENCE,
            frame::to_json(&Payload { presence: &text }),
            Some(state),
        );
    }

    /// Tells every client how the gateway is.
    pub fn publish_health(&self) {
        self.hub.publish(&kinds::HEALTH, self.health.text(), Some(self.state_version()));
    }

    pub fn publish_tick(&self) {
        self.hub.publish(&kinds::TICK, frame::to_json(&json!({ "ts": self.clock.now_ms() })), None);
    }
}

/// Lines that `status` shows until an agent reads them.
#[derive(Debug, Default)]
pub struct SystemEvents(Mutex<VecDeque<String>>);

impl SystemEvents {
    /// More would only push out what nobody has read (upstream).
    const KEPT: usize = 20;

    pub fn push(&self, text: String) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.back() == Some(&text) {
            return;
        }
        lines.push_back(text);
        while lines.len() > Self::KEPT {
            lines.pop_front();
        }
    }

    #[must_use]
    pub fn list(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

/// The limit on configuration writes per client (protocol 2.3).
#[derive(Debug, Default)]
pub struct WriteBudget(Mutex<HashMap<ClientKey, VecDeque<UnixMs>>>);

impl WriteBudget {
    /// Writes of one client per [`WriteBudget::WINDOW_MS`] (upstream 9.6).
    const LIMIT: usize = 30;
    const WINDOW_MS: u64 = 60_000;
    /// Clients remembered; past it those that are quiet are forgotten.
    const CLIENTS: usize = 256;

    /// Takes one write out of the caller's budget.
    ///
    /// # Errors
    /// `UNAVAILABLE`, retryable, with the time until the oldest write leaves the window.
    pub fn spend(&self, grant: &Grant, method: &str, clock: &Clock) -> Result<(), ErrorShape> {
        let now = clock.now_ms();
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if clients.len() >= Self::CLIENTS {
            clients.retain(|_, spent| spent.back().is_some_and(|at| at + Self::WINDOW_MS > now));
        }
        let spent = clients.entry(grant.client().clone()).or_default();
        while spent.front().is_some_and(|at| at + Self::WINDOW_MS <= now) {
            spent.pop_front();
        }
        if let Some(oldest) = spent.front().filter(|_| spent.len() >= Self::LIMIT) {
            let wait = oldest + Self::WINDOW_MS - now;
            let details = json!({ "method": method, "limit": "30 per 60s" });
            let message =
                format!("rate limit exceeded for {method}; retry after {}s", wait.div_ceil(1000));
            return Err(ErrorShape::unavailable(message).with_details(details).retry_after(wait));
        }
        spent.push_back(now);
        Ok(())
    }
}
