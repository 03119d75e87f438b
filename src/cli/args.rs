//! The command line, as clap tables: names and meanings are the official ones.
//!
//! Help texts are the only documentation of a flag; README and completions derive from here.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::cli::version;

#[derive(Debug, Parser)]
#[command(
    name = "openclaw",
    version = version::line(),
    about = "The OpenClaw gateway and its command line",
    max_term_width = 100,
    arg_required_else_help = true,
    disable_help_subcommand = true
)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// Flags of every command.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// Use the separate instance NAME: its own state, config and gateway.
    #[arg(long, global = true, value_name = "NAME", conflicts_with = "dev")]
    pub profile: Option<String>,
    /// Use the separate instance for development (`~/.openclaw-dev`, port 19001).
    #[arg(long, global = true)]
    pub dev: bool,
    /// Print without colour.
    #[arg(long, global = true)]
    pub no_color: bool,
    /// How much to log to stderr.
    #[arg(long, global = true, value_name = "LEVEL")]
    pub log_level: Option<LogLevel>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    Silent,
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl LogLevel {
    /// The word of a `tracing` filter.
    #[must_use]
    pub fn directive(self) -> &'static str {
        match self {
            Self::Silent => "off",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the gateway, or ask a running one.
    Gateway(GatewayArgs),
    /// Ask the gateway how it is.
    Health(HealthArgs),
    /// Show gateway, sockets, sessions, channels and presence on one screen.
    Status(StatusArgs),
    /// Approve, list and remove paired devices and their tokens.
    Devices {
        #[command(subcommand)]
        command: DevicesCommand,
    },
    /// Show the gateway's log.
    Logs(LogsArgs),
    /// Read, check and change the configuration file.
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Say what would listen where, and what would happen to a described request.
    Explain(Box<ExplainArgs>),
    /// Print a completion script for a shell.
    Completion {
        /// The shell to complete for.
        shell: Shell,
    },
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct GatewayArgs {
    #[command(subcommand)]
    pub command: Option<GatewayCommand>,
    #[command(flatten)]
    pub run: RunArgs,
}

#[derive(Debug, Subcommand)]
pub enum GatewayCommand {
    /// Run the gateway in the foreground (the same as `openclaw gateway`).
    Run(RunArgs),
    /// Show where the gateway listens and whether it answers.
    Status(GatewayStatusArgs),
    /// Ask the gateway how it is.
    Health(HealthArgs),
    /// Try every gateway that this machine knows of.
    Probe(ProbeArgs),
    /// Call one method of the gateway.
    Call(CallArgs),
}

/// `gateway run`.
#[derive(Debug, Clone, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct RunArgs {
    /// Port, over `OPENCLAW_GATEWAY_PORT` and `gateway.port`; 0 takes a free one.
    #[arg(long)]
    pub port: Option<u16>,
    /// Where to listen.
    #[arg(long, value_name = "MODE", value_parser = ["loopback", "lan", "tailnet", "auto", "custom"])]
    pub bind: Option<String>,
    /// How clients prove themselves.
    #[arg(long, value_name = "MODE", value_parser = ["none", "token", "password", "trusted-proxy"])]
    pub auth: Option<String>,
    /// The shared token.
    #[arg(long)]
    pub token: Option<String>,
    /// The shared password.
    #[arg(long)]
    pub password: Option<String>,
    /// Read the shared password from FILE.
    #[arg(long, value_name = "FILE", conflicts_with = "password")]
    pub password_file: Option<PathBuf>,
    /// Publish over Tailscale.
    #[arg(long, value_name = "MODE", value_parser = ["off", "serve", "funnel"])]
    pub tailscale: Option<String>,
    /// Start although `gateway.mode` is not written.
    #[arg(long)]
    pub allow_unconfigured: bool,
    /// Stop the gateway that holds the port first.
    #[arg(long)]
    pub force: bool,
    /// Log more to the terminal.
    #[arg(long)]
    pub verbose: bool,
    /// What of the WebSocket is logged: `compact` each connection, `full` each frame without its content.
    #[arg(long, value_name = "STYLE", value_enum)]
    pub ws_log: Option<WsLog>,
    /// Print the start message as JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum WsLog {
    Auto,
    Full,
    Compact,
}

/// Which gateway to dial and as whom.
#[derive(Debug, Clone, Default, Args)]
pub struct Dial {
    /// Dial this URL; takes no credentials from the configuration or the environment.
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// Dial the local gateway on this port.
    #[arg(long, conflicts_with = "url", value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,
    /// The gateway's shared token.
    #[arg(long)]
    pub token: Option<String>,
    /// The gateway's shared password.
    #[arg(long)]
    pub password: Option<String>,
    /// Accept only the TLS certificate with this SHA-256.
    #[arg(long, value_name = "SHA256")]
    pub tls_fingerprint: Option<String>,
    /// Milliseconds to wait for each step.
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..=MAX_TIMEOUT_MS))]
    pub timeout: Option<u64>,
}

/// One day: a larger number is a mistake.
const MAX_TIMEOUT_MS: u64 = 86_400_000;

