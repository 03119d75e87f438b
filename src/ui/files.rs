//! Reads below one folder and nowhere else.
//!
//! Every step of a path is opened from the directory above it with `O_NOFOLLOW`, so no link, no swap and no `..`
//! leads out (`G9`); the file is judged by its descriptor. Only the root itself may be a link: its owner named it.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

use crate::ui::Request;
use crate::ui::headers::{IMMUTABLE, NO_CACHE};

/// The page of every route.
pub(crate) const INDEX: &str = "index.html";

/// The largest file that is served: ten times the largest of an official bundle.
const MAX_FILE: u64 = 32 * 1024 * 1024;

/// Extensions of files that pages load; a missing one is a 404, never the index.
const TYPES: [(&str, &str); 24] = [
    ("avif", "image/avif"),
    ("css", "text/css; charset=utf-8"),
    ("gif", "image/gif"),
    ("ico", "image/x-icon"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("js", "text/javascript; charset=utf-8"),
    ("json", "application/json; charset=utf-8"),
    ("map", "application/json; charset=utf-8"),
    ("md", "text/plain; charset=utf-8"),
    ("mjs", "text/javascript; charset=utf-8"),
    ("mp3", "audio/mpeg"),
    ("mp4", "video/mp4"),
    ("ogg", "audio/ogg"),
    ("otf", "font/otf"),
    ("png", "image/png"),
    ("svg", "image/svg+xml"),
    ("ttf", "font/ttf"),
    ("txt", "text/plain; charset=utf-8"),
    ("wasm", "application/wasm"),
    ("webmanifest", "application/manifest+json; charset=utf-8"),
    ("webp", "image/webp"),
    ("woff", "font/woff"),
    ("woff2", "font/woff2"),
];

/// Why there is no file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Miss {
    /// The root folder cannot be opened.
    NoRoot(Errno),
    /// No regular file of that name, or one behind a link.
    Absent,
    /// Larger than [`MAX_FILE`].
    TooLarge,
}

impl Miss {
    /// The cause, for a person, without a path.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::NoRoot(Errno::NOENT) => "the folder does not exist",
            Self::NoRoot(Errno::ACCESS | Errno::PERM) => "the gateway may not read the folder",
            Self::NoRoot(Errno::NOTDIR) => "it is not a folder",
            Self::NoRoot(_) => "the folder cannot be read",
            Self::Absent => "the folder has no readable index.html",
            Self::TooLarge => "its index.html is larger than 32 MiB",
        }
    }
}

/// What a request asks of a file.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    relative: String,
    if_none_match: Option<String>,
    encodings: Vec<(&'static str, &'static str)>,
}

impl Wanted {
    pub(crate) fn new(relative: &str, request: &Request<'_>) -> Self {
        // Only names with a hash have siblings that surely belong to the same content.
        let encodings =
            if is_hashed(relative) { encodings(request.accept_encoding) } else { Vec::new() };
        Self {
            relative: relative.to_owned(),
            if_none_match: request.if_none_match.map(str::to_owned),
            encodings,
        }
    }

    pub(crate) fn whole(relative: &str) -> Self {
        Self { relative: relative.to_owned(), if_none_match: None, encodings: Vec::new() }
    }
}

/// A file, ready to be sent.
#[derive(Debug)]
pub(crate) struct Found {
    /// Empty where `unchanged`.
    pub(crate) bytes: Bytes,
    pub(crate) unchanged: bool,
    pub(crate) etag: String,
    pub(crate) mime: &'static str,
    pub(crate) caching: &'static str,
    pub(crate) encoding: Option<&'static str>,
}

/// Reads one file on the blocking pool.
pub(crate) async fn read(root: &Path, wanted: Wanted) -> Result<Found, Miss> {
    let root: PathBuf = root.to_owned();
    tokio::task::spawn_blocking(move || read_blocking(&root, &wanted))
        .await
        .unwrap_or(Err(Miss::Absent))
}

fn read_blocking(root: &Path, wanted: &Wanted) -> Result<Found, Miss> {
    let plain = wanted.relative.as_str();
    let folder = open_root(root)?;
    let mime = mime(plain).ok_or(Miss::Absent)?;
    let siblings = wanted.encodings.iter().find_map(|(name, suffix)| {
        open_below(&folder, &format!("{plain}{suffix}")).ok().map(|opened| (opened, Some(*name)))
    });
    let (opened, encoding) = match siblings {
        Some(sibling) => sibling,
        None => (open_below(&folder, plain)?, None),
    };
    let caching = if is_hashed(plain) { IMMUTABLE } else { NO_CACHE };
    let etag = format!("W/\"{}{}\"", opened.version, encoding.map_or("", |name| name));
    let unchanged = wanted.if_none_match.as_deref().is_some_and(|seen| matches(seen, &etag));
    let bytes = if unchanged { Bytes::new() } else { opened.read()? };
    Ok(Found { bytes, unchanged, etag, mime, caching, encoding })
}

