//! The one clock. Everything that decides takes time as an argument; only this reads it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use tokio::time::Instant;

/// Milliseconds since the Unix epoch.
pub type UnixMs = u64;

/// Wall time in milliseconds, and time since start. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Clock {
    source: Source,
    started: Instant,
}

#[derive(Clone, Debug)]
enum Source {
    System,
    Manual(Arc<AtomicU64>),
}

impl Clock {
    #[must_use]
    pub fn system() -> Self {
        Self { source: Source::System, started: Instant::now() }
    }

    /// A clock that stands still until [`Clock::advance`] moves it, for tests.
    #[must_use]
    pub fn manual(now: UnixMs) -> Self {
        Self { source: Source::Manual(Arc::new(AtomicU64::new(now))), started: Instant::now() }
    }

    /// Moves a manual clock on; the system's clock is not ours to move.
    pub fn advance(&self, ms: u64) {
        if let Source::Manual(now) = &self.source {
            now.fetch_add(ms, Ordering::Relaxed);
        }
    }

    #[must_use]
    pub fn now_ms(&self) -> UnixMs {
        match &self.source {
            Source::Manual(now) => now.load(Ordering::Relaxed),
            Source::System => system_ms(),
        }
    }

    #[must_use]
    pub fn uptime_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the wall clock")]
fn system_ms() -> UnixMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
