//! Logs: one JSON line per event in `<state>/logs/openclaw-YYYY-MM-DD.log`, and a short line on stderr.
//!
//! The keys are the ones that official `logs` commands read (`0`, `1`, `time`, `_meta.logLevelName`). Files
//! are 0600, rotated by day and by size, and pruned. Values are escaped and cut (attack row J12); a full
//! queue drops lines and says how many, so that logging never blocks a request (J14).

pub mod layer;
pub mod tail;

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
};

/// Lines waiting for the disk.
const QUEUE: usize = 1024;

/// Bytes of one file before the next one starts, where `logging.maxFileBytes` does not say.
const FILE_BYTES: u64 = 10 * 1024 * 1024;

/// Files kept; older ones are removed.
const FILES: usize = 7;

enum Message {
    /// One line without its newline, and the day it belongs to (`2026-11-20`).
    Line {
        day: String,
        line: String,
    },
    Flush(SyncSender<()>),
}

/// Where lines go.
#[derive(Debug, Clone)]
pub struct Place {
    pub path: Target,
    /// `logging.maxFileBytes`.
    pub max_bytes: Option<u64>,
}

/// One file per day, or the one that `logging.file` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    Daily(PathBuf),
    File(PathBuf),
}

/// A handle on the log writer.
#[derive(Debug, Clone)]
pub struct Logs {
    target: Target,
    sender: SyncSender<Message>,
    dropped: Arc<AtomicU64>,
}

impl Logs {
    /// Starts the writer thread. It ends when the last handle is dropped.
    ///
    /// # Errors
    /// When the directory cannot be made.
    pub fn open(place: Place) -> io::Result<(Self, JoinHandle<()>)> {
        let directory = match &place.path {
            Target::Daily(directory) => Some(directory.as_path()),
            Target::File(file) => file.parent(),
        };
        directory.map_or(Ok(()), fs::create_dir_all)?;
        let (sender, receiver) = sync_channel(QUEUE);
        let dropped = Arc::new(AtomicU64::new(0));
        let target = place.path.clone();
        let writer = Writer {
            target: place.path,
            max_bytes: place.max_bytes.unwrap_or(FILE_BYTES),
            file: None,
            dropped: Arc::clone(&dropped),
        };
        let thread =
            thread::Builder::new().name("logs".to_owned()).spawn(move || writer.run(&receiver))?;
        Ok((Self { target, sender, dropped }, thread))
    }

    /// Hands one line to the writer; never waits.
    pub fn append(&self, day: String, line: String) {
        if self.sender.try_send(Message::Line { day, line }).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until every line handed over so far is in its file.
    pub fn flush(&self) {
        let (done, wait) = sync_channel(1);
        if self.sender.send(Message::Flush(done)).is_ok() {
            wait.recv().ok();
        }
    }

    /// Where lines go.
    #[must_use]
    pub const fn target(&self) -> &Target {
        &self.target
    }

    /// The newest log file, if there is one.
    #[must_use]
    pub fn newest(&self) -> Option<PathBuf> {
        match &self.target {
            Target::Daily(directory) => files(directory).pop(),
            Target::File(file) => Some(file.clone()).filter(|file| file.exists()),
        }
    }
}

/// Log files of a directory, oldest first: the names sort by day and part.
fn files(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let is_log = |name: &str| name.starts_with("openclaw-") && name.ends_with(".log");
    let mut found: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_str().is_some_and(is_log))
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found
}

struct Current {
    day: String,
    file: File,
    bytes: u64,
}

struct Writer {
    target: Target,
    max_bytes: u64,
    file: Option<Current>,
    dropped: Arc<AtomicU64>,
}

impl Writer {
    fn run(mut self, receiver: &Receiver<Message>) {
        while let Ok(message) = receiver.recv() {
            match message {
                Message::Line { day, line } => self.write(&day, line),
                Message::Flush(done) => drop(done.send(())),
            }
        }
    }

