//! The wire: frames, the handshake's shapes, errors and close codes of protocols 3 and 4.
//!
//! Types only, shared by the gateway (`conn`, `rpc`) and by the client. A frame is parsed once; `params`
//! and `payload` stay raw JSON until the typed handler or caller reads them. Names and texts are the ones
//! official clients match, so they are written here and nowhere else.
//!
//! * `frame`: req, res and event frames
//! * `connect`: what a client says first; `hello`: what it is answered
//! * `error`: error shapes; `fault`: the sentence for params that do not fit
//! * `close`: close codes; `limits`: every number a peer can run into

pub mod close;
pub mod connect;
pub mod error;
pub mod fault;
pub mod frame;
pub mod hello;
pub mod limits;
