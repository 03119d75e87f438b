//! Rows of `bind=custom`: one address, which must be the host's own.

use openclaw_bind::{HostAddress, Secret};

use crate::fixture::{
    CARRIER, LAN, LINK, MADE_UP, PUBLIC_V6, TOKEN, by, custom, desk, host, judge, lo4, lo6, on,
    with,
};

#[test]
fn custom_is_one_address_of_this_host_and_loopback() {
    let shared = with(desk(), [on("eth0", CARRIER, 10)]);
    judge([
        (
            "a LAN address",
            custom("192.168.1.10"),
            desk(),
            by(TOKEN),
            "127.0.0.1 [::1]? 192.168.1.10 = lan",
        ),
        ("A8 not on this host", custom("10.9.9.9"), desk(), by(TOKEN), "custom_host_absent"),
        (
            "A8 its network is not enough",
            custom("192.168.1.11"),
            desk(),
            by(TOKEN),
            "custom_host_absent",
        ),
        ("A8 nothing known", custom("192.168.1.10"), host([]), by(TOKEN), "custom_host_absent"),
        (
            "A12 mapped LAN",
            custom("::ffff:192.168.1.10"),
            desk(),
            by(TOKEN),
            "127.0.0.1 [::1]? 192.168.1.10 = lan",
        ),
        (
            "A21 no loopback",
            custom("192.168.1.10"),
            host([on("eth0", LAN, 24)]),
            by(TOKEN),
            "no_loopback",
        ),
        ("A25 none", custom("192.168.1.10"), desk(), by(Secret::None), "auth_none_exposed"),
        ("E8 generated", custom("192.168.1.10"), desk(), by(MADE_UP), "secret_required"),
        (
            "a public address",
            custom("2a01:4f8::7"),
            with(desk(), [on("eth0", PUBLIC_V6, 64)]),
            by(TOKEN),
            "127.0.0.1 [::1]? [2a01:4f8::7] = public !public_address",
        ),
        (
            "A14 a shared address",
            custom("100.72.3.4"),
            shared,
            by(TOKEN),
            "127.0.0.1 [::1]? 100.72.3.4 = lan !shared_range",
        ),
    ]);
}

#[test]
fn a_custom_loopback_is_loopback() {
    let both = "127.0.0.1 [::1]? = loopback";
    judge([
        ("A12 mapped loopback", custom("::ffff:127.0.0.1"), desk(), by(MADE_UP), both),
        ("A12 mapped, none", custom("::ffff:127.0.0.1"), desk(), by(Secret::None), both),
        (
            "loopback by name of v6",
            custom("::1"),
            desk(),
            by(MADE_UP),
            "127.0.0.1 [::1] = loopback",
        ),
        ("A8 absent v6 loopback", custom("::1"), host([lo4()]), by(TOKEN), "custom_host_absent"),
        (
            "another loopback",
            custom("127.0.0.5"),
            desk(),
            by(MADE_UP),
            "127.0.0.1 [::1]? 127.0.0.5 = loopback",
        ),
        (
            "A8 another loopback without v4",
            custom("127.0.0.5"),
            host([lo6()]),
            by(TOKEN),
            "custom_host_absent",
        ),
    ]);
}

#[test]
fn a_link_local_address_is_served_on_its_link() {
    let linked = with(desk(), [on("eth0", LINK, 64), on("wlan0", LINK, 64)]);
    judge([
        (
            "A13 scoped",
            custom("fe80::1%eth0"),
            linked.clone(),
            by(TOKEN),
            "127.0.0.1 [::1]? [fe80::1%2] = lan",
        ),
        (
            "A13 by index",
            custom("fe80::1%3"),
            linked.clone(),
            by(TOKEN),
            "127.0.0.1 [::1]? [fe80::1%3] = lan",
        ),
        (
            "A13 a link of unknown index",
            custom("fe80::1%eth0"),
            with(desk(), [HostAddress { index: 0, ..on("eth0", LINK, 64) }]),
            by(TOKEN),
            "custom_host_absent",
        ),
        ("A13 other link", custom("fe80::1%eth9"), linked, by(TOKEN), "custom_host_absent"),
    ]);
}
