//! `openclaw gateway [run]`: the flags as one plain struct.

use std::path::PathBuf;

use crate::{
    cli::{
        args::{Global, LogLevel, RunArgs, WsLog},
        context::Context,
        failure::Failure,
    },
    config::secret::SecretValue,
};

/// Everything that the command line says to a starting gateway.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct RunFlags {
    pub port: Option<u16>,
    /// A bind word that clap accepted.
    pub bind: Option<String>,
    /// An auth word that clap accepted.
    pub auth: Option<String>,
    pub token: Option<SecretValue>,
    pub password: Option<SecretValue>,
    pub password_file: Option<PathBuf>,
    pub tailscale: Option<String>,
    pub allow_unconfigured: bool,
    pub force: bool,
    pub verbose: bool,
    pub ws_log: Option<WsLog>,
    pub json: bool,
    pub profile: Option<String>,
    pub dev: bool,
    pub log_level: Option<LogLevel>,
    pub no_color: bool,
}

impl RunFlags {
    #[must_use]
    pub fn new(args: RunArgs, global: &Global) -> Self {
        Self {
            port: args.port,
            bind: args.bind,
            auth: args.auth,
            token: args.token.map(SecretValue::new),
            password: args.password.map(SecretValue::new),
            password_file: args.password_file,
            tailscale: args.tailscale,
            allow_unconfigured: args.allow_unconfigured,
            force: args.force,
            verbose: args.verbose,
            ws_log: args.ws_log,
            json: args.json,
            profile: global.profile.clone(),
            dev: global.dev,
            log_level: global.log_level,
            no_color: global.no_color,
        }
    }
}

/// Runs the gateway until it is stopped.
///
/// # Errors
/// It does not start.
pub fn run(_context: &mut Context, args: RunArgs, global: &Global) -> Result<(), Failure> {
    let _flags = RunFlags::new(args, global);
    Err(Failure::ours("the gateway is not part of this build"))
}
