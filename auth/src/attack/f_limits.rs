//! Group F: the limiter, alone against a model and inside decisions.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use proptest::prelude::*;

use super::fixture::*;
use crate::{Class, ClientKey, Limiter, Limits, LoopbackGuesses, Secret, Verdict, Via};

const S: Duration = Duration::from_secs(1);

fn key(text: &str) -> ClientKey {
    ClientKey::of_ip(ip(text))
}

fn limiter(capacity: usize) -> Limiter {
    Limiter::new(Limits { capacity, ..Limits::default() })
}

#[test]
fn ten_failures_in_a_minute_lock_for_five() {
    let mut book = limiter(16);
    let mallory = key("192.168.1.66");
    for n in 0..10 {
        assert_eq!(book.check(&mallory, Class::SharedSecret, S * n), Verdict::Open, "F1 {n}");
        assert_eq!(book.fail(&mallory, Class::SharedSecret, S * n), None);
    }
    assert_eq!(book.check(&mallory, Class::SharedSecret, S * 10), Verdict::Locked(S * 299), "F1");
    // Knocking does not lock for longer.
    book.fail(&mallory, Class::SharedSecret, S * 20);
    assert_eq!(book.check(&mallory, Class::SharedSecret, S * 308), Verdict::Locked(S), "F1");
    assert_eq!(book.check(&mallory, Class::SharedSecret, S * 309), Verdict::Open, "F1");
    assert!(book.is_empty(), "a lock that ended leaves nothing");
}

#[test]
fn loopback_is_slowed_unless_it_shall_be_locked() {
    for (loopback, locked) in [(LoopbackGuesses::Slowed, false), (LoopbackGuesses::Locked, true)] {
        let mut book = Limiter::new(Limits { loopback, ..Limits::default() });
        for _ in 0..20 {
            book.fail(&ClientKey::Loopback, Class::SharedSecret, S);
        }
        let verdict = book.check(&ClientKey::Loopback, Class::SharedSecret, S);
        assert_eq!(matches!(verdict, Verdict::Locked(_)), locked, "F8 {loopback:?}");
    }
}

#[test]
fn slow_failures_never_lock() {
    let mut book = limiter(16);
    for n in 0..100 {
        assert_eq!(book.check(&key("1.2.3.4"), Class::SharedSecret, S * 7 * n), Verdict::Open);
        book.fail(&key("1.2.3.4"), Class::SharedSecret, S * 7 * n);
    }
}

#[test]
fn one_client_has_one_key() {
    assert_eq!(key("1.2.3.4"), key("::ffff:1.2.3.4"), "F2");
    assert_eq!(key("2001:db8:1:2::1"), key("2001:db8:1:2:ffff::9"), "F3");
    assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"), "F3");
    assert_ne!(key("fd7a:115c:a1e0::2"), key("fd7a:115c:a1e0::3"), "tailnet nodes are apart");
    let stranger = |value: &'static str| {
        admitted(&policy(), &peer("192.168.1.66"), Via::Lan, &[("User-Agent", value)]).unwrap()
    };
    assert_eq!(stranger("a").client(), stranger("b").client(), "F4");
}

#[test]
fn the_table_is_bounded_and_keeps_locks() {
    let mut book = limiter(64);
    let mallory = key("192.168.1.66");
    for _ in 0..10 {
        book.fail(&mallory, Class::SharedSecret, S);
    }
    for n in 0..20_000_u32 {
        book.fail(&ClientKey::V4(n.to_be_bytes()), Class::SharedSecret, S * 2);
    }
    assert_eq!(book.len(), 64, "F5/I6");
    assert!(matches!(book.check(&mallory, Class::SharedSecret, S * 3), Verdict::Locked(_)), "F5");
}

#[test]
fn a_full_table_judges_newcomers_together() {
    let mut book = limiter(4);
    for n in 0..4_u32 {
        for _ in 0..10 {
            book.fail(&ClientKey::V4(n.to_be_bytes()), Class::SharedSecret, S);
        }
    }
    let newcomer = |n: u32| ClientKey::V4((1_000 + n).to_be_bytes());
    assert_eq!(
        book.check(&newcomer(0), Class::SharedSecret, S * 2),
        Verdict::Open,
        "F6: not denied"
    );
    let compared = (0..1_000)
        .filter(|n| {
            let open = book.check(&newcomer(*n), Class::SharedSecret, S * 2) == Verdict::Open;
            if open {
                book.fail(&newcomer(*n), Class::SharedSecret, S * 2);
            }
            open
        })
        .count();
    assert_eq!(compared, 20, "F5: the global burst");
    assert_eq!(
        book.check(&newcomer(0), Class::SharedSecret, S * 20),
        Verdict::Open,
        "F6: soon again"
    );
    assert_eq!(book.len(), 4);
}

#[test]
fn old_failures_leave_the_table() {
    let mut book = limiter(4);
    for n in 0..100_u32 {
        let client = ClientKey::V4(n.to_be_bytes());
        assert_eq!(book.check(&client, Class::SharedSecret, S * 60 * n), Verdict::Open);
        book.fail(&client, Class::SharedSecret, S * 60 * n);
        assert_eq!(book.len(), 1, "I6: a quiet year fills nothing");
    }
}