fn open_root(root: &Path) -> Result<OwnedFd, Miss> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::openat(CWD, root, flags, Mode::empty()).map_err(Miss::NoRoot)
}

struct Opened {
    file: File,
    size: u64,
    version: String,
}

impl Opened {
    fn read(self) -> Result<Bytes, Miss> {
        let mut bytes = Vec::with_capacity(usize::try_from(self.size).unwrap_or(0));
        self.file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(|_gone| Miss::Absent)?;
        if bytes.len() as u64 > MAX_FILE { Err(Miss::TooLarge) } else { Ok(bytes.into()) }
    }
}

fn open_below(folder: &OwnedFd, relative: &str) -> Result<Opened, Miss> {
    let absent = |_: Errno| Miss::Absent;
    let through = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let last = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let mut at = None;
    let mut steps = relative.split('/').peekable();
    while let Some(step) = steps.next() {
        let flags = if steps.peek().is_some() { through } else { last };
        let from = at.as_ref().unwrap_or(folder);
        at = Some(rustix::fs::openat(from, step, flags, Mode::empty()).map_err(absent)?);
    }
    let fd = at.ok_or(Miss::Absent)?;
    let stat = rustix::fs::fstat(&fd).map_err(absent)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(Miss::Absent);
    }
    let size = u64::try_from(stat.st_size).unwrap_or(u64::MAX);
    if size > MAX_FILE {
        return Err(Miss::TooLarge);
    }
    let version = format!("{:x}-{:x}-{size:x}", stat.st_mtime, stat.st_mtime_nsec);
    Ok(Opened { file: File::from(fd), size, version })
}

/// Whether every segment is an ordinary name: no dotfile, no `..`, nothing empty but the end, nothing that a file
/// system or a terminal would take for something else.
pub(crate) fn is_safe(relative: &str) -> bool {
    let relative = relative.strip_suffix('/').unwrap_or(relative);
    relative.is_empty()
        || relative.split('/').all(|segment| {
            !segment.is_empty()
                && !segment.starts_with('.')
                && !segment.contains(|letter: char| letter == '\\' || letter.is_control())
        })
}

/// Whether the path names a file that a page loads, by its extension.
pub(crate) fn is_asset(relative: &str) -> bool {
    let extension = extension(relative).map(str::to_ascii_lowercase);
    extension.is_some_and(|extension| {
        matches!(extension.as_str(), "br" | "gz")
            || TYPES.iter().any(|(known, _)| *known == extension)
    })
}

fn mime(relative: &str) -> Option<&'static str> {
    let extension = extension(relative)?.to_ascii_lowercase();
    if extension == "html" {
        return Some("text/html; charset=utf-8");
    }
    TYPES.iter().find(|(known, _)| *known == extension).map(|(_, mime)| *mime)
}

fn extension(relative: &str) -> Option<&str> {
    let name = relative.rsplit('/').next()?;
    name.rsplit_once('.').map(|(_, extension)| extension)
}

/// Letters of the content hash that the UI's build puts into a name: `index-DsEuFQRE.js`.
const HASH_LEN: usize = 8;

/// Whether the name changes with the content. A digit or a capital tells a hash from a word.
fn is_hashed(relative: &str) -> bool {
    let Some((stem, _)) = relative.strip_prefix("assets/").and_then(|name| name.rsplit_once('.'))
    else {
        return false;
    };
    let Some((before, hash)) =
        stem.len().checked_sub(HASH_LEN).and_then(|at| stem.split_at_checked(at))
    else {
        return false;
    };
    before.len() > 1
        && before.ends_with('-')
        && hash.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        && hash.bytes().any(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
}

/// The encodings that the client takes, best first, with the suffix of the file that holds them.
fn encodings(accept: Option<&str>) -> Vec<(&'static str, &'static str)> {
    let accept = accept.unwrap_or_default();
    let takes = |wanted: &str| {
        accept.split(',').any(|part| {
            let (name, parameters) = part.split_once(';').unwrap_or((part, ""));
            let refused = matches!(parameters.trim().trim_end_matches(['0', '.']), "q=");
            name.trim().eq_ignore_ascii_case(wanted) && !refused
        })
    };
    [("br", ".br"), ("gzip", ".gz")].into_iter().filter(|(name, _)| takes(name)).collect()
}

/// The tag of a body that we made.
pub(crate) fn etag_of(body: &[u8]) -> String {
    let digest = Sha256::digest(body);
    let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hex}\"")
}

/// Weak comparison of an `If-None-Match` list with our tag.
pub(crate) fn matches(seen: &str, etag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    seen.trim() == "*" || seen.split(',').any(|tag| opaque(tag) == opaque(etag))
}
