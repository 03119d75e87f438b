//! `openclaw gateway [run]`: flags into the gateway's options, and what a person is told of the start.
//!
//! The greeting goes to stdout (one JSON line with `--json`), logs and problems to stderr. A token that was
//! just made is shown once, and to a terminal only: output that is kept in a file must not hold it.

use serde::de::DeserializeOwned;
use serde_json::json;

use crate::{
    cli::{
        args::{Global, LogLevel, RunArgs, WsLog},
        context::Context,
        failure::{Exit, Failure},
        printer::{Look, Span, Style},
    },
    config::{layers::Flags, problem::Problems, resolve, secret::SecretValue},
    gateway::{self, BusyPort, LogOptions, Options, Unconfigured, start::Greeting},
    logs::layer::Console,
};

/// One thread for the sockets and one for what a request computes: small machines have no more.
const WORKERS: usize = 2;

/// Runs the gateway until it is stopped.
///
/// # Errors
/// It does not start.
pub fn run(context: &mut Context, args: RunArgs, global: &Global) -> Result<(), Failure> {
    let json = args.json;
    let options = options(context, args, global)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build()
        .map_err(|error| Failure::ours(format!("the runtime does not start: {error}")))?;
    let said = |greeting: &Greeting| {
        // The gateway serves on when nobody reads its greeting.
        drop(match json {
            true => context.printer.json_line(&json!(greeting)),
            false => greet(context, greeting),
        });
    };
    runtime.block_on(gateway::run(options, said)).map_err(Failure::from)
}

fn options(context: &Context, args: RunArgs, global: &Global) -> Result<Options, Failure> {
    let log = LogOptions { console: console(context, global), level: filter(&args, global) };
    let password = match (&args.password_file, args.password) {
        (Some(path), _) => {
            let path = context.paths.absolute(path);
            Some(resolve::password_file(&path).map_err(Problems::from)?)
        }
        (None, password) => password.map(SecretValue::new),
    };
    let flags = Flags {
        port: args.port,
        bind: word("--bind", args.bind)?,
        auth: word("--auth", args.auth)?,
        token: args.token.map(SecretValue::new),
        password,
        tailscale: word("--tailscale", args.tailscale)?,
    };
    Ok(Options {
        paths: context.paths.clone(),
        env: context.env.clone(),
        flags,
        unconfigured: match args.allow_unconfigured {
            true => Unconfigured::Allow,
            false => Unconfigured::Refuse,
        },
        busy_port: if args.force { BusyPort::Take } else { BusyPort::Refuse },
        log,
    })
}

/// A word that clap accepted, as the configuration's own type.
fn word<T: DeserializeOwned>(flag: &str, text: Option<String>) -> Result<Option<T>, Failure> {
    let Some(text) = text else { return Ok(None) };
    let read = serde_json::from_value(json!(text));
    read.map(Some).map_err(|error| Failure::usage(format!("`{flag} {text}`: {error}")))
}

fn console(context: &Context, global: &Global) -> Console {
    match (global.log_level, context.printer.look()) {
        (Some(LogLevel::Silent), _) => Console::Silent,
        (_, Look::Colour) => Console::Colour,
        (_, Look::Plain) => Console::Plain,
    }
}

/// `--log-level` beats `--verbose`; `--ws-log` says how much of the connections is added.
fn filter(args: &RunArgs, global: &Global) -> Option<String> {
    let base = match (global.log_level, args.verbose) {
        (Some(level), _) => Some(level.directive()),
        (None, true) => Some("debug"),
        (None, false) => None,
    };
    let added = match args.ws_log {
        None | Some(WsLog::Auto) => return base.map(str::to_owned),
        Some(WsLog::Compact) => "openclaw::conn=debug,openclaw::net=debug",
        Some(WsLog::Full) => "openclaw::conn=trace,openclaw::net=trace,openclaw::rpc=trace",
    };
    Some(format!("{},{added}", base.unwrap_or("info")))
}

fn greet(context: &mut Context, greeting: &Greeting) -> Result<(), Failure> {
    let Greeting { version, urls, auth_mode, .. } = greeting;
    let listening = urls.join(", ");
    context.printer.spans(&[
        Span(Style::Good, "openclaw".to_owned()),
        format!(" {version} listens on {listening} (auth: {auth_mode})").into(),
    ])?;
    if let Some(fingerprint) = &greeting.tls_fingerprint {
        context.printer.line(&format!("certificate: {fingerprint}"))?;
    }
    for note in &greeting.notes {
        context.printer.warn(note);
    }
    if let Some(waiting) = &greeting.waiting {
        context.printer.note(&format!("waiting: {waiting}"));
    }
    next_step(context, greeting)
}

