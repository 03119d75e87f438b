//! Events: what happened, who may see it, and one bounded mailbox per connection.
//!
//! `kinds` is the one table of event names and who sees them. The [`Hub`] serialises an event once and
//! puts it into the mailbox of every connection that may see it; the connection's own actor drains its
//! mailbox, so a slow reader costs only its own bounded memory. `presence` is who is here, `health` the
//! cached health document: both are kept as JSON text because they are sent far more often than changed.

pub mod health;
pub mod kinds;
pub mod mailbox;
pub mod presence;

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use openclaw_auth::{DeviceId, Grant, Role};

use crate::protocol::{
    close::Close,
    frame::{Json, StateVersion},
};

use self::{kinds::Kind, mailbox::Mailbox};

/// One event, serialised once and shared by every mailbox.
#[derive(Debug)]
pub struct Event {
    pub kind: &'static Kind,
    pub payload: Json,
    pub state: Option<StateVersion>,
}

/// Key of a seat in the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SeatId(u64);

/// Every authenticated connection. One lock, no awaits inside.
#[derive(Debug, Default)]
pub struct Hub {
    seats: Mutex<HashMap<SeatId, Arc<Mailbox>>>,
    next: AtomicU64,
}

impl Hub {
    /// Gives a granted connection its mailbox.
    #[must_use]
    pub fn enter(&self, grant: Arc<Grant>) -> (SeatId, Arc<Mailbox>) {
        let id = SeatId(self.next.fetch_add(1, Ordering::Relaxed));
        let mailbox = Arc::new(Mailbox::new(grant));
        self.lock().insert(id, Arc::clone(&mailbox));
        (id, mailbox)
    }

    pub fn leave(&self, id: SeatId) {
        self.lock().remove(&id);
    }

    /// Connections that are in now.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    /// Puts an event into every mailbox whose grant may see it.
    pub fn publish(&self, kind: &'static Kind, payload: Json, state: Option<StateVersion>) {
        let event = Arc::new(Event { kind, payload, state });
        for mailbox in self.lock().values() {
            if kind.is_visible_to(mailbox.grant()) {
                mailbox.put(Arc::clone(&event));
            }
        }
    }

    /// Closes every connection that `which` picks; returns how many.
    pub fn close_where(&self, close: &Close, which: impl Fn(&Grant) -> bool) -> usize {
        let seats = self.lock();
        let picked = seats.values().filter(|mailbox| which(mailbox.grant()));
        picked.map(|mailbox| mailbox.close(close.clone())).count()
    }

    /// Closes every connection once what waits for it is written.
    pub fn close_all_after_events(&self, close: &Close) {
        self.lock().values().for_each(|mailbox| mailbox.close_after_events(close.clone()));
    }

    /// Closes the connections of a device, or only those of one of its roles (rows H20, B52).
    pub fn close_device(&self, device: &DeviceId, role: Option<Role>) -> usize {
        self.close_where(&Close::new(Close::REVOKED, "device removed"), |grant| {
            let same = grant.device().is_some_and(|of| of.id() == device);
            same && role.is_none_or(|role| role == grant.role())
        })
    }

    /// The same for one role, but sparing the connection that asked for it.
    pub fn close_device_except(
        &self,
        device: &DeviceId,
        role: Role,
        spared: Option<&Arc<Grant>>,
    ) -> usize {
        let seats = self.lock();
        let picked = seats.values().filter(|mailbox| {
            let grant = mailbox.grant();
            let same = grant.device().is_some_and(|of| of.id() == device) && role == grant.role();
            same && !spared.is_some_and(|spared| std::ptr::eq(grant, &raw const **spared))
        });
        picked.map(|mailbox| mailbox.close(Close::new(Close::REVOKED, "device removed"))).count()
    }

    /// Devices that are connected now.
    #[must_use]
    pub fn devices(&self) -> HashSet<DeviceId> {
        let seats = self.lock();
        seats.values().filter_map(|mailbox| Some(mailbox.grant().device()?.id().clone())).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<SeatId, Arc<Mailbox>>> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
