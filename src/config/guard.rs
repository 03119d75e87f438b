//! Who owns the files we trust (`J1`-`J5`).
//!
//! A file is opened once with `O_NOFOLLOW` and judged by `fstat` on the descriptor, never by its path, so
//! nobody can swap it in between. It must be a regular file, owned by us or by root, and writable by
//! nobody else. One that holds secrets must not be readable by others; a group may read it where root
//! owns it, which is how packages and service managers hand out credentials.
//! The directories above it must not let anybody else rename it away.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use crate::config::problem::{Problem, Warning};

/// What a file holds decides who may read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// At least one secret in plain text.
    Secrets,
    /// No secret.
    Settings,
}

/// What `fstat` says, without the clutter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Kind of file.
    pub kind: FileType,
    /// Permission bits.
    pub mode: Mode,
    /// Owner.
    pub uid: u32,
}

impl From<Stat> for Facts {
    fn from(stat: Stat) -> Self {
        let raw = stat.st_mode;
        Self {
            kind: FileType::from_raw_mode(raw),
            mode: Mode::from_raw_mode(raw),
            uid: stat.st_uid,
        }
    }
}

/// Bits that let others change a file.
const WRITABLE: Mode = Mode::WGRP.union(Mode::WOTH);

/// Bits that let others look into a directory.
const VISIBLE: Mode = Mode::RGRP.union(Mode::XGRP).union(Mode::ROTH).union(Mode::XOTH);

/// A file that was opened and judged.
#[derive(Debug)]
pub struct Guarded {
    /// The content.
    pub text: String,
    facts: Facts,
    path: PathBuf,
}

impl Guarded {
    /// Judges the file again, now that its content is known.
    ///
    /// # Errors
    /// A file with secrets that others may read (`J1`).
    pub fn judge(&self, holds: Holds) -> Result<(), Problem> {
        judge_file(&self.path, self.facts, our_uid(), holds)
    }
}

/// The effective user id.
pub fn our_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Opens `path`, judges it as settings and reads at most `limit` bytes. `None` where it does not exist.
///
/// # Errors
/// A symbolic link (`J3`), a foreign or writable file (`J1`), an unsafe directory (`J4`), too large,
/// not UTF-8, or an I/O error.
pub fn read(path: &Path, limit: usize) -> Result<Option<Guarded>, Problem> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let fd = match rustix::fs::openat(CWD, path, flags, Mode::empty()) {
        Ok(fd) => fd,
        Err(Errno::NOENT) => return Ok(None),
        Err(Errno::LOOP) => return Err(symlink(path)),
        Err(error) => return Err(unreadable(path, error)),
    };
    let facts = Facts::from(rustix::fs::fstat(&fd).map_err(|error| unreadable(path, error))?);
    judge_file(path, facts, our_uid(), Holds::Settings)?;
    judge_folders(path)?;
    let mut bytes = Vec::new();
    let room = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    File::from(fd).take(room).read_to_end(&mut bytes).map_err(|error| {
        Problem::new("", format!("cannot read `{}`: {}", path.display(), error.kind()))
    })?;
    if bytes.len() > limit {
        return Err(Problem::new("", format!("`{}` is larger than {limit} bytes", path.display())));
    }
    let text = String::from_utf8(bytes).map_err(|_error| {
        Problem::new("", format!("`{}` is not UTF-8", path.display())).hint("save it as UTF-8")
    })?;
    Ok(Some(Guarded { text, facts, path: path.to_owned() }))
}

/// Judges one file by what `fstat` said.
///
/// # Errors
/// What is wrong, with the command that mends it.
pub fn judge_file(path: &Path, facts: Facts, me: u32, holds: Holds) -> Result<(), Problem> {
    let shown = path.display();
    if facts.kind != FileType::RegularFile {
        return Err(Problem::new("", format!("`{shown}` is not a regular file")));
    }
    if facts.uid != me && facts.uid != 0 {
        return Err(Problem::new("", format!("`{shown}` belongs to user {}", facts.uid))
            .hint(format!("`chown {me} {shown}` if its content is yours")));
    }
    if facts.mode.intersects(WRITABLE) {
        return Err(Problem::new("", format!("others may write `{shown}`"))
            .hint(format!("`chmod 600 {shown}`, and check its content first")));
    }
    let group_may_read = facts.uid == 0 && me != 0;
    let readable = if group_may_read { Mode::ROTH } else { Mode::RGRP.union(Mode::ROTH) };
    if holds == Holds::Secrets && facts.mode.intersects(readable) {
        return Err(Problem::new("", format!("`{shown}` holds secrets and others may read it"))
            .hint(format!("`chmod 600 {shown}`")));
    }
    Ok(())
}

