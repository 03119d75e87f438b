//! Everything about `openclaw.json` and the environment.
//!
//! [`load::load`] puts the layers together: defaults < file < environment < flags, with the source of
//! every value kept ([`load::Provenance`]), `$include` and `${VAR}` done, every problem reported at once.
//! [`gateway`] holds the typed result, [`keys`] the one table of keys from which the schema, the UI
//! hints, the nearest-key suggestions and the reload classes derive. [`edit`] changes the document and
//! keeps its comments, [`snapshot`] is the redacted view of `config.get`, [`reload`] says which changes
//! apply at once. Time is an argument; nothing here starts a task.

pub mod check;
pub mod document;
pub mod edit;
pub mod env;
pub mod gateway;
pub mod guard;
pub mod include;
pub mod interpolate;
pub mod keys;
pub mod layers;
pub mod live;
pub mod load;
pub mod paths;
pub mod problem;
pub mod redact;
pub mod reload;
pub mod resolve;
pub mod rules;
pub mod schema;
pub mod secret;
pub mod snapshot;
pub mod values;