#[derive(Debug, Clone, Args)]
pub struct HealthArgs {
    #[command(flatten)]
    pub dial: Dial,
    /// Probe every channel now instead of showing the last result.
    #[arg(long, visible_alias = "debug")]
    pub verbose: bool,
    /// Print the gateway's answer as JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct StatusArgs {
    #[command(flatten)]
    pub dial: Dial,
    /// Ask for a live health probe and the last heartbeat too.
    #[arg(long)]
    pub deep: bool,
    /// Add the configuration, the log file and the devices.
    #[arg(long)]
    pub all: bool,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    /// Print which gateway is dialled and why.
    #[arg(long, visible_alias = "debug")]
    pub verbose: bool,
}

#[derive(Debug, Clone, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct GatewayStatusArgs {
    #[command(flatten)]
    pub dial: Dial,
    /// Do not connect.
    #[arg(long, conflicts_with = "require_rpc")]
    pub no_probe: bool,
    /// Ask the gateway for its health as well.
    #[arg(long)]
    pub deep: bool,
    /// Make a read request, and fail when it fails.
    #[arg(long)]
    pub require_rpc: bool,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, Args)]
pub struct ProbeArgs {
    #[command(flatten)]
    pub dial: Dial,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, Args)]
pub struct CallArgs {
    /// The method, as in `health`.
    pub method: String,
    /// The parameters, a JSON object.
    #[arg(long, value_name = "JSON", default_value = "{}")]
    pub params: String,
    #[command(flatten)]
    pub dial: Dial,
    /// Wait for the last answer of a method that first says `accepted`.
    #[arg(long)]
    pub expect_final: bool,
    /// Print JSON alone.
    #[arg(long)]
    pub json: bool,
}

