//! Paired devices, their roles and token generations, and the requests that wait for an operator.
//!
//! Everything is held in memory and written through: a change is durable in the store before the caller
//! is answered, and no connect waits for the disk unless it changes something. A device token is derived
//! from (device, role, generation) by `openclaw_auth::TokenKey`, so what is stored holds no bearer.
//!
//! * `book`: the in-memory state, pure
//! * `rows`: the same as SQLite rows

mod book;
mod rows;

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use openclaw_auth::{DeviceId, DeviceRecord, PairNeed, Role, ScopeSet};

use crate::{
    clock::UnixMs,
    store::{Store, StoreError},
};

pub use book::{Device, Pending, Request, RequestId, TokenTimes};

use book::Book;

/// What a client says of itself when it asks to be paired.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Applicant {
    pub display_name: Option<String>,
    pub platform: Option<String>,
    pub device_family: Option<String>,
    pub client_id: String,
    pub client_mode: String,
    pub remote_ip: Option<IpAddr>,
}

/// Who agreed to a pairing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApprovedVia {
    /// An operator, by `device.pair.approve`.
    Owner,
    /// Proven local with the shared secret.
    Silent,
}

impl ApprovedVia {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Silent => "silent",
        }
    }
}

/// Why a change of devices was not made.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    #[error("unknown requestId")]
    UnknownRequest,
    #[error("unknown deviceId")]
    UnknownDevice,
    #[error("unknown device role")]
    UnknownRole,
    #[error("device token rotation denied")]
    RotationDenied,
    #[error("too many pairing requests are waiting")]
    TooManyRequests,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The registry of devices.
#[derive(Debug)]
pub struct Devices {
    book: Mutex<Book>,
    /// One change at a time: computed from the book, written, then put into the book.
    turn: tokio::sync::Mutex<()>,
    store: Store,
}

impl Devices {
    /// Reads everything from the store.
    ///
    /// # Errors
    /// Whatever the store says.
    pub async fn load(store: Store) -> Result<Self, StoreError> {
        let book = store.run(rows::load).await?;
        Ok(Self { book: Mutex::new(book), turn: tokio::sync::Mutex::new(()), store })
    }

    /// What a decision needs to know of a device.
    #[must_use]
    pub fn record(&self, id: &DeviceId) -> Option<Arc<DeviceRecord>> {
        self.lock().device(id).map(|device| Arc::clone(&device.record))
    }

    /// Every record, for a bearer whose device is not known yet.
    #[must_use]
    pub fn records(&self) -> Vec<DeviceRecord> {
        self.lock().records().cloned().collect()
    }

    /// When the token of a role was issued.
    #[must_use]
    pub fn issued_at(&self, id: &DeviceId, role: Role) -> Option<UnixMs> {
        self.lock().device(id)?.times(role).map(TokenTimes::issued_at)
    }

    /// Remembers that a device was here; written with the next [`Devices::save_seen`].
    pub fn seen(&self, id: &DeviceId, now: UnixMs) {
        self.lock().seen(id, now);
    }

    /// Pending requests (not expired at `now`) and paired devices, oldest first.
    #[must_use]
    pub fn list(&self, now: UnixMs) -> (Vec<Pending>, Vec<Device>) {
        self.lock().list(now)
    }

    /// One pending request.
    #[must_use]
    pub fn pending(&self, id: &RequestId, now: UnixMs) -> Option<Pending> {
        self.lock().pending(id, now).cloned()
    }

    /// Files what a device asks for. The same question gets the same request; a changed one takes its place
    /// under a new id, so that nobody approves more than was shown (row H12).
    ///
    /// # Errors
    /// [`DeviceError::TooManyRequests`] (row F24) or the store.
    pub async fn request(
        &self,
        need: &PairNeed,
        applicant: Applicant,
        now: UnixMs,
    ) -> Result<Request, DeviceError> {
        let _turn = self.turn.lock().await;
        let request = self.lock().file(need, applicant, now)?;
        if let Request::Filed { pending, gone } = &request {
            let (row, old) = (pending.clone(), gone.clone());
            self.store.run(move |tx| rows::save_pending(tx, &row, &old)).await?;
            self.lock().put_pending(pending.clone(), gone);
        }
        Ok(request)
    }

    /// Approves a pending request.
    ///
    /// # Errors
    /// [`DeviceError::UnknownRequest`] or the store.
    pub async fn approve(&self, id: &RequestId, now: UnixMs) -> Result<Device, DeviceError> {
        let _turn = self.turn.lock().await;
        let device = {
            let mut book = self.lock();
            let pending = book.pending(id, now).cloned().ok_or(DeviceError::UnknownRequest)?;
            book.approved(&pending, ApprovedVia::Owner, now)
        };
        self.settle(device, Some(id.clone())).await
    }