#[test]
fn loopback_is_slowed_and_never_locked() {
    let mut book = limiter(16);
    let own = ClientKey::LoopbackUid(1000);
    let delays: Vec<u64> = (0..40)
        .map(|_| {
            assert_eq!(book.check(&own, Class::SharedSecret, S), Verdict::Open, "F8");
            u64::try_from(book.fail(&own, Class::SharedSecret, S).unwrap().as_millis()).unwrap()
        })
        .collect();
    assert_eq!(delays[..7], [250, 500, 1_000, 2_000, 4_000, 5_000, 5_000], "F8");
    assert_eq!(
        book.fail(&ClientKey::LoopbackUid(1001), Class::SharedSecret, S),
        Some(Duration::from_millis(250)),
        "F8 per uid"
    );
    book.succeed(&own, Class::SharedSecret);
    assert_eq!(book.fail(&own, Class::SharedSecret, S), Some(Duration::from_millis(250)));
    // D23: a page on loopback is locked like a stranger.
    let page = ClientKey::LoopbackOrigin("http://localhost:18789".into());
    for _ in 0..10 {
        assert_eq!(book.fail(&page, Class::SharedSecret, S), None);
    }
    assert!(matches!(book.check(&page, Class::SharedSecret, S), Verdict::Locked(_)), "D23");
}

#[test]
fn classes_do_not_touch() {
    let mut book = limiter(16);
    let nat = key("203.0.113.9");
    for _ in 0..9 {
        book.fail(&nat, Class::SharedSecret, S);
    }
    book.succeed(&nat, Class::DeviceToken);
    book.fail(&nat, Class::SharedSecret, S);
    assert!(matches!(book.check(&nat, Class::SharedSecret, S), Verdict::Locked(_)), "F10");
    assert_eq!(book.check(&nat, Class::DeviceToken, S), Verdict::Open, "F9");
}

#[test]
fn the_eleventh_guess_is_not_compared() {
    let door = Door::lan();
    let mut wrong = cli();
    wrong.token = Some(Secret::new("guess"));
    for _ in 0..10 {
        assert_eq!(door.word(&wrong), "AUTH_TOKEN_MISMATCH", "F1");
    }
    let locked = denied(door.decide(&cli()));
    assert_eq!(
        (code(&locked).as_str(), locked.http_status()),
        ("AUTH_RATE_LIMITED", 429),
        "F1: even the right one"
    );
    assert_eq!(locked.retry_after_ms(), Some(300_000), "protocol 4.6");
    assert_eq!(locked.counts_as_failure(), None);
}

#[test]
fn success_resets_its_class() {
    let door = Door::lan();
    let mut wrong = cli();
    wrong.token = Some(Secret::new("guess"));
    for _ in 0..5 {
        for _ in 0..9 {
            assert_eq!(door.word(&wrong), "AUTH_TOKEN_MISMATCH");
        }
        assert_eq!(door.word(&cli()), "ALLOW token []", "protocol 4.6");
    }
}

#[test]
fn parallel_guesses_are_counted_one_by_one() {
    let door = Arc::new(Door::lan());
    let compared = Arc::new(AtomicUsize::new(0));
    let threads: Vec<_> = (0..50)
        .map(|_| {
            let (door, compared) = (Arc::clone(&door), Arc::clone(&compared));
            std::thread::spawn(move || {
                let mut wrong = cli();
                wrong.token = Some(Secret::new("guess"));
                if door.word(&wrong) == "AUTH_TOKEN_MISMATCH" {
                    compared.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(compared.load(Ordering::Relaxed), 10, "F7");
}

#[test]
fn a_loopback_guess_is_answered_late() {
    let door = Door::local();
    let mut wrong = cli();
    wrong.token = Some(Secret::new("guess"));
    for expected in [250, 500, 1_000] {
        let denied = denied(door.decide(&wrong));
        assert_eq!(denied.delay(), Some(Duration::from_millis(expected)), "F8");
    }
    assert_eq!(door.word(&cli()), "ALLOW token [operator.write operator.read]", "F8: no lock");
}

/// The plain rule, without bounds: N failures in any window lock.
#[derive(Default)]
struct Model {
    failures: HashMap<(u8, Class), Vec<Duration>>,
    locks: HashMap<(u8, Class), Duration>,
}

impl Model {
    fn is_locked(&mut self, id: (u8, Class), at: Duration) -> bool {
        match self.locks.get(&id) {
            Some(until) if *until > at => true,
            Some(_) => {
                self.locks.remove(&id);
                self.failures.remove(&id);
                false
            }
            None => false,
        }
    }

    fn fail(&mut self, id: (u8, Class), at: Duration) {
        let times = self.failures.entry(id).or_default();
        times.push(at);
        if times.iter().filter(|then| at - **then < S * 60).count() >= 10 {
            self.locks.insert(id, at + S * 300);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_limiter_is_its_model(
        steps in proptest::collection::vec((0_u8..3, 0_u8..3, 0_u64..20_000, 0_u8..8), 1..400),
    ) {
        let (mut book, mut model) = (limiter(64), Model::default());
        let mut at = Duration::ZERO;
        for (client, class, wait, action) in steps {
            at += Duration::from_millis(wait);
            let class = [Class::SharedSecret, Class::DeviceToken, Class::Identity][usize::from(class)];
            let name = ClientKey::V4([client; 4]);
            let locked = model.is_locked((client, class), at);
            prop_assert_eq!(book.check(&name, class, at) != Verdict::Open, locked);
            if !locked && action == 0 {
                book.succeed(&name, class);
                model.failures.remove(&(client, class));
            } else if !locked {
                book.fail(&name, class, at);
                model.fail((client, class), at);
            }
        }
    }
}