    /// A full disk must not stop the gateway: what cannot be written is counted as dropped.
    fn write(&mut self, day: &str, mut line: String) {
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            line.insert_str(0, &format!("{{\"1\":\"{dropped} log lines were dropped\",\"_meta\":{{\"logLevelName\":\"WARN\"}}}}\n"));
        }
        line.push('\n');
        let written = self.current(day).and_then(|current| {
            current.bytes += line.len() as u64;
            current.file.write_all(line.as_bytes())
        });
        if written.is_err() {
            self.dropped.fetch_add(dropped + 1, Ordering::Relaxed);
            self.file = None;
        }
    }

    fn current(&mut self, day: &str) -> io::Result<&mut Current> {
        let room = self.max_bytes;
        let stale = self.file.as_ref().is_none_or(|current| {
            current.bytes >= room || (current.day != day && matches!(self.target, Target::Daily(_)))
        });
        if stale {
            self.file = Some(match &self.target {
                Target::Daily(directory) => open_daily(directory, day, room)?,
                Target::File(file) => open_single(file, day, room)?,
            });
            self.prune();
        }
        self.file.as_mut().ok_or_else(|| io::Error::other("no log file"))
    }

    fn prune(&self) {
        let Target::Daily(directory) = &self.target else { return };
        let found = files(directory);
        for old in found.iter().take(found.len().saturating_sub(FILES)) {
            fs::remove_file(old).ok();
        }
    }
}

/// The first part of `day` that still has room.
fn open_daily(directory: &Path, day: &str, room: u64) -> io::Result<Current> {
    let mut part = 0u32;
    loop {
        let name = match part {
            0 => format!("openclaw-{day}.log"),
            part => format!("openclaw-{day}.{part:03}.log"),
        };
        let current = append(&directory.join(name), day)?;
        if current.bytes < room {
            return Ok(current);
        }
        part += 1;
    }
}

/// The named file; a full one becomes `<name>.1`, and the one before that goes.
fn open_single(path: &Path, day: &str, room: u64) -> io::Result<Current> {
    let current = append(path, day)?;
    if current.bytes < room {
        return Ok(current);
    }
    let mut old = path.as_os_str().to_owned();
    old.push(".1");
    fs::rename(path, old)?;
    append(path, day)
}

fn append(path: &Path, day: &str) -> io::Result<Current> {
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
    let bytes = file.metadata()?.len();
    Ok(Current { day: day.to_owned(), file, bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_land_in_the_file_of_their_day_and_old_files_go() {
        let home = tempfile::tempdir().expect("home");
        let directory = home.path().join("logs");
        let place = Place { path: Target::Daily(directory.clone()), max_bytes: None };
        let (logs, thread) = Logs::open(place).expect("logs");
        for day in 10..20 {
            logs.append(format!("2026-11-{day}"), format!("{{\"1\":\"day {day}\"}}"));
        }
        logs.flush();
        let newest = logs.newest().expect("a file");
        assert!(newest.ends_with("openclaw-2026-11-19.log"), "{}", newest.display());
        assert_eq!(fs::read_to_string(newest).expect("read"), "{\"1\":\"day 19\"}\n");
        assert_eq!(files(&directory).len(), FILES);
        drop(logs);
        thread.join().expect("the writer ends with its last handle");
    }

    #[test]
    fn a_named_file_turns_over_when_it_is_full() {
        let home = tempfile::tempdir().expect("home");
        let path = home.path().join("own.log");
        let place = Place { path: Target::File(path.clone()), max_bytes: Some(10) };
        let (logs, thread) = Logs::open(place).expect("logs");
        for line in ["first line", "second line", "third line"] {
            logs.append("2026-11-20".to_owned(), line.to_owned());
        }
        drop(logs);
        thread.join().expect("the writer ends with its last handle");
        assert_eq!(fs::read_to_string(&path).expect("own.log"), "third line\n");
        assert_eq!(
            fs::read_to_string(home.path().join("own.log.1")).expect("own.log.1"),
            "second line\n"
        );
    }
}