    /// Approves at once what a proven local client asks for.
    ///
    /// # Errors
    /// The store.
    pub async fn approve_silently(
        &self,
        need: &PairNeed,
        applicant: Applicant,
        now: UnixMs,
    ) -> Result<Pending, DeviceError> {
        let _turn = self.turn.lock().await;
        let (pending, device) = {
            let mut book = self.lock();
            let pending = Pending::new(need, applicant, now, book.device(need.device_id()));
            let device = book.approved(&pending, ApprovedVia::Silent, now);
            (pending, device)
        };
        self.settle(device, None).await?;
        Ok(pending)
    }

    /// Drops a pending request.
    ///
    /// # Errors
    /// [`DeviceError::UnknownRequest`] or the store.
    pub async fn reject(&self, id: &RequestId, now: UnixMs) -> Result<Pending, DeviceError> {
        let _turn = self.turn.lock().await;
        let pending = self.lock().pending(id, now).cloned().ok_or(DeviceError::UnknownRequest)?;
        let row = id.clone();
        self.store.run(move |tx| rows::drop_pending(tx, &row)).await?;
        self.lock().drop_pending(id);
        Ok(pending)
    }

    /// Forgets a device and what it asked for. Its tokens never work again, even when it is paired anew.
    ///
    /// # Errors
    /// [`DeviceError::UnknownDevice`] or the store.
    pub async fn remove(&self, id: &DeviceId) -> Result<(), DeviceError> {
        let _turn = self.turn.lock().await;
        if self.lock().device(id).is_none() {
            return Err(DeviceError::UnknownDevice);
        }
        let row = id.clone();
        self.store.run(move |tx| rows::remove(tx, &row)).await?;
        self.lock().remove(id);
        Ok(())
    }

    /// Gives a device a name of the operator's choice.
    ///
    /// # Errors
    /// [`DeviceError::UnknownDevice`] or the store.
    pub async fn rename(&self, id: &DeviceId, label: &str) -> Result<(), DeviceError> {
        let _turn = self.turn.lock().await;
        let mut device = self.lock().device(id).cloned().ok_or(DeviceError::UnknownDevice)?;
        device.label = Some(label.to_owned());
        self.settle(device, None).await.map(drop)
    }

    /// A new token generation for a role, with the scopes it has or fewer.
    ///
    /// # Errors
    /// [`DeviceError::UnknownDevice`], [`DeviceError::UnknownRole`], [`DeviceError::RotationDenied`] for
    /// scopes beyond the approved ones (row H10), or the store.
    pub async fn rotate(
        &self,
        id: &DeviceId,
        role: Role,
        scopes: Option<&ScopeSet>,
        now: UnixMs,
    ) -> Result<Device, DeviceError> {
        let _turn = self.turn.lock().await;
        let device = self.lock().rotated(id, role, scopes, now)?;
        self.settle(device, None).await
    }

    /// Ends a role's token; the device has to be approved again.
    ///
    /// # Errors
    /// [`DeviceError::UnknownDevice`], [`DeviceError::UnknownRole`], or the store.
    pub async fn revoke(&self, id: &DeviceId, role: Role, now: UnixMs) -> Result<(), DeviceError> {
        let _turn = self.turn.lock().await;
        let device = self.lock().revoked(id, role, now)?;
        self.settle(device, None).await.map(drop)
    }

    /// Writes when devices were last seen; the only state that may be a minute old after a crash.
    ///
    /// # Errors
    /// The store.
    pub async fn save_seen(&self) -> Result<(), StoreError> {
        let seen = self.lock().take_seen();
        if seen.is_empty() {
            return Ok(());
        }
        self.store.run(move |tx| rows::save_seen(tx, &seen)).await
    }

    /// Drops expired requests; returns them.
    ///
    /// # Errors
    /// The store.
    pub async fn expire(&self, now: UnixMs) -> Result<Vec<Pending>, StoreError> {
        let _turn = self.turn.lock().await;
        let expired = self.lock().take_expired(now);
        if expired.is_empty() {
            return Ok(expired);
        }
        let ids: Vec<RequestId> =
            expired.iter().map(|pending| pending.request_id.clone()).collect();
        self.store.run(move |tx| ids.iter().try_for_each(|id| rows::drop_pending(tx, id))).await?;
        Ok(expired)
    }

    /// Writes a device, then shows it to decisions.
    async fn settle(&self, device: Device, done: Option<RequestId>) -> Result<Device, DeviceError> {
        let (row, request) = (device.clone(), done.clone());
        let generations = self.lock().generations();
        let work = move |tx: &rusqlite::Transaction<'_>| {
            rows::save_device(tx, &row, generations)?;
            request.iter().try_for_each(|id| rows::drop_pending(tx, id))
        };
        self.store.run(work).await?;
        let mut book = self.lock();
        book.put_device(device.clone());
        if let Some(id) = &done {
            book.drop_pending(id);
        }
        drop(book);
        Ok(device)
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
