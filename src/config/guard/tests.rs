//! `J1`-`J5` on facts and on a real directory.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;

const ME: u32 = 1000;

fn facts(kind: FileType, mode: u16, uid: u32) -> Facts {
    Facts { kind, mode: Mode::from_bits_retain(mode.into()), uid }
}

const STICKY: u16 = 0o1000;

#[test]
fn j1_files() {
    use Holds::{Secrets, Settings};
    for (mode, uid, holds, fine) in [
        (0o600, ME, Secrets, true),
        (0o400, ME, Secrets, true),
        (0o600, 0, Secrets, true),
        (0o640, 0, Secrets, true),
        (0o644, ME, Settings, true),
        (0o644, ME, Secrets, false),
        (0o640, ME, Secrets, false),
        (0o604, ME, Secrets, false),
        (0o644, 0, Secrets, false),
        (0o620, ME, Settings, false),
        (0o602, ME, Settings, false),
        (0o660, 0, Settings, false),
        (0o600, 33, Settings, false),
    ] {
        let judged =
            judge_file(Path::new("/f"), facts(FileType::RegularFile, mode, uid), ME, holds);
        assert_eq!(judged.is_ok(), fine, "{mode:o} {uid} {holds:?}: {judged:?}");
        if let Err(problem) = judged {
            assert!(problem.hint.is_some_and(|hint| hint.contains("ch")), "{mode:o}");
        }
    }
    assert!(judge_file(Path::new("/f"), facts(FileType::Fifo, 0o600, ME), ME, Settings).is_err());
}

#[test]
fn j2_state_directory() {
    for (mode, uid, fine) in [
        (0o700, ME, true),
        (0o755, ME, true),
        (0o775, ME, false),
        (0o707, ME, false),
        (0o700, 0, false),
        (0o700, 33, false),
    ] {
        let judged = judge_state(Path::new("/s"), facts(FileType::Directory, mode, uid), ME);
        assert_eq!(judged.is_ok(), fine, "{mode:o} {uid}");
    }
}

#[test]
fn j4_directories_above() {
    use Level::{Ancestor, Parent};
    for (kind, mode, uid, level, fine) in [
        (FileType::Directory, 0o755, ME, Parent, true),
        (FileType::Directory, 0o755, 0, Parent, true),
        (FileType::Directory, 0o777 | STICKY, 0, Ancestor, true),
        (FileType::Directory, 0o777 | STICKY, 0, Parent, false),
        (FileType::Directory, 0o777, 0, Ancestor, false),
        (FileType::Directory, 0o775, ME, Parent, false),
        (FileType::Directory, 0o775, 0, Ancestor, true),
        (FileType::Directory, 0o755, 33, Ancestor, false),
        (FileType::Symlink, 0o777, 0, Ancestor, true),
        (FileType::Symlink, 0o777, 33, Ancestor, false),
    ] {
        let judged = judge_folder(Path::new("/d"), facts(kind, mode, uid), ME, level);
        assert_eq!(judged.is_ok(), fine, "{kind:?} {mode:o} {uid} {level:?}");
    }
}

#[test]
fn real_files() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("openclaw.json");
    assert!(read(&file, 100).unwrap().is_none());
    fs::write(&file, "{}").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let guarded = read(&file, 100).unwrap().unwrap();
    assert_eq!(guarded.text, "{}");
    assert!(guarded.judge(Holds::Settings).is_ok());
    let problem = guarded.judge(Holds::Secrets).unwrap_err();
    assert!(problem.hint.unwrap().contains("chmod 600"), "J1");
    assert!(read(&file, 1).unwrap_err().message.contains("larger"));

    let link = folder.path().join("link.json");
    symlink(&file, &link).unwrap();
    let problem = read(&link, 100).unwrap_err();
    assert!(problem.message.contains("symbolic link"), "J3");
    assert!(problem.hint.unwrap().contains("openclaw.json"), "J3 names the target");

    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    assert!(read(&file, 100).unwrap_err().message.contains("replace files"), "J4");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
    assert!(read(folder.path(), 100).unwrap_err().message.contains("not a regular file"));
    fs::write(&file, b"\xff").unwrap();
    assert!(read(&file, 100).unwrap_err().message.contains("UTF-8"));
}

#[test]
fn real_state_directory() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("a/state");
    let opened = open_state(&state).unwrap();
    assert!(opened.warnings.is_empty());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&state), mode(&folder.path().join("a"))), (0o700, 0o700));

    fs::set_permissions(&state, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(open_state(&state).unwrap().warnings.len(), 1);
    fs::set_permissions(&state, fs::Permissions::from_mode(0o775)).unwrap();
    assert!(open_state(&state).unwrap_err().message.contains("others may write"), "J2");

    let link = folder.path().join("link");
    symlink(folder.path().join("a"), &link).unwrap();
    assert!(open_state(&link).unwrap_err().message.contains("symbolic link"), "J3");
}