fn judge_folders(path: &Path) -> Result<(), Problem> {
    let absolute = std::path::absolute(path)
        .map_err(|error| Problem::new("", format!("`{}`: {}", path.display(), error.kind())))?;
    for (height, folder) in absolute.ancestors().skip(1).enumerate() {
        let Ok(stat) = rustix::fs::lstat(folder) else { continue };
        let level = if height == 0 { Level::Parent } else { Level::Ancestor };
        judge_folder(folder, Facts::from(stat), our_uid(), level)?;
    }
    Ok(())
}

/// How far above the file a directory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// The file's own directory.
    Parent,
    /// Further up.
    Ancestor,
}

/// Judges one directory on the way to a file (`J4`).
///
/// # Errors
/// Somebody else could put another file in place of ours.
pub fn judge_folder(folder: &Path, facts: Facts, me: u32, level: Level) -> Result<(), Problem> {
    let shown = folder.display();
    if facts.uid != me && facts.uid != 0 {
        return Err(Problem::new(
            "",
            format!("the directory `{shown}` belongs to user {}", facts.uid),
        )
        .hint("keep the file below a directory of your own"));
    }
    // A link of ours or of root leads where we or root decided; its mode bits mean nothing.
    if facts.kind == FileType::Symlink {
        return Ok(());
    }
    let open = match level {
        Level::Parent => facts.mode.intersects(WRITABLE),
        Level::Ancestor => facts.mode.contains(Mode::WOTH) && !facts.mode.contains(Mode::SVTX),
    };
    if open {
        return Err(Problem::new("", format!("others may replace files in `{shown}`"))
            .hint(format!("`chmod go-w {shown}`, or keep the file elsewhere")));
    }
    Ok(())
}

/// The state directory, open.
#[derive(Debug)]
pub struct StateDir {
    /// Its path.
    pub path: PathBuf,
    /// The open directory, for locks and files inside.
    pub fd: OwnedFd,
    /// What a person should mend.
    pub warnings: Vec<Warning>,
}

/// Opens the state directory and creates it with mode 0700 where it is absent.
///
/// # Errors
/// A symbolic link (`J3`), another owner or writable by others (`J2`), an unsafe parent (`J4`).
pub fn open_state(path: &Path) -> Result<StateDir, Problem> {
    create_private(path)?;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::DIRECTORY;
    let fd = rustix::fs::openat(CWD, path, flags, Mode::empty()).map_err(|error| match error {
        Errno::LOOP | Errno::NOTDIR if is_symlink(path) => symlink(path),
        other => unreadable(path, other),
    })?;
    let facts = Facts::from(rustix::fs::fstat(&fd).map_err(|error| unreadable(path, error))?);
    judge_state(path, facts, our_uid())?;
    judge_folders(path)?;
    let mut warnings = Vec::new();
    if facts.mode.intersects(VISIBLE) {
        let message = format!("others may look into the state directory `{}`", path.display());
        warnings.push(Warning::new("", message, format!("`chmod 700 {}`", path.display())));
    }
    Ok(StateDir { path: path.to_owned(), fd, warnings })
}

/// Judges the state directory by what `fstat` said (`J2`).
///
/// # Errors
/// Another owner, or writable by others.
pub fn judge_state(path: &Path, facts: Facts, me: u32) -> Result<(), Problem> {
    let shown = path.display();
    if facts.uid != me {
        return Err(Problem::new(
            "",
            format!("the state directory `{shown}` belongs to user {}", facts.uid),
        )
        .hint(format!("run as that user, or `chown -R {me} {shown}`")));
    }
    if facts.mode.intersects(WRITABLE) {
        return Err(Problem::new("", format!("others may write the state directory `{shown}`"))
            .hint(format!("`chmod 700 {shown}`, and check its content first")));
    }
    Ok(())
}

/// Creates `path` and its missing parents with mode 0700.
///
/// # Errors
/// The directory that could not be made.
pub fn create_private(path: &Path) -> Result<(), Problem> {
    use std::os::unix::fs::DirBuilderExt as _;
    if path.is_dir() {
        return Ok(());
    }
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| {
        Problem::new("", format!("cannot create `{}`: {}", path.display(), error.kind()))
            .hint("set `OPENCLAW_STATE_DIR` to a directory that this user may write")
    })
}

fn is_symlink(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|facts| facts.file_type().is_symlink())
}

fn symlink(path: &Path) -> Problem {
    let target = path
        .canonicalize()
        .map_or_else(|_| "its target".to_owned(), |target| format!("`{}`", target.display()));
    Problem::new("", format!("`{}` is a symbolic link", path.display()))
        .hint(format!("name {target} itself, with `OPENCLAW_CONFIG_PATH` or `OPENCLAW_STATE_DIR`"))
}

fn unreadable(path: &Path, error: Errno) -> Problem {
    let kind = std::io::Error::from(error).kind();
    Problem::new("", format!("cannot open `{}`: {kind}", path.display()))
}

#[cfg(test)]
mod tests;
