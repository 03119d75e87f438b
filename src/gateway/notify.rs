//! Telling systemd: ready, what state we are in, that we are alive, that we stop. Silent elsewhere.

use std::time::Duration;

use sd_notify::NotifyState;

use crate::config::env::{self, Env};

/// What systemd asked of us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watchdog {
    /// How often to say that we are alive: half of what systemd waits.
    pub every: Duration,
}

impl Watchdog {
    #[must_use]
    pub fn wanted(env: &Env) -> Option<Self> {
        let micros: u64 = env.value(&env::WATCHDOG_USEC)?.parse().ok()?;
        (micros > 0).then(|| Self { every: Duration::from_micros(micros / 2) })
    }
}

pub fn ready(status: &str) {
    send(&[NotifyState::Ready, NotifyState::Status(status)]);
}

pub fn alive() {
    send(&[NotifyState::Watchdog]);
}

pub fn stopping() {
    send(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
}

fn send(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "systemd was not notified");
    }
}
