//! Those who have not proven anything yet: bounded per client and in all.
//!
//! A newcomer is never turned away. When a client's share is used up, its own oldest half-open connection
//! is closed, once it had a moment to speak; when everything is used up, the oldest of whoever holds most. So
//! a flood of silent sockets cannot keep a good client out, whoever sends it, and a burst of good ones is not
//! taken for a flood (attack rows F11, F14).

use std::{
    collections::{HashMap, VecDeque},
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Half-open connections of one client that had their moment (upstream).
const PER_CLIENT: usize = 32;

/// Half-open connections of one client in any case.
const BURST: usize = 256;

/// The moment: a client that wants something says so at once.
const MOMENT: Duration = Duration::from_millis(500);

/// Half-open connections in all: at 64 KiB each this is 32 MiB at the very worst.
const IN_ALL: usize = 512;

#[derive(Debug)]
struct Held {
    number: u64,
    since: Instant,
    evicted: CancellationToken,
}

#[derive(Debug, Default)]
struct Crowd {
    clients: HashMap<IpAddr, VecDeque<Held>>,
    total: usize,
    next: u64,
}

/// The bounded crowd.
#[derive(Debug, Clone, Default)]
pub struct Strangers(Arc<Mutex<Crowd>>);

/// A place in the crowd; dropping it gives it back, exactly once.
#[derive(Debug)]
pub struct Place {
    strangers: Strangers,
    client: IpAddr,
    number: u64,
    /// Cancelled when a newcomer needs the place.
    pub evicted: CancellationToken,
}

impl Strangers {
    /// Takes a place for a peer.
    #[must_use]
    pub fn enter(&self, peer: IpAddr) -> Place {
        let client = client(peer);
        let evicted = CancellationToken::new();
        let mut crowd = self.lock();
        crowd.next += 1;
        let number = crowd.next;
        let now = Instant::now();
        if crowd.clients.get(&client).is_some_and(|places| has_too_many(places, now)) {
            crowd.evict(client);
        } else if crowd.total >= IN_ALL {
            let most = crowd
                .clients
                .iter()
                .max_by_key(|(_, places)| places.len())
                .map(|(client, _)| *client);
            most.into_iter().for_each(|client| crowd.evict(client));
        }
        crowd.clients.entry(client).or_default().push_back(Held {
            number,
            since: now,
            evicted: evicted.clone(),
        });
        crowd.total += 1;
        drop(crowd);
        Place { strangers: self.clone(), client, number, evicted }
    }

    /// Half-open connections now.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lock().total
    }

    fn lock(&self) -> MutexGuard<'_, Crowd> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Crowd {
    fn evict(&mut self, client: IpAddr) {
        let oldest = self.clients.get_mut(&client).and_then(VecDeque::pop_front);
        if let Some(oldest) = oldest {
            self.total -= 1;
            oldest.evicted.cancel();
        }
    }

    fn leave(&mut self, client: IpAddr, number: u64) {
        let Some(places) = self.clients.get_mut(&client) else { return };
        let before = places.len();
        places.retain(|held| held.number != number);
        self.total -= before - places.len();
        if places.is_empty() {
            self.clients.remove(&client);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.strangers.lock().leave(self.client, self.number);
    }
}

fn has_too_many(places: &VecDeque<Held>, now: Instant) -> bool {
    let oldest = || places.front().is_some_and(|held| now.duration_since(held.since) >= MOMENT);
    places.len() >= BURST || (places.len() >= PER_CLIENT && oldest())
}

/// One client: an IPv4 address, or the /64 that one IPv6 host can pick addresses from (row F3).
fn client(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(ip) => IpAddr::V4(ip),
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("ip")
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_costs_only_its_own_oldest() {
        let strangers = Strangers::default();
        let mut flood: Vec<Place> =
            (0..PER_CLIENT).map(|_| strangers.enter(ip("192.0.2.1"))).collect();
        let other = strangers.enter(ip("192.0.2.2"));
        let burst = strangers.enter(ip("192.0.2.1"));
        assert!(!flood[0].evicted.is_cancelled(), "a burst has its moment");
        tokio::time::advance(MOMENT).await;
        let newcomer = strangers.enter(ip("192.0.2.1"));
        assert!(flood[0].evicted.is_cancelled());
        assert!(!flood[1].evicted.is_cancelled() && !other.evicted.is_cancelled());
        assert!(!newcomer.evicted.is_cancelled() && !burst.evicted.is_cancelled());
        assert_eq!(strangers.count(), PER_CLIENT + 2);
        flood.clear();
        drop((other, newcomer, burst));
        assert_eq!(strangers.count(), 0, "every place is given back exactly once");
    }

    #[tokio::test(start_paused = true)]
    async fn one_v6_network_is_one_client() {
        let strangers = Strangers::default();
        let places: Vec<Place> =
            (0..=BURST).map(|n| strangers.enter(ip(&format!("2001:db8::{n:x}")))).collect();
        assert!(places[0].evicted.is_cancelled(), "F3");
        let mapped = strangers.enter(ip("::ffff:192.0.2.1"));
        assert_eq!(mapped.client, ip("192.0.2.1"), "F2");
    }

    #[tokio::test(start_paused = true)]
    async fn when_all_is_full_the_largest_crowd_gives_way() {
        let strangers = Strangers::default();
        let many: Vec<Place> = (0..PER_CLIENT).map(|_| strangers.enter(ip("192.0.2.1"))).collect();
        let few: Vec<Place> = (0..IN_ALL - PER_CLIENT)
            .map(|n| strangers.enter(ip(&format!("10.0.{}.{}", n / 250, n % 250))))
            .collect();
        let good = strangers.enter(ip("198.51.100.1"));
        assert!(many[0].evicted.is_cancelled());
        assert!(
            !good.evicted.is_cancelled() && few.iter().all(|place| !place.evicted.is_cancelled())
        );
    }
}
