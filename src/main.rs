//! Parse, run, exit code.

use std::process::ExitCode;

use openclaw::{cli, config::env::Env};

fn main() -> ExitCode {
    cli::main(std::env::args_os(), Env::process())
}
