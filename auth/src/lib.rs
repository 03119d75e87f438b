//! Who may enter the gateway: pure decisions over evidence, with a trace for each step.
//!
//! ```text
//! headers::Head   raw bytes of one request -> a view, or 400       (hygiene: rows B14-B17, D10, D11, D14, E15, G1-G12)
//! admit           policy x peer x via x head -> Admitted           (pipeline steps 2, 4-7: every request and upgrade)
//! decide          policy x evidence x ask x now -> Decision        (steps 8, 11-14: one `connect`)
//! bearer          policy x admitted x Authorization -> BearerGrant (HTTP routes)
//! ```
//!
//! No I/O, no async, no clock: what the kernel, tailscaled or the clock says is an argument. A [`Grant`] has
//! no constructor outside this crate, and every path that cannot prove something ends in a [`Denied`].

#![forbid(unsafe_code)]

pub mod admit;
pub mod bearer;
pub mod decide;
pub mod denied;
pub mod device;
pub mod forwarded;
pub mod grant;
pub mod headers;
pub mod limiter;
pub mod origin;
pub mod pairing;
pub mod path;
pub mod policy;
pub mod role;
pub mod scope;
pub mod secret;
pub mod token;
pub mod trace;
pub mod via;

pub use admit::{Admitted, Locality, NotLocal, admit, admit_traced};
pub use bearer::{BearerEvidence, BearerGrant, bearer};
pub use decide::{Ask, Client, Decision, Evidence, Ledger, decide, resume};
pub use denied::{Cause, Denied, DetailValue};
pub use device::{Challenge, DeviceId, DeviceProof, PublicKey};
pub use forwarded::{LoopbackProxy, ProxyIdentity, ProxyRange, ProxyRangeError, ProxyRangeWarning};
pub use grant::{Grant, Method};
pub use headers::{Head, HttpVersion, RequestLine, Upgrade};
pub use limiter::{Class, ClientKey, Limiter, Limits, LoopbackGuesses, Verdict};
pub use origin::{HostName, HostPort, Origin, Scheme};
pub use pairing::{Approval, DeviceRecord, PairNeed, PairReason, RoleGrant};
pub use path::Path;
pub use policy::{Funnel, Mode, Now, Policy, Protocol, ServeFront};
pub use role::Role;
pub use scope::{Scope, ScopeSet};
pub use secret::{Secret, SharedSecret};
pub use token::TokenKey;
pub use trace::{Outcome, Step, Trace};
pub use via::{Owner, Peer, Standing, Userspace, Via, Whois, WhoisAnswer};

#[cfg(test)]
mod attack;