/// Flags of every `devices` command.
#[derive(Debug, Clone, Args)]
pub struct DevicesDial {
    #[command(flatten)]
    pub dial: Dial,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum DevicesCommand {
    /// List pending requests and paired devices.
    List {
        #[command(flatten)]
        common: DevicesDial,
    },
    /// Approve a pending request; without an id, show the newest one and how to approve it.
    Approve {
        /// The id of the request, as `devices list` shows it.
        request_id: Option<String>,
        /// Show the newest pending request.
        #[arg(long, conflicts_with = "request_id")]
        latest: bool,
        #[command(flatten)]
        common: DevicesDial,
    },
    /// Reject a pending request.
    Reject {
        /// The id of the request.
        request_id: String,
        #[command(flatten)]
        common: DevicesDial,
    },
    /// Forget a paired device and close its connections.
    Remove {
        /// The id of the device.
        device_id: String,
        #[command(flatten)]
        common: DevicesDial,
    },
    /// Give a paired device a name of yours.
    Rename {
        /// The id of the device.
        #[arg(long, value_name = "ID")]
        device: String,
        /// The name, up to 64 characters.
        #[arg(long)]
        name: String,
        #[command(flatten)]
        common: DevicesDial,
    },
    /// Replace the token of a device.
    Rotate {
        #[command(flatten)]
        of: TokenOf,
        /// Give the new token only this scope; may be repeated.
        #[arg(long = "scope", value_name = "SCOPE", action = ArgAction::Append)]
        scopes: Vec<String>,
        #[command(flatten)]
        common: DevicesDial,
    },
    /// Make the token of a device invalid.
    Revoke {
        #[command(flatten)]
        of: TokenOf,
        #[command(flatten)]
        common: DevicesDial,
    },
}

/// One token: a device has one per role.
#[derive(Debug, Clone, Args)]
pub struct TokenOf {
    /// The id of the device.
    #[arg(long, value_name = "ID")]
    pub device: String,
    /// The role of the token.
    #[arg(long, default_value = "operator")]
    pub role: String,
}

#[derive(Debug, Clone, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct LogsArgs {
    #[command(flatten)]
    pub dial: Dial,
    /// Lines to show at most.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=5000))]
    pub limit: u32,
    /// Bytes of the log to read at most.
    #[arg(long, default_value_t = 250_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub max_bytes: u32,
    /// Keep showing new lines.
    #[arg(long, short = 'f')]
    pub follow: bool,
    /// Milliseconds between two looks with `--follow`.
    #[arg(long, value_name = "MS", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(100..=3_600_000))]
    pub interval: u64,
    /// Print one JSON object per line.
    #[arg(long)]
    pub json: bool,
    /// Print the lines without layout.
    #[arg(long)]
    pub plain: bool,
    /// Print times in UTC.
    #[arg(long)]
    pub utc: bool,
}

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print the path of the configuration file.
    File {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print a value; secrets are hidden.
    Get {
        /// The key, as in `gateway.port`.
        path: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Change a value and keep the comments.
    Set {
        /// The key, as in `gateway.port`.
        path: String,
        /// The value: JSON, or else a text.
        value: String,
        /// Refuse a value that is not JSON.
        #[arg(long)]
        strict_json: bool,
        /// Check everything and write nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// Remove a value.
    Unset {
        /// The key, as in `gateway.port`.
        path: String,
        /// Check everything and write nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// Check the file and the environment, and list every problem.
    Validate {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print the JSON schema of the file.
    Schema {
        /// Accepted for scripts: the schema is always JSON.
        #[arg(long)]
        json: bool,
    },
}

/// A described request.
#[derive(Debug, Clone, Args)]
pub struct ExplainArgs {
    /// Plan as if this bind mode were configured.
    #[arg(long, value_name = "MODE", value_parser = ["loopback", "lan", "tailnet", "auto", "custom"])]
    pub bind: Option<String>,
    /// The method that the client calls after `connect`.
    #[arg(long)]
    pub method: Option<String>,
    /// The HTTP path in place of a WebSocket connection.
    #[arg(long, conflicts_with = "method")]
    pub path: Option<String>,
    /// The address that the connection comes from.
    #[arg(long, value_name = "IP")]
    pub peer: Option<std::net::IpAddr>,
    /// The listener that accepts it.
    #[arg(long, value_enum)]
    pub via: Option<ExplainVia>,
    /// A header of the request, `Name: value`; may be repeated.
    #[arg(long = "header", value_name = "HEADER", action = ArgAction::Append, value_parser = header)]
    pub headers: Vec<(String, String)>,
    /// Which shared secret the client presents.
    #[arg(long, value_enum, default_value_t = Presented::None)]
    pub token_present: Presented,
    /// The role that the client asks for.
    #[arg(long, default_value = "operator", value_parser = ["operator", "node"])]
    pub role: String,
    /// Who the client says it is, `id/mode`.
    #[arg(long, value_name = "ID/MODE", default_value = "cli/cli", value_parser = client)]
    pub client: (String, String),
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExplainVia {
    Loopback,
    Lan,
    Tailnet,
    Custom,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Presented {
    Right,
    Wrong,
    None,
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("write it as `Name: value`")?;
    let name = name.trim();
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(token) {
        return Err(format!("`{name}` is not a header name"));
    }
    Ok((name.to_owned(), value.trim().to_owned()))
}

fn client(text: &str) -> Result<(String, String), String> {
    match text.split_once('/') {
        Some((id, mode)) if !id.is_empty() && !mode.is_empty() => {
            Ok((id.to_owned(), mode.to_owned()))
        }
        Some(_) | None => Err("write it as `id/mode`, as in `cli/cli`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_tables_are_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn gateway_and_gateway_run_are_the_same() {
        let bare = parse("openclaw gateway --port 5 --bind lan").expect("bare");
        let run = parse("openclaw gateway run --port 5 --bind lan").expect("run");
        let (Command::Gateway(bare), Command::Gateway(run)) = (bare.command, run.command) else {
            panic!("gateway");
        };
        let Some(GatewayCommand::Run(run)) = run.command else { panic!("run") };
        assert!(bare.command.is_none());
        assert_eq!((bare.run.port, bare.run.bind), (run.port, run.bind));
    }

    #[test]
    fn official_command_lines_are_understood() {
        let lines = [
            "openclaw gateway --port 18789 --token t --allow-unconfigured --force --verbose --ws-log compact",
            "openclaw --profile work gateway run --auth password --password-file /p --tailscale off",
            "openclaw --dev logs --follow --interval 2000",
            "openclaw gateway status --require-rpc --json --timeout 500",
            "openclaw gateway status --no-probe --deep",
            "openclaw gateway call health --url ws://127.0.0.1:1 --token t",
            "openclaw gateway call logs.tail --params {\"limit\":200} --expect-final --json",
            "openclaw gateway probe --json --port 5",
            "openclaw health --verbose --timeout 2500",
            "openclaw status --all --deep --json --no-color",
            "openclaw devices approve --latest",
            "openclaw devices rename --device d --name n",
            "openclaw devices rotate --device d --role operator --scope operator.read --scope operator.write",
            "openclaw devices revoke --device d --role node",
            "openclaw logs --limit 500 --max-bytes 500000 --plain --utc",
            "openclaw config set gateway.port 5 --dry-run",
            "openclaw config schema --json",
            "openclaw explain --bind lan --peer 203.0.113.9 --via lan --header Origin:http://x --token-present right --client cli/cli",
            "openclaw completion bash",
            "openclaw health --log-level debug",
        ];
        for line in lines {
            if let Err(error) = parse(line) {
                panic!("{line}: {error}");
            }
        }
    }

    #[test]
    fn wrong_command_lines_are_refused() {
        let lines = [
            "openclaw",
            "openclaw gateway --bind everywhere",
            "openclaw gateway --port 70000",
            "openclaw gateway status --no-probe --require-rpc",
            "openclaw gateway call health --url ws://h --port 5",
            "openclaw health --port 0",
            "openclaw health --timeout 0",
            "openclaw --profile a --dev health",
            "openclaw devices approve id --latest",
            "openclaw gateway run --password p --password-file f",
            "openclaw explain --client cli",
            "openclaw explain --header nocolon",
        ];
        for line in lines {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
