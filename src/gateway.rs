//! The gateway as a whole: what a start decides, what runs, how it ends.
//!
//! ```text
//! settings   configuration -> what this start was asked for, or everything that is wrong (exit 78)
//! state      the state directory: lock, keys, generated token
//! exposure   configuration x host -> the bind plan; policy: -> what decisions may take
//! start      bind first, then load state, then serve
//! upkeep     tick, presence, health, reload;  stop: signals, goodbye, bounded drain
//! ```
//!
//! Nothing is loaded before the plan holds together, and nothing listens that is not in the plan.

pub mod explain;
pub mod exposure;
pub mod force;
pub mod notify;
pub mod policy;
pub mod settings;
pub mod start;
pub mod state;
pub mod stop;
pub mod upkeep;

use std::fmt;

use crate::config::{
    env::Env,
    layers::Flags,
    paths::Paths,
    problem::{Problem, Problems},
};

/// What a start was asked for besides the configuration.
#[derive(Debug, Clone)]
pub struct Options {
    pub paths: Paths,
    pub env: Env,
    pub flags: Flags,
    /// `--allow-unconfigured`: a file without `gateway.mode` is good enough.
    pub unconfigured: Unconfigured,
    /// `--force`: end an openclaw of ours that holds the port.
    pub busy_port: BusyPort,
    pub log: LogOptions,
}

/// What to do with a configuration file that does not say `gateway.mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unconfigured {
    Refuse,
    Allow,
}

/// What to do when a planned port is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BusyPort {
    Refuse,
    Take,
}

/// How a start logs.
#[derive(Debug, Clone)]
pub struct LogOptions {
    pub console: crate::logs::layer::Console,
    /// A `tracing` filter that wins over `logging.level`.
    pub level: Option<String>,
}

/// Why a gateway did not start, or ended badly.
#[derive(Debug)]
pub enum Failure {
    /// The configuration, the state directory or the lock: exit 78, a supervisor should not try again.
    Config(Problems),
    /// The user's problem that may go away: a busy port (exit 1).
    User { message: String, hint: String },
    /// Ours (exit 2).
    Internal(String),
}

impl Failure {
    /// Exit code: 1 the user's problem, 2 ours, 78 configuration (`EX_CONFIG`).
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) => 78,
            Self::User { .. } => 1,
            Self::Internal(_) => 2,
        }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Config(problem.into())
    }
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Self::Config(problems)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(problems) => problems.fmt(f),
            Self::User { message, hint } => write!(f, "{message}\n  hint: {hint}"),
            Self::Internal(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for Failure {}

/// Starts a gateway and serves until it is told to stop. `said` gets the greeting of a good start.
///
/// # Errors
/// [`Failure`], before anything listens.
pub async fn run(options: Options, said: impl FnOnce(&start::Greeting)) -> Result<(), Failure> {
    let running = start::start(options).await?;
    said(&running.greeting);
    stop::serve_until_signalled(running).await;
    Ok(())
}
