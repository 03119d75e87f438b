//! Where the gateway may listen, decided from facts alone.
//!
//! [`plan`] takes the mode the user asked for, the port, what the host looks like ([`Situation`]) and how
//! callers will prove themselves ([`Access`]); it answers with the exact sockets to open ([`Plan`]) or with
//! the reason why it will not ([`Refusal`]). Nothing here opens a socket, resolves a name, reads a clock or
//! probes an address, so the same input always gives the same plan and the same trace.
//!
//! * `mode`: the five words of `gateway.bind`, and the address set that each may never leave (`ceiling`).
//! * `situation`, `access`: the facts, gathered elsewhere.
//! * `guard`: which mode may be combined with which secret, Serve and proxy setting.
//! * `plan`, `draft`: the sockets.
#![forbid(unsafe_code)]

mod access;
mod address;
mod ceiling;
mod draft;
mod guard;
mod mode;
mod note;
mod plan;
mod refusal;
mod situation;

pub use access::{Access, FUNNEL_PASSWORD_CHARS, Secret, Serve, Strength, Token};
pub use ceiling::Ceiling;
pub use guard::check;
pub use mode::{CustomHost, Mode};
pub use note::{Note, Step, Waiting};
pub use plan::{Exposure, Kind, Plan, Socket, plan};
pub use refusal::{OpenDoor, Refusal};
pub use situation::{HostAddress, Situation, Tailnet};
