//! The state directory: one gateway at a time, its keys, and the token that is made when none is configured.
//!
//! Every file is made with mode 0600 before it has content, next to its place, and moved there.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use openclaw_auth::{PublicKey, TokenKey};
use rustix::fs::{FlockOperation, flock};
use zeroize::Zeroizing;

use crate::{
    config::{guard, problem::Problem, secret::SecretValue},
    store::private_file,
};

use super::Failure;

/// The file with the generated token.
pub const TOKEN_FILE: &str = "gateway.token";

const LOCK_FILE: &str = "gateway.lock";
const TOKEN_KEY_FILE: &str = "device-token.key";
const IDENTITY_FILE: &str = "gateway.identity";

/// An owned state directory; the lock is given back when this is dropped.
#[derive(Debug)]
pub struct State {
    pub directory: PathBuf,
    _lock: File,
}

impl State {
    /// Opens (or creates, 0700) the directory and locks it.
    ///
    /// # Errors
    /// An unsafe directory (rows J2-J4), or another gateway that owns it, named by its pid.
    pub fn open(directory: &Path) -> Result<Self, Failure> {
        let opened = guard::open_state(directory)?;
        for warning in &opened.warnings {
            tracing::warn!(key = warning.key.as_str(), "{}", warning.message);
        }
        let lock = lock(&opened.path)?;
        Ok(Self { directory: opened.path, _lock: lock })
    }

    /// The token of this state directory; `made` when it was generated just now.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub fn token(&self) -> Result<(SecretValue, bool), Failure> {
        let path = self.directory.join(TOKEN_FILE);
        if let Some(token) = read_private(&path)? {
            return Ok((SecretValue::new(token.trim_end_matches('\n')), false));
        }
        let token = URL_SAFE_NO_PAD.encode(*random()?);
        write_private(&path, &format!("{token}\n"))?;
        Ok((SecretValue::new(token), true))
    }

    /// The key that device tokens are derived from. Losing it revokes every device token.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub fn token_key(&self) -> Result<TokenKey, Failure> {
        self.key(TOKEN_KEY_FILE).map(|key| TokenKey::new(*key))
    }

    /// The gateway's own identity: device id and public key.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub fn identity(&self) -> Result<PublicKey, Failure> {
        let seed = self.key(IDENTITY_FILE)?;
        let public = ed25519_dalek::SigningKey::from_bytes(&seed).verifying_key();
        PublicKey::from_raw(public.to_bytes())
            .ok_or_else(|| unusable(&self.directory.join(IDENTITY_FILE)))
    }

    /// 32 bytes, made once.
    fn key(&self, name: &str) -> Result<Zeroizing<[u8; 32]>, Failure> {
        let path = self.directory.join(name);
        let Some(text) = read_private(&path)? else {
            let key = random()?;
            write_private(&path, &format!("{}\n", URL_SAFE_NO_PAD.encode(*key)))?;
            return Ok(key);
        };
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text.trim()).unwrap_or_default());
        let key: [u8; 32] = bytes.as_slice().try_into().map_err(|_wrong_size| unusable(&path))?;
        Ok(Zeroizing::new(key))
    }
}

fn unusable(path: &Path) -> Failure {
    let message = format!("`{}` does not hold a key of 32 bytes", path.display());
    Problem::new("", message)
        .hint("restore it from a backup, or remove it: every device then pairs again")
        .into()
}

fn random() -> Result<Zeroizing<[u8; 32]>, Failure> {
    let mut bytes = Zeroizing::new([0; 32]);
    match getrandom::fill(&mut *bytes) {
        Ok(()) => Ok(bytes),
        Err(error) => Err(Failure::Internal(format!("the system gives no random bytes: {error}"))),
    }
}

fn lock(directory: &Path) -> Result<File, Failure> {
    let path = directory.join(LOCK_FILE);
    let failed = |error: &dyn std::error::Error| {
        Failure::from(Problem::new("", format!("cannot lock `{}`: {error}", path.display())))
    };
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let mut file = options.custom_flags(no_follow()).open(&path).map_err(|error| failed(&error))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => return Err(taken(directory, &mut file)),
        Err(error) => return Err(failed(&error)),
    }
    let written = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
    written.map_err(|error| failed(&error))?;
    Ok(file)
}

fn taken(directory: &Path, file: &mut File) -> Failure {
    let mut pid = String::new();
    let read = file.rewind().and_then(|()| file.read_to_string(&mut pid));
    let owner = match read {
        Ok(_) if !pid.trim().is_empty() => format!("a gateway with pid {}", pid.trim()),
        Ok(_) | Err(_) => "another gateway".to_owned(),
    };
    Problem::new("", format!("{owner} already owns the state directory `{}`", directory.display()))
        .hint("one gateway per state directory: stop that one, or start this one with `--profile NAME`")
        .into()
}

fn read_private(path: &Path) -> Result<Option<Zeroizing<String>>, Failure> {
    /// A key or token with its newline.
    const LIMIT: usize = 4096;
    let Some(guarded) = guard::read(path, LIMIT)? else { return Ok(None) };
    guarded.judge(guard::Holds::Secrets)?;
    Ok(Some(Zeroizing::new(guarded.text)))
}

/// A state directory that does not take a file.
#[must_use]
pub fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Problem::new("", format!("cannot write `{}`: {error}", path.display()))
        .hint("the state directory must belong to the user that runs the gateway")
        .into()
}

fn write_private(path: &Path, text: &str) -> Result<(), Failure> {
    private_file::write(path, text).map_err(|error| unwritable(path, &error))
}

fn no_follow() -> i32 {
    rustix::fs::OFlags::NOFOLLOW.bits().cast_signed()
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::MetadataExt as _};

    use super::*;

    #[test]
    fn keys_and_token_are_made_once_and_private() {
        let home = tempfile::tempdir().expect("home");
        let directory = home.path().join("state");
        let state = State::open(&directory).expect("open");
        let (token, made) = state.token().expect("token");
        assert!(made && token.expose().len() == 43);
        let (again, made) = state.token().expect("token");
        assert!(!made && again.expose() == token.expose());
        let identity = state.identity().expect("identity");
        assert_eq!(state.identity().expect("identity"), identity);
        state.token_key().expect("key");
        for name in [TOKEN_FILE, TOKEN_KEY_FILE, IDENTITY_FILE, LOCK_FILE] {
            let mode = fs::metadata(directory.join(name)).expect(name).mode() & 0o777;
            assert_eq!(mode, 0o600, "{name}");
        }
    }

    #[test]
    fn a_second_gateway_is_refused_by_name() {
        let home = tempfile::tempdir().expect("home");
        let first = State::open(&home.path().join("state")).expect("open");
        let refused = State::open(&first.directory).map(drop).expect_err("locked");
        assert_eq!(refused.exit_code(), 78);
        assert!(refused.to_string().contains(&format!("pid {}", std::process::id())), "{refused}");
        let directory = first.directory.clone();
        drop(first);
        State::open(&directory).expect("J17: a lock ends with its process, whatever the file says");
    }

    #[test]
    fn a_damaged_key_is_named_and_kept() {
        let home = tempfile::tempdir().expect("home");
        let state = State::open(&home.path().join("state")).expect("open");
        write_private(&state.directory.join(TOKEN_KEY_FILE), "short\n").expect("write");
        let refused = state.token_key().map(drop).expect_err("damaged");
        assert!(refused.to_string().contains(TOKEN_KEY_FILE), "{refused}");
        assert_eq!(fs::read(state.directory.join(TOKEN_KEY_FILE)).expect("kept"), b"short\n");
    }
}
