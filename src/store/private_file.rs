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

/// Replaces the file by `text`: a reader sees the old or the new one, never a half.
///
/// # Errors
/// The folder cannot be made or the file not written.
pub fn write(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("file");
    let draft = folder.join(format!(".{name}.{}", uuid::Uuid::new_v4()));
    let written = write_new(&draft, text).and_then(|()| fs::rename(&draft, path));
    // The new name survives a power cut only once its folder is on disk.
    let written = written.and_then(|()| File::open(folder)?.sync_all());
    if written.is_err() {
        drop(fs::remove_file(&draft));
    }
    written
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
