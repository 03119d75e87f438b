//! Reading the newest lines of a log file, from its end or from a cursor.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

/// What a reader asks for; the caller has checked the ranges.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    /// Byte offset of an earlier answer; none = the end of the file.
    pub cursor: Option<u64>,
    pub limit: usize,
    pub max_bytes: u64,
}

/// A slice of a log file in upstream's shape.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Slice {
    pub cursor: u64,
    pub size: u64,
    pub lines: Vec<String>,
    /// Older lines were left out.
    pub truncated: bool,
    /// The cursor did not belong to this file (it was rotated): read again from its end.
    pub reset: bool,
}

/// Reads whole lines only: the part of a line that is still being written comes with the next call.
///
/// # Errors
/// When the file cannot be read.
pub fn read(path: &Path, window: Window) -> io::Result<Slice> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    let reset = window.cursor.is_some_and(|cursor| cursor > size);
    let from_cursor = window.cursor.filter(|_| !reset);
    let earliest = size.saturating_sub(window.max_bytes);
    let start = from_cursor.unwrap_or(0).max(earliest);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(size - start).read_to_end(&mut bytes)?;
    let cut = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    bytes.truncate(cut);
    let cursor = start + cut as u64;
    let text = String::from_utf8_lossy(&bytes);
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    // Unless we start where a line starts, the first one is a tail without its head.
    let mid_line = start > 0 && Some(start) != from_cursor;
    if mid_line && !lines.is_empty() {
        lines.remove(0);
    }
    let excess = lines.len().saturating_sub(window.limit);
    lines.drain(..excess);
    Ok(Slice { cursor, size, lines, truncated: excess > 0 || mid_line, reset })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(cursor: Option<u64>) -> Window {
        Window { cursor, limit: 2, max_bytes: 1000 }
    }

    #[test]
    fn a_cursor_continues_and_a_rotation_resets() {
        let home = tempfile::tempdir().expect("home");
        let path = home.path().join("x.log");
        std::fs::write(&path, "a\nb\nc\npart").expect("write");
        let first = read(&path, window(None)).expect("read");
        let expected = Slice {
            cursor: 6,
            size: 10,
            lines: vec!["b".into(), "c".into()],
            truncated: true,
            reset: false,
        };
        assert_eq!(first, expected);
        std::fs::write(&path, "a\nb\nc\npartial\nd\n").expect("write");
        let next = read(&path, window(Some(first.cursor))).expect("read");
        assert_eq!(next.lines, ["partial", "d"]);
        assert!(!next.truncated);
        let rotated = read(&path, window(Some(9999))).expect("read");
        assert!(rotated.reset);
        assert_eq!(rotated.lines, ["partial", "d"]);
    }

    #[test]
    fn a_window_smaller_than_the_file_starts_at_a_whole_line() {
        let home = tempfile::tempdir().expect("home");
        let path = home.path().join("x.log");
        std::fs::write(&path, "first line\nsecond\nthird\n").expect("write");
        let slice = read(&path, Window { cursor: None, limit: 100, max_bytes: 10 }).expect("read");
        assert_eq!(slice.lines, ["third"]);
        assert!(slice.truncated);
    }
}
