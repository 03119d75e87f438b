//! `--log-level` for client commands: what the client does, on stderr.
//!
//! The gateway keeps its own log; here a person follows one command. Nothing is logged at the default level
//! unless something was coped with.

use std::io;

use tracing::level_filters::LevelFilter;

use crate::{
    cli::args::LogLevel,
    config::env::{self, Env},
};

/// Starts logging. The flag beats `OPENCLAW_LOG_LEVEL`; an unknown word there is the gateway's to report.
pub fn start(flag: Option<LogLevel>, env: &Env) {
    let word = flag.map(LogLevel::directive).or_else(|| env.value(&env::LOG_LEVEL));
    let level: Option<LevelFilter> = word.and_then(|word| word.trim().parse().ok());
    // A second start, as in a test, keeps the first one.
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_max_level(level.unwrap_or(LevelFilter::WARN))
        .with_ansi(false)
        .without_time()
        .try_init()
        .ok();
}
