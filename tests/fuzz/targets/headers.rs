//! The header block of a stranger on our loopback listener: nothing that a client adds makes it more local.
#![no_main]

use std::sync::Once;

use libfuzzer_sys::fuzz_target;
use openclaw_auth::Via;
use openclaw_fuzz::{Line, enter, lines, own_peer, peer, policy};

const HOST: Line<'static> = (b"Host", b"127.0.0.1:18789");

/// Names that speak of a proxy: as they begin, and whole.
const FAMILIES: [&[u8]; 2] = [b"x-forwarded-", b"tailscale-"];
const NAMES: [&[u8]; 2] = [b"forwarded", b"x-real-ip"];

fuzz_target!(|data: &[u8]| {
    static HONEST: Once = Once::new();
    HONEST.call_once(|| {
        let plain = enter(&policy(), &own_peer(), Via::Loopback, &[HOST]);
        assert!(plain.expect("an honest request").is_local(), "this target proves nothing");
    });
    let policy = policy();
    let added = lines(data);
    let mut headers = vec![HOST];
    headers.extend(&added);

    let local = |headers: &[Line<'_>]| {
        enter(&policy, &own_peer(), Via::Loopback, headers).map(|admitted| admitted.is_local())
    };
    let with_all = local(&headers);
    if added.iter().any(|(name, _)| is_proxy(name)) {
        assert_ne!(with_all.as_ref().ok(), Some(&true), "a proxy's header passed as local");
    }
    for at in 1..headers.len() {
        let mut fewer = headers.clone();
        let _one = fewer.remove(at);
        if local(&fewer).is_ok_and(|local| !local) {
            assert_ne!(with_all.as_ref().ok(), Some(&true), "header {at} made a stranger local");
        }
    }
    for (addr, via) in [
        ("192.0.2.7:50000", Via::Lan),
        ("10.1.2.3:50000", Via::Lan),
        ("100.64.0.9:1", Via::Tailnet),
    ] {
        let remote = enter(&policy, &peer(addr), via, &headers);
        assert!(!remote.is_ok_and(|admitted| admitted.is_local()), "{addr} passed as local");
    }
});

fn is_proxy(name: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    NAMES.contains(&&*name) || FAMILIES.iter().any(|start| name.starts_with(start))
}
