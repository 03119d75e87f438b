//! Counts failed credentials per client and class, and says when to stop comparing (rows F1-F10, E16).
//!
//! Failures only; a lock is looked up before anything is compared. The table is bounded: the oldest unlocked entry
//! makes room, and while it is full newcomers share one global bucket instead of being denied (F5, F6). Sans-I/O: the
//! caller passes a monotonic time and holds the lock around check, compare and record (F7).

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::time::Duration;

/// The first held-back answer on loopback (F8).
const FIRST_DELAY: Duration = Duration::from_millis(250);
/// The longest one.
const MAX_DELAY: Duration = Duration::from_secs(5);
/// Under pressure, one failure of unknown clients per this time ...
const GLOBAL_INTERVAL: Duration = Duration::from_millis(600);
/// ... after this many at once.
const GLOBAL_BURST: u32 = 20;

/// Under which name a client is counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ClientKey {
    /// A canonical IPv4 address.
    V4([u8; 4]),
    /// An IPv6 /64: one customer, one bucket (F3).
    V6Net([u8; 8]),
    /// An IPv6 address inside the tailnet, where every node has its own.
    Tailnet6([u8; 16]),
    /// This host, owner unknown.
    Loopback,
    /// This host, one user (F8).
    LoopbackUid(u32),
    /// A page in a browser on this host: locked like a stranger (D23).
    LoopbackOrigin(Box<str>),
}

impl ClientKey {
    /// The key of an address that is not trusted to be local.
    #[must_use]
    pub fn of_ip(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(v4) => Self::V4(v4.octets()),
            IpAddr::V6(v6) => {
                let octets = v6.octets();
                // Tailscale's own ULA prefix, fd7a:115c:a1e0::/48.
                if octets.starts_with(&[0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0]) {
                    return Self::Tailnet6(octets);
                }
                let [a, b, c, d, e, f, g, h, ..] = octets;
                Self::V6Net([a, b, c, d, e, f, g, h])
            }
        }
    }

    /// Never locked, only slowed (F8).
    #[must_use]
    pub fn is_exempt(&self) -> bool {
        match self {
            Self::Loopback | Self::LoopbackUid(_) => true,
            Self::V4(_) | Self::V6Net(_) | Self::Tailnet6(_) | Self::LoopbackOrigin(_) => false,
        }
    }
}

/// What kind of credential failed; classes never touch each other's count (F9, F10, F22).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    SharedSecret,
    DeviceToken,
    /// A proxy's or tailscaled's identity that did not hold.
    Identity,
}

/// May this client's credential be compared?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Open,
    /// Refuse before comparing; come again after this time.
    Locked(Duration),
}

/// The numbers, upstream's defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Failures in any one window that lock.
    pub failures: u32,
    pub window: Duration,
    pub lock: Duration,
    /// Clients and classes remembered: about 3 MB when every one of them is under attack.
    pub capacity: usize,
    /// What a wrong guess from this host costs.
    pub loopback: LoopbackGuesses,
}

/// `gateway.auth.rateLimit.exemptLoopback`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoopbackGuesses {
    /// Slowed, never locked: a local process must not lock its own user out (F8).
    #[default]
    Slowed,
    /// Counted and locked as everybody's.
    Locked,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            failures: 10,
            window: Duration::from_secs(60),
            lock: Duration::from_secs(300),
            capacity: 16_384,
            loopback: LoopbackGuesses::Slowed,
        }
    }
}

type Key = (ClientKey, Class);

#[derive(Debug, Default)]
struct Entry {
    /// Times of the failures in the last window, oldest first, at most `failures` of them.
    failures: Vec<Duration>,
    locked_until: Option<Duration>,
    /// Place in `Limiter::recent`.
    tick: u64,
}

/// The failure book of one gateway.
#[derive(Debug)]
pub struct Limiter {
    limits: Limits,
    entries: HashMap<Key, Entry>,
    /// Entries by the age of their last failure, oldest first.
    recent: BTreeMap<u64, Key>,
    /// Entries under a lock by the time it ends; they do not make room for others (F5).
    locked: BTreeMap<(Duration, u64), Key>,
    tick: u64,
    global: Bucket,
}

