//! What every command shares: instance, environment, time and the printer.

use std::path::PathBuf;

use crate::{
    cli::printer::Printer,
    config::{env::Env, paths::Paths},
};

/// One run of the program.
pub struct Context {
    pub env: Env,
    pub paths: Paths,
    pub printer: Printer,
    /// Wall clock at the start, in milliseconds; ages are told from here.
    pub now_ms: u64,
    /// The flags that select this instance, as a person would repeat them.
    pub instance: String,
}

impl Context {
    /// `<state>/identity`, the device key and its tokens.
    #[must_use]
    pub fn identity(&self) -> PathBuf {
        self.paths.state.join("identity")
    }

    /// A command line that means the same instance, for hints.
    #[must_use]
    pub fn command(&self, rest: &str) -> String {
        match self.instance.as_str() {
            "" => format!("openclaw {rest}"),
            instance => format!("openclaw {instance} {rest}"),
        }
    }
}
