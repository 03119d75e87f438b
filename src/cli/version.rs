//! What `--version` says: version, commit where the build knew it, protocol range.

use openclaw_auth::Protocol;

/// The version alone, as told to gateways.
pub const NUMBER: &str = env!("CARGO_PKG_VERSION");

/// The commit, when the build was told (`OPENCLAW_COMMIT`).
const COMMIT: Option<&str> = option_env!("OPENCLAW_COMMIT");

/// `0.1.0 (abc1234, protocol 3-4)`.
#[must_use]
pub fn line() -> String {
    let (oldest, newest) = (Protocol::V3.number(), Protocol::V4.number());
    match COMMIT {
        Some(commit) => format!("{NUMBER} ({commit}, protocol {oldest}-{newest})"),
        None => format!("{NUMBER} (protocol {oldest}-{newest})"),
    }
}
