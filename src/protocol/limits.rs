//! Every number a peer can run into, with its reason. Values marked "upstream" are the official ones.

use std::time::Duration;

/// A frame before hello-ok: a stranger cannot make us hold more (upstream).
pub const PRE_AUTH_MESSAGE: usize = 64 * 1024;

/// WebSocket frames before hello-ok: one connect message, a few fragments, a few pings (attack row F16).
pub const PRE_AUTH_FRAMES: usize = 16;

/// A message after hello-ok, told to clients as `policy.maxPayload` (upstream: 25 MiB).
pub const MAX_PAYLOAD: usize = 25 * 1024 * 1024;

/// Bytes that may wait for one slow client before it is closed, told as `policy.maxBufferedBytes`.
/// Upstream allows 50 MiB; a handful of such clients would fill the machines we are made for.
pub const MAX_BUFFERED: usize = 16 * 1024 * 1024;

/// Above this, events that the next one replaces (tick, presence, health) are skipped for that client.
pub const DROP_ABOVE: usize = MAX_BUFFERED / 4;

/// From accept to hello-ok (upstream 9.6), `OPENCLAW_HANDSHAKE_TIMEOUT_MS` changes it.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(15);

/// Between two `tick` events, told as `policy.tickIntervalMs` (upstream).
pub const TICK_INTERVAL: Duration = Duration::from_secs(30);

/// Between two pings; a peer that answers none for a whole interval is gone (upstream).
pub const PING_INTERVAL: Duration = Duration::from_secs(25);

/// Calls of one connection in flight; the next one is answered `UNAVAILABLE`, an abort still gets in.
pub const IN_FLIGHT: usize = 64;

/// Unauthorised calls in a row, then close 1008 (upstream; attack row F21).
pub const UNAUTHORISED_CALLS: u32 = 10;

/// Frames that cannot be read (not JSON, malformed) in a row, then close 1008 (attack row F21).
pub const MALFORMED_FRAMES: u32 = 100;

/// WebSocket pings answered per interval of [`PING_INTERVAL`]; more closes 1008 (attack row F17).
pub const CLIENT_PINGS: u32 = 500;

/// Nesting of JSON before hello-ok (attack row F18).
pub const JSON_DEPTH: usize = 32;

/// Bytes of a close reason; the WebSocket frame has room for 123 (upstream cuts at 120).
pub const CLOSE_REASON: usize = 120;

/// A write that makes no progress for this long means that the peer is gone.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
