//! Sockets and HTTP: accept, route, upgrade.
//!
//! * `listen`: binds exactly the planned sockets and keeps them; `holder` names who has a busy port
//! * `accept`: one task per listener; `strangers` bounds those who have not proven anything
//! * `peer`: what the kernel says about the other end
//! * `http`: one request: hygiene, admission, route; `upgrade` hands the socket to `conn`
//! * `tls`: the gateway's own certificate

pub mod accept;
pub mod holder;
pub mod http;
pub mod io;
pub mod listen;
pub mod peer;
pub mod strangers;
pub mod tls;
pub mod upgrade;
