//! Who is here: the gateway itself, connected clients, and those that left a short while ago.
//!
//! Kept as one JSON text that `hello-ok`, `system-presence` and the `presence` event share. Short-lived
//! command-line clients are not listed. At most [`MAX_ENTRIES`], each for [`TTL_MS`] after it left.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::Serialize;

use crate::{
    clock::UnixMs,
    protocol::frame::{self, Json},
};

/// Entries kept (upstream); a crowd costs a client no more than this.
pub const MAX_ENTRIES: usize = 200;

/// How long one that left stays listed (upstream).
const TTL_MS: u64 = 5 * 60 * 1000;

/// One entry, in the shape official clients read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    pub host: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_family: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_identifier: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    pub mode: String,
    pub reason: String,
    pub text: String,
    pub ts: UnixMs,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub online_since: Option<UnixMs>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_id: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_input_seconds: Option<u64>,
}

/// What identifies an entry across reconnects: the device, else the instance, else the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key(String);

impl Key {
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

#[derive(Debug)]
struct Row {
    key: Key,
    /// Connections behind this entry.
    seats: u32,
    entry: Entry,
}

#[derive(Debug)]
struct Board {
    own: Entry,
    rows: VecDeque<Row>,
    version: u64,
    text: Option<Json>,
}

/// The board of everyone who is here.
#[derive(Debug)]
pub struct Presence {
    board: Mutex<Board>,
}

impl Presence {
    #[must_use]
    pub fn new(own: Entry) -> Self {
        Self { board: Mutex::new(Board { own, rows: VecDeque::new(), version: 1, text: None }) }
    }

    /// A client came: a new entry, or one more connection of a known one.
    pub fn arrive(&self, key: Key, entry: Entry) {
        let mut board = self.lock();
        let seats = board.take(&key).map_or(1, |row| row.seats.saturating_add(1));
        board.rows.push_front(Row { key, seats, entry });
        while board.rows.len() >= MAX_ENTRIES {
            board.rows.pop_back();
        }
        board.changed();
    }

    /// A connection went. Returns whether anybody else can see a difference.
    pub fn depart(&self, key: &Key, now: UnixMs) -> bool {
        let mut board = self.lock();
        let Some(row) = board.rows.iter_mut().find(|row| row.key == *key) else { return false };
        row.seats = row.seats.saturating_sub(1);
        if row.seats > 0 {
            return false;
        }
        "disconnect".clone_into(&mut row.entry.reason);
        row.entry.ts = now;
        board.changed();
        true
    }

    /// An entry that a client reports by itself (`system-event`).
    pub fn report(&self, key: Key, entry: Entry) {
        let mut board = self.lock();
        let seats = board.take(&key).map_or(0, |row| row.seats);
        board.rows.push_front(Row { key, seats, entry });
        while board.rows.len() >= MAX_ENTRIES {
            board.rows.pop_back();
        }
        board.changed();
    }

    /// Drops those that left long ago. Returns whether anything changed.
    pub fn expire(&self, now: UnixMs) -> bool {
        let mut board = self.lock();
        let before = board.rows.len();
        board.rows.retain(|row| row.seats > 0 || row.entry.ts + TTL_MS > now);
        let changed = board.rows.len() != before;
        if changed {
            board.changed();
        }
        changed
    }

    /// The board as a JSON array, with its version.
    #[must_use]
    pub fn text(&self) -> (Json, u64) {
        let mut board = self.lock();
        let version = board.version;
        if let Some(text) = &board.text {
            return (Arc::clone(text), version);
        }
        let entries: Vec<&Entry> =
            std::iter::once(&board.own).chain(board.rows.iter().map(|row| &row.entry)).collect();
        let text = frame::to_json(&entries);
        board.text = Some(Arc::clone(&text));
        (text, version)
    }

    /// The board's version alone.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.lock().version
    }

    fn lock(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Board {
    fn take(&mut self, key: &Key) -> Option<Row> {
        let at = self.rows.iter().position(|row| row.key == *key)?;
        self.rows.remove(at)
    }

    fn changed(&mut self) {
        self.version += 1;
        self.text = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(host: &str, ts: UnixMs) -> Entry {
        Entry { host: host.to_owned(), reason: "connect".to_owned(), ts, ..Entry::default() }
    }

    #[test]
    fn a_second_connection_of_one_device_is_one_entry() {
        let presence = Presence::new(entry("gateway", 0));
        let key = Key::new("device-1");
        presence.arrive(key.clone(), entry("laptop", 1));
        presence.arrive(key.clone(), entry("laptop", 2));
        assert_eq!(presence.text().0.get().matches("laptop").count(), 1);
        assert!(!presence.depart(&key, 3), "one connection is left");
        assert!(presence.depart(&key, 4));
        assert!(presence.text().0.get().contains("disconnect"));
    }

    #[test]
    fn those_who_left_are_forgotten_and_the_board_is_bounded() {
        let presence = Presence::new(entry("gateway", 0));
        for n in 0..1000 {
            let key = Key::new(format!("device-{n}"));
            presence.arrive(key.clone(), entry("x", n));
            presence.depart(&key, n);
        }
        let count = presence.text().0.get().matches("\"host\"").count();
        assert_eq!(count, MAX_ENTRIES);
        assert!(presence.expire(TTL_MS + 1000));
        assert_eq!(presence.text().0.get().matches("\"host\"").count(), 1);
    }
}
