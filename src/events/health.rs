//! The health document: built when something in it changed, served as text a thousand times a second.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use serde_json::{Value, json};

use crate::{
    clock::UnixMs,
    protocol::frame::{self, Json},
};

/// The cached document and its version.
#[derive(Debug)]
pub struct Health {
    text: Mutex<Json>,
    version: AtomicU64,
}

impl Health {
    #[must_use]
    pub fn new(now: UnixMs) -> Self {
        Self { text: Mutex::new(build(now)), version: AtomicU64::new(1) }
    }

    /// Rebuilds the document.
    pub fn refresh(&self, now: UnixMs) {
        *self.text.lock().unwrap_or_else(PoisonError::into_inner) = build(now);
        self.version.fetch_add(1, Ordering::Relaxed);
    }

    #[must_use]
    pub fn text(&self) -> Json {
        Arc::clone(&self.text.lock().unwrap_or_else(PoisonError::into_inner))
    }

    #[must_use]
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Relaxed)
    }
}

/// The keys that official clients read (protocol page 10.1). There are no channels, sessions or heartbeat
/// runs yet, and the document says so instead of inventing some.
fn build(now: UnixMs) -> Json {
    let sessions = json!({ "path": "", "count": 0, "recent": [] });
    let heartbeat = json!({
        "enabled": false, "every": "disabled", "everyMs": null, "prompt": "", "target": "none", "ackMaxChars": 0,
    });
    let document: Value = json!({
        "ok": true,
        "ts": now,
        "durationMs": 0,
        "channels": {},
        "channelOrder": [],
        "channelLabels": {},
        "heartbeatSeconds": 0,
        "defaultAgentId": "main",
        "agents": [{ "agentId": "main", "isDefault": true, "heartbeat": heartbeat, "sessions": sessions }],
        "sessions": sessions,
    });
    frame::to_json(&document)
}
