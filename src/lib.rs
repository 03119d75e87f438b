//! The OpenClaw Gateway as one small binary.
//!
//! A frame goes one straight line: `net` accepts and upgrades, `conn` shakes hands and runs one actor
//! per connection, `rpc` finds the method, the domain (`devices`, `events`, `ui`) answers, `store`
//! keeps what must survive. `config`, `protocol`, `logs` and `clock` are the ground; who may enter is decided
//! in the crate `openclaw-auth`, where to listen in `openclaw-bind`. `gateway` puts it together.
//! `tests/arch.rs` holds the rows.

//! keeps what must survive. `config`, `protocol` and `logs` are the ground; who may enter is decided in
//! the crate `openclaw-auth`, where to listen in `openclaw-bind`. `tests/arch.rs` holds the rows.
pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
pub mod conn;
pub mod devices;
pub mod events;
pub mod gateway;
pub mod logs;
pub mod net;
pub mod protocol;
pub mod rpc;
pub mod store;
pub mod ui;
