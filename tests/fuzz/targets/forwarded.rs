//! What a trusted proxy says about its client: only the nearest hop that is no proxy counts, and whatever a client
//! wrote further left changes nothing but a refusal.
#![no_main]

use libfuzzer_sys::fuzz_target;
use openclaw_auth::{Admitted, Policy, Via};
use openclaw_fuzz::{Line, enter, peer, policy, range};

const HOST: Line<'static> = (b"Host", b"127.0.0.1:18789");
const NAME: &[u8] = b"X-Forwarded-For";

fuzz_target!(|data: &[u8]| {
    let policy = policy();
    let values: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();

    // Nobody listed: nothing is believed, and the request is not answered.
    let stranger = admitted(&policy, "192.0.2.7:50000", &values);
    assert!(stranger.is_none(), "a stranger's word was taken");

    let Some(whole) = admitted(&policy, "10.0.0.1:50000", &values) else { return };
    let client = whole.client_ip().expect("a proxy names its client");
    assert!(!whole.is_local(), "a forwarded client is never local");
    assert!(
        !policy.trusted_proxies.iter().any(|range| range.contains(client)),
        "a proxy is no client"
    );
    assert!(!client.is_loopback() && !client.is_unspecified() && !client.is_multicast());
    assert_eq!(client, client.to_canonical());

    // Right to left: without its first lines the chain still ends at the same client, as long as it names one.
    for start in 1..values.len() {
        if let Some(shorter) = admitted(&policy, "10.0.0.1:50000", &values[start..]) {
            assert_eq!(shorter.client_ip(), Some(client), "a line further left decided");
        }
    }
    // Whatever a client writes first, it stays who it is.
    for forged in [b"127.0.0.1".as_slice(), b"10.0.0.9", b"203.0.113.99", b"::1, 198.51.100.1"] {
        let mut longer = vec![forged];
        longer.extend(&values);
        if let Some(longer) = admitted(&policy, "10.0.0.1:50000", &longer) {
            assert_eq!(longer.client_ip(), Some(client), "a forged first hop decided");
            assert_eq!(longer.client(), whole.client());
        }
    }
    // A client that becomes a proxy itself is passed over, never believed to be local.
    let mut wider = policy;
    wider.trusted_proxies.push(range(&client.to_string()));
    if let Some(past) = admitted(&wider, "10.0.0.1:50000", &values) {
        assert!(past.client_ip() != Some(client) && !past.is_local());
    }
});

fn admitted(policy: &Policy, from: &str, values: &[&[u8]]) -> Option<Admitted> {
    let mut headers = vec![HOST];
    headers.extend(values.iter().map(|value| (NAME, *value)));
    enter(policy, &peer(from), Via::Lan, &headers).ok()
}