impl Limiter {
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits: Limits {
                failures: limits.failures.max(1),
                capacity: limits.capacity.max(1),
                ..limits
            },
            entries: HashMap::new(),
            recent: BTreeMap::new(),
            locked: BTreeMap::new(),
            tick: 0,
            global: Bucket::default(),
        }
    }

    /// Ask before comparing. `uptime` is monotonic.
    pub fn check(&mut self, key: &ClientKey, class: Class, uptime: Duration) -> Verdict {
        if self.is_exempt(key) {
            return Verdict::Open;
        }
        self.forget_expired(uptime);
        match self.entries.get(&(key.clone(), class)) {
            Some(entry) => match entry.locked_until {
                Some(until) => Verdict::Locked(until.saturating_sub(uptime)),
                None => Verdict::Open,
            },
            None if self.entries.len() >= self.limits.capacity => self.global.check(uptime),
            None => Verdict::Open,
        }
    }

    /// Write down a failed compare; `Some` is the time to hold the answer back.
    pub fn fail(&mut self, key: &ClientKey, class: Class, uptime: Duration) -> Option<Duration> {
        self.forget_expired(uptime);
        let full = (key.clone(), class);
        let mut entry = match self.take(&full) {
            Some(entry) => entry,
            None if self.make_room(uptime) => Entry::default(),
            // Every place is held by a locked client: the global bucket alone counts this one.
            None => return self.is_exempt(key).then_some(MAX_DELAY),
        };
        if entry.locked_until.is_some() {
            // Whoever knocks on a locked door does not lock it for longer.
            self.put(full, entry);
            return None;
        }
        let window = self.limits.window;
        entry.failures.retain(|at| uptime.saturating_sub(*at) < window);
        let most = usize::try_from(self.limits.failures).unwrap_or(usize::MAX);
        if entry.failures.len() >= most {
            entry.failures.remove(0);
        }
        entry.failures.push(uptime);
        let count = entry.failures.len();
        if !self.is_exempt(key) && count >= most {
            entry.locked_until = Some(uptime.saturating_add(self.limits.lock));
        }
        self.put(full, entry);
        self.is_exempt(key).then(|| delay(count))
    }

    fn is_exempt(&self, key: &ClientKey) -> bool {
        self.limits.loopback == LoopbackGuesses::Slowed && key.is_exempt()
    }

    /// Write down a success: forgets the failures of this class only (F10).
    pub fn succeed(&mut self, key: &ClientKey, class: Class) {
        drop(self.take(&(key.clone(), class)));
    }

    /// How many clients and classes are remembered (I6).
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn take(&mut self, key: &Key) -> Option<Entry> {
        let entry = self.entries.remove(key)?;
        match entry.locked_until {
            Some(until) => drop(self.locked.remove(&(until, entry.tick))),
            None => drop(self.recent.remove(&entry.tick)),
        }
        Some(entry)
    }

    fn put(&mut self, key: Key, mut entry: Entry) {
        self.tick = self.tick.wrapping_add(1);
        entry.tick = self.tick;
        match entry.locked_until {
            Some(until) => drop(self.locked.insert((until, self.tick), key.clone())),
            None => drop(self.recent.insert(self.tick, key.clone())),
        }
        drop(self.entries.insert(key, entry));
    }

    /// True when one more entry fits; charges the global bucket when the table is full.
    fn make_room(&mut self, uptime: Duration) -> bool {
        if self.entries.len() < self.limits.capacity {
            return true;
        }
        self.global.charge(uptime);
        let Some((_, oldest)) = self.recent.pop_first() else { return false };
        drop(self.entries.remove(&oldest));
        true
    }

    /// A lock that has ended leaves a clean slate, and failures out of the window leave nothing: only an attack fills
    /// the table.
    fn forget_expired(&mut self, uptime: Duration) {
        while let Some(first) = self.locked.first_entry()
            && first.key().0 <= uptime
        {
            let key = first.remove();
            drop(self.entries.remove(&key));
        }
        while let Some(first) = self.recent.first_entry() {
            let last = self.entries.get(first.get()).and_then(|entry| entry.failures.last());
            if last.is_some_and(|at| uptime.saturating_sub(*at) < self.limits.window) {
                break;
            }
            let key = first.remove();
            drop(self.entries.remove(&key));
        }
    }
}

/// 250 ms, doubled per failure, 5 s at most (F8).
fn delay(failures: usize) -> Duration {
    let doublings = u32::try_from(failures.saturating_sub(1)).unwrap_or(u32::MAX).min(16);
    FIRST_DELAY.saturating_mul(1 << doublings).min(MAX_DELAY)
}

/// GCRA: the time at which the bucket would be full again.
#[derive(Debug, Default)]
struct Bucket {
    full_at: Duration,
}

impl Bucket {
    fn check(&self, uptime: Duration) -> Verdict {
        let tolerance = GLOBAL_INTERVAL.saturating_mul(GLOBAL_BURST - 1);
        let ahead = self.full_at.saturating_sub(uptime);
        if ahead <= tolerance {
            Verdict::Open
        } else {
            Verdict::Locked(ahead.saturating_sub(tolerance))
        }
    }

    fn charge(&mut self, uptime: Duration) {
        self.full_at = self.full_at.max(uptime).saturating_add(GLOBAL_INTERVAL);
    }
}