/// What a client needs.
fn next_step(context: &mut Context, greeting: &Greeting) -> Result<(), Failure> {
    let Some(file) = &greeting.token_file else {
        let command = context.command("status");
        context.printer.hint(&format!("on this machine: `{command}`"));
        return Ok(());
    };
    if let Some(token) = &greeting.new_token
        && context.printer.shows_secrets()
    {
        context.printer.line(&format!("token, shown this once: {}", token.expose()))?;
    }
    let file = file.display();
    context.printer.hint(&format!(
        "clients on this machine find the token in `{file}`; others need it with `--token`"
    ));
    Ok(())
}

impl From<gateway::Failure> for Failure {
    fn from(failure: gateway::Failure) -> Self {
        match failure {
            gateway::Failure::Config(problems) => Self::from(problems),
            gateway::Failure::User { message, hint } => {
                Self::user("gateway_start_error", message).hint(hint)
            }
            gateway::Failure::Internal(message) => Self { exit: Exit::Ours, ..Self::ours(message) },
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::{
        cli::{
            args::{Cli, Command, GatewayArgs},
            testing::Home,
        },
        config::gateway::{AuthMode, BindMode, TailscaleMode},
    };

    fn parsed(line: &str, home: &Home) -> Result<Options, Failure> {
        let cli = Cli::try_parse_from(line.split(' ')).expect(line);
        let Command::Gateway(GatewayArgs { run, .. }) = cli.command else { panic!("gateway") };
        options(&home.context, run, &cli.global)
    }

    #[test]
    fn every_flag_arrives() {
        let home = Home::new(&[]);
        let line = "openclaw gateway --port 0 --bind lan --auth password --token t --password p --tailscale serve --allow-unconfigured --force --verbose --ws-log full";
        let options = parsed(line, &home).expect("options");
        let flags = &options.flags;
        assert_eq!((flags.port, flags.bind), (Some(0), Some(BindMode::Lan)));
        assert_eq!(flags.auth, Some(AuthMode::Password));
        assert_eq!(flags.tailscale, Some(TailscaleMode::Serve));
        assert_eq!(flags.token.as_ref().map(SecretValue::expose), Some("t"));
        assert_eq!(flags.password.as_ref().map(SecretValue::expose), Some("p"));
        assert_eq!(options.unconfigured, Unconfigured::Allow);
        assert_eq!(options.busy_port, BusyPort::Take);
        let level = options.log.level.expect("level");
        assert!(level.starts_with("debug,openclaw::conn=trace"), "{level}");
    }

    #[test]
    fn no_flag_asks_for_nothing() {
        let home = Home::new(&[]);
        let options = parsed("openclaw gateway", &home).expect("options");
        assert_eq!(options.flags, Flags::default());
        assert_eq!(options.unconfigured, Unconfigured::Refuse);
        assert_eq!(options.busy_port, BusyPort::Refuse);
        assert_eq!(options.log.level, None);
    }

    #[test]
    fn every_word_of_the_command_line_is_one_of_the_configuration() {
        let home = Home::new(&[]);
        let rows = [
            ("--bind", &["loopback", "lan", "tailnet", "auto", "custom"][..]),
            ("--auth", &["none", "token", "password", "trusted-proxy"]),
            ("--tailscale", &["off", "serve", "funnel"]),
        ];
        for (flag, words) in rows {
            for word in words {
                let line = format!("openclaw gateway {flag} {word}");
                assert!(parsed(&line, &home).is_ok(), "{line}");
            }
        }
    }

    #[test]
    fn a_new_token_never_goes_into_a_file() {
        let mut home = Home::new(&[]);
        let greeting = Greeting {
            version: "1.2.3",
            pid: 1,
            urls: vec!["ws://127.0.0.1:18789".to_owned()],
            auth_mode: "token",
            state_dir: "/s".into(),
            log: "/s/logs".into(),
            tls_fingerprint: None,
            notes: vec!["a warning".to_owned()],
            waiting: None,
            token_file: Some("/s/gateway.token".into()),
            new_token: Some(SecretValue::new("canary")),
        };
        greet(&mut home.context, &greeting).expect("greeting");
        assert_eq!(
            home.captured.out(),
            "openclaw 1.2.3 listens on ws://127.0.0.1:18789 (auth: token)\n"
        );
        assert_eq!(
            home.captured.err(),
            "warning: a warning\n  hint: clients on this machine find the token in `/s/gateway.token`; others need it with `--token`\n"
        );
    }
}
