//! The gateway in one process, from its sockets: every test starts its own on a port of its own, in a home
//! of its own, and names the attack-table row or the section of the wire contract that it holds.

#![expect(clippy::expect_used, reason = "a test that cannot go on must stop")]
#![expect(clippy::indexing_slicing, clippy::panic, reason = "a missing answer fails the test")]
#![expect(unreachable_pub, reason = "a test program exports nothing")]

mod gateway {
    mod client;
    mod device;
    mod rig;
    mod wire;

    mod authorization;
    mod canary;
    mod config;
    mod events;
    mod first_frame;
    mod golden;
    mod http;
    mod lifecycle;
    mod origins;
    mod pairing;
    mod refusals;
    mod session;
    mod tokens;
}
