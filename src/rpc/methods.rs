//! The handlers, a file per family. Each file ends in its `METHODS` table.

pub mod channels;
pub mod config;
pub mod devices;
pub mod logs;
pub mod system;

use serde::Deserialize;

/// Params of a method that takes none: `{}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoParams {}

/// Params of a method that takes anything and reads nothing.
#[derive(Debug, Deserialize)]
pub struct AnyParams {}
