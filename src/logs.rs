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

/// Bytes of one file before the next one starts.
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

/// A handle on the log writer.
#[derive(Debug, Clone)]
pub struct Logs {
    directory: PathBuf,
    sender: SyncSender<Message>,
    dropped: Arc<AtomicU64>,
}

impl Logs {
    /// Starts the writer thread. It ends when the last handle is dropped.
    ///
    /// # Errors
    /// When the directory cannot be made.
    pub fn open(directory: &Path) -> io::Result<(Self, JoinHandle<()>)> {
        fs::create_dir_all(directory)?;
        let (sender, receiver) = sync_channel(QUEUE);
        let dropped = Arc::new(AtomicU64::new(0));
        let writer =
            Writer { directory: directory.to_owned(), file: None, dropped: Arc::clone(&dropped) };
        let thread =
            thread::Builder::new().name("logs".to_owned()).spawn(move || writer.run(&receiver))?;
        Ok((Self { directory: directory.to_owned(), sender, dropped }, thread))
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

    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The newest log file, if there is one.
    #[must_use]
    pub fn newest(&self) -> Option<PathBuf> {
        files(&self.directory).pop()
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
    part: u32,
}

struct Writer {
    directory: PathBuf,
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
        let part = match &self.file {
            Some(current) if current.day == day && current.bytes < FILE_BYTES => None,
            Some(current) if current.day == day => Some(current.part + 1),
            Some(_) | None => Some(0),
        };
        if let Some(part) = part {
            self.file = Some(open(&self.directory, day, part)?);
            self.prune();
        }
        self.file.as_mut().ok_or_else(|| io::Error::other("no log file"))
    }

    fn prune(&self) {
        let found = files(&self.directory);
        for old in found.iter().take(found.len().saturating_sub(FILES)) {
            fs::remove_file(old).ok();
        }
    }
}

/// Opens the first part of `day` that still has room, from `part` on.
fn open(directory: &Path, day: &str, mut part: u32) -> io::Result<Current> {
    loop {
        let name = match part {
            0 => format!("openclaw-{day}.log"),
            part => format!("openclaw-{day}.{part:03}.log"),
        };
        let file =
            OpenOptions::new().create(true).append(true).mode(0o600).open(directory.join(name))?;
        let bytes = file.metadata()?.len();
        if bytes < FILE_BYTES {
            return Ok(Current { day: day.to_owned(), file, bytes, part });
        }
        part += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_land_in_the_file_of_their_day_and_old_files_go() {
        let home = tempfile::tempdir().expect("home");
        let (logs, thread) = Logs::open(&home.path().join("logs")).expect("logs");
        for day in 10..20 {
            logs.append(format!("2026-11-{day}"), format!("{{\"1\":\"day {day}\"}}"));
        }
        logs.flush();
        let newest = logs.newest().expect("a file");
        assert!(newest.ends_with("openclaw-2026-11-19.log"), "{}", newest.display());
        assert_eq!(fs::read_to_string(newest).expect("read"), "{\"1\":\"day 19\"}\n");
        assert_eq!(files(logs.directory()).len(), FILES);
        drop(logs);
        thread.join().expect("the writer ends with its last handle");
    }
}
