//! `openclaw explain`: a described request, decided without being sent.

use crate::cli::{args::ExplainArgs, context::Context, failure::Failure};

/// Runs the command.
///
/// # Errors
/// A description that contradicts itself, or a configuration that would not start.
pub fn run(_context: &mut Context, _args: &ExplainArgs) -> Result<(), Failure> {
    Err(Failure::ours("`explain` is not part of this build"))
}
