//! The bench: prints the table of figures of this machine, one run, one command (`cargo bench`).
//!
//! Absolute figures move by a third within hours, so each one stands beside "the limit": a bare hyper and
//! tokio-tungstenite server (`limit`) that answers with the same JSON, run as a child process of this very
//! program, its runs interleaved with the gateway's. `rows` is the list of figures, `curves` what grows,
//! `table` and `plot` the output. Everything is on loopback, bounded in count and time, and only processes
//! that were started here are ended. Timings are printed, never asserted.
#![expect(clippy::print_stdout, reason = "the table is this program's output")]
#![expect(clippy::print_stderr, reason = "progress goes beside the table")]

mod client;
mod contender;
mod curves;
mod limit;
mod load;
mod options;
mod plot;
mod procfs;
mod rows;
mod run;
mod table;
mod wire;

use std::{error::Error, process::ExitCode};

use clap::Parser as _;
use tokio::signal::unix::{SignalKind, signal};

use crate::options::Options;

/// What can go wrong is only ever shown to a person.
type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> ExitCode {
    let options = Options::parse();
    let done = match &options.limit_server {
        Some(script) => limit::serve(script, options.port),
        None => bench(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn bench(options: &Options) -> Outcome<()> {
    // The client takes one thread, so that the servers' share of the machine is known.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        // Leaving ends the servers: they have process groups of their own and would not hear of it.
        tokio::select! {
            report = run::run(options) => report,
            _ = tokio::signal::ctrl_c() => Err("interrupted".into()),
            _ = terminate.recv() => Err("terminated".into()),
        }
    })?;
    println!("{}", table::text(&report));
    if let Some(file) = &options.json {
        std::fs::write(file, table::json(&report))?;
    }
    if let Some(folder) = &options.plot {
        plot::write(folder, &report.curves)?;
    }
    if options.smoke { table::check(&report) } else { Ok(()) }
}
