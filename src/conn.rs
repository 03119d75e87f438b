//! One connection, from the upgraded socket to its end.
//!
//! * `pipe`: the socket's two ends: bytes in are metered until hello, frames out are queued in bytes
//! * `wire`: WebSocket messages over a pipe; reading and writing make progress together
//! * `handshake`: challenge -> connect -> decision, and the hello
//! * `actor`: the loop of an authenticated connection
//! * `seat`: what an authenticated connection holds; dropping it is leaving
//! * `serve`: the whole line, called by `net`

pub mod actor;
pub mod handshake;
pub mod pipe;
pub mod seat;
pub mod serve;
pub mod wire;
