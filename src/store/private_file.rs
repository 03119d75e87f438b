//! Small secret files: read with a cap, written whole or not at all, 0600.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

/// More than any of these files holds; a file that grew past it is not ours.
const MAX: u64 = 64 * 1024;

/// The file's text, or `None` where there is no file. A mode that lets others read is tightened.
///
/// # Errors
/// The file cannot be read, is not a regular file, or is larger than 64 KiB.
pub fn read(path: &Path) -> io::Result<Option<String>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let about = file.metadata()?;
    if !about.is_file() || about.len() > MAX {
        return Err(io::Error::other("not a small regular file"));
    }
    if about.permissions().mode() & 0o077 != 0 {
        file.set_permissions(Permissions::from_mode(0o600))?;
    }
    let mut text = String::new();
    file.take(MAX).read_to_string(&mut text)?;
    Ok(Some(text))
}

/// Replaces the file by `text`: a reader sees the old or the new one, never a half, and the new one survives
/// a power cut.
///
/// # Errors
/// The folder cannot be made or the file not written.
pub fn write(path: &Path, text: &str) -> io::Result<()> {
    replace(path, text, File::sync_all)
}

/// As [`write`], for a file that means nothing after a crash: the disk is not waited for.
///
/// # Errors
/// The folder cannot be made or the file not written.
pub fn write_fleeting(path: &Path, text: &str) -> io::Result<()> {
    replace(path, text, |_file| Ok(()))
}

fn replace(path: &Path, text: &str, settle: fn(&File) -> io::Result<()>) -> io::Result<()> {
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("file");
    let draft = folder.join(format!(".{name}.{}", uuid::Uuid::new_v4()));
    let mut options = OpenOptions::new();
    let written =
        options.write(true).create_new(true).mode(0o600).open(&draft).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            settle(&file)?;
            fs::rename(&draft, path)?;
            // The new name is safe only once its folder is on disk.
            settle(&File::open(folder)?)
        });
    if written.is_err() {
        drop(fs::remove_file(&draft));
    }
    written
}
