//! The command line: tables, commands, output, exit codes.
//!
//! [`args`] says what can be typed, [`target`] decides which gateway is meant and what it may be shown,
//! [`session`] connects, and one module per command asks and prints through the one [`printer`]. A
//! [`failure`] is a message, hints and an exit code: 0 ok, 1 the user's problem, 2 ours, 78 configuration.

pub mod args;
pub mod call;
pub mod capability;
pub mod config;
pub mod context;
pub mod devices;
pub mod devices_table;
pub mod explain;
pub mod failure;
pub mod gateway_run;
pub mod gateway_status;
pub mod health;
pub mod logs;
pub mod printer;
pub mod probe;
pub mod reply;
pub mod session;
pub mod sources;
pub mod status;
pub mod target;
pub mod trace;
pub mod version;
pub mod words;

#[cfg(test)]
mod snapshots;
#[cfg(test)]
mod testing;

use std::{ffi::OsString, process::ExitCode};

use clap::{CommandFactory, Parser};

use crate::{
    cli::{
        args::{Cli, Command, GatewayArgs, GatewayCommand, Global},
        context::Context,
        failure::{Exit, Failure},
        printer::{Look, Printer},
    },
    clock::Clock,
    config::{
        env::{self, Env},
        paths::{Instance, Paths},
        problem::Problems,
    },
};

/// The whole program: arguments and environment in, exit code out.
pub fn main(arguments: impl IntoIterator<Item = OsString>, env: Env) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let colour = match cli.global.no_color || env.value(&env::NO_COLOR).is_some() {
        true => Look::Plain,
        false => Look::Colour,
    };
    let mut printer = Printer::process(colour);
    let json = wants_json(&cli.command);
    if !tells_warnings(&cli.command) {
        for warning in env.deprecations() {
            printer.warning(&warning);
        }
    }
    let mut context = match context(&cli.global, env, printer) {
        Ok(context) => context,
        Err((failure, mut printer)) => return end(&mut printer, json, &failure),
    };
    if !runs_gateway(&cli.command) {
        trace::start(cli.global.log_level, &context.env);
    }
    match dispatch(&mut context, cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => end(&mut context.printer, json, &failure),
    }
}

/// clap's own words: help and version are answers, the rest is the user's problem.
fn usage(error: &clap::Error) -> ExitCode {
    // The reader of help may be gone.
    drop(error.print());
    match error.use_stderr() {
        true => ExitCode::from(Exit::User.code()),
        false => ExitCode::SUCCESS,
    }
}

fn context(global: &Global, env: Env, printer: Printer) -> Result<Context, (Failure, Printer)> {
    let (instance, flags) = match (&global.profile, global.dev) {
        (Some(name), _) => (Instance::Profile(name.clone()), format!("--profile {name}")),
        (None, true) => (Instance::Dev, "--dev".to_owned()),
        (None, false) => (Instance::Default, String::new()),
    };
    let paths = match Paths::resolve(&instance, &env) {
        Ok(paths) => paths,
        Err(problem) => return Err((Failure::from(Problems::from(problem)), printer)),
    };
    let now_ms = Clock::system().now_ms();
    Ok(Context { env, paths, printer, now_ms, instance: flags })
}

fn end(printer: &mut Printer, json: Json, failure: &Failure) -> ExitCode {
    if !failure.told {
        match json {
            Json::Wanted => drop(printer.json(&failure.to_json())),
            Json::Unwanted => printer.failure(failure),
        }
    }
    ExitCode::from(failure.exit.code())
}

/// Commands that load the configuration in order to tell all of its warnings.
fn tells_warnings(command: &Command) -> bool {
    let validates =
        matches!(command, Command::Config { command: args::ConfigCommand::Validate { .. } });
    validates || runs_gateway(command)
}

/// A running gateway has a log of its own.
fn runs_gateway(command: &Command) -> bool {
    matches!(
        command,
        Command::Gateway(GatewayArgs { command: None | Some(GatewayCommand::Run(_)), .. })
    )
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Json {
    Wanted,
    Unwanted,
}

fn wants_json(command: &Command) -> Json {
    use crate::cli::args::{ConfigCommand as C, DevicesCommand as D};
    let flag = match command {
        Command::Gateway(GatewayArgs { command: None, run }) => run.json,
        Command::Gateway(GatewayArgs { command: Some(command), .. }) => match command {
            GatewayCommand::Run(args) => args.json,
            GatewayCommand::Status(args) => args.json,
            GatewayCommand::Health(args) => args.json,
            GatewayCommand::Probe(args) => args.json,
            GatewayCommand::Call(args) => args.json,
        },
        Command::Health(args) => args.json,
        Command::Status(args) => args.json,
        Command::Devices { command } => match command {
            D::List { common }
            | D::Approve { common, .. }
            | D::Reject { common, .. }
            | D::Remove { common, .. }
            | D::Rename { common, .. }
            | D::Rotate { common, .. }
            | D::Revoke { common, .. } => common.json,
        },
        Command::Logs(args) => args.json,
        Command::Config { command } => match command {
            C::File { json } | C::Get { json, .. } | C::Validate { json } => *json,
            C::Schema { .. } | C::Set { .. } | C::Unset { .. } => false,
        },
        Command::Explain(args) => args.json,
        Command::Completion { .. } => false,
    };
    if flag { Json::Wanted } else { Json::Unwanted }
}

fn dispatch(context: &mut Context, cli: Cli) -> Result<(), Failure> {
    match cli.command {
        Command::Gateway(GatewayArgs { command: None, run }) => {
            gateway_run::run(context, run, &cli.global)
        }
        Command::Gateway(GatewayArgs { command: Some(command), .. }) => match command {
            GatewayCommand::Run(run) => gateway_run::run(context, run, &cli.global),
            GatewayCommand::Status(args) => block_on(gateway_status::run(context, &args)),
            GatewayCommand::Health(args) => block_on(health::run(context, &args)),
            GatewayCommand::Probe(args) => block_on(probe::run(context, &args)),
            GatewayCommand::Call(args) => block_on(call::run(context, &args)),
        },
        Command::Health(args) => block_on(health::run(context, &args)),
        Command::Status(args) => block_on(status::run(context, &args)),
        Command::Devices { command } => block_on(devices::run(context, &command)),
        Command::Logs(args) => block_on(logs::run(context, &args)),
        Command::Config { command } => config::run(context, &command),
        Command::Explain(args) => explain::run(context, &args),
        Command::Completion { shell } => completion(context, shell),
    }
}

/// A client command needs one thread.
fn block_on(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::ours(format!("the runtime does not start: {error}")))?
        .block_on(work)
}

fn completion(context: &mut Context, shell: clap_complete::Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "openclaw", &mut script);
    context.printer.raw(&script)
}
