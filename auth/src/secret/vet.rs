//! The lint for configured secrets (rows E1-E5), run before any socket opens.

use std::fmt;

use super::Secret;

/// Fewer bytes than this never guard an exposed gateway (E4).
const MIN_EXPOSED_BYTES: usize = 16;
/// Fewer characters than this deserve a warning even on loopback (E4).
const COMFORTABLE_CHARS: usize = 24;
/// A secret with fewer different bytes is a pattern, not a secret (E5).
const MIN_DISTINCT_BYTES: usize = 6;
/// Words that programs print in place of a missing value (E2).
const STRINGIFIED: [&str; 9] =
    ["undefined", "null", "none", "nil", "nan", "[object object]", "false", "true", "0"];
/// How placeholders of documentation and templates begin (E3).
const PLACEHOLDERS: [&str; 10] = [
    "change-me",
    "changeme",
    "change_me",
    "your-",
    "your_",
    "replace-me",
    "replace_me",
    "replaceme",
    "<",
    "__redacted__",
];
/// What people type first; each is tried by the first scanner that passes (E5).
const COMMON: [&str; 12] = [
    "password", "secret", "token", "openclaw", "admin", "letmein", "qwerty", "123456", "gateway",
    "welcome", "default", "test",
];

/// Who can reach the gateway that the secret guards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposure {
    /// Loopback only, no Serve, no proxy.
    Local,
    /// Anybody else.
    Exposed,
}

/// Why the start is refused. Never holds the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the secret is empty")]
    Empty,
    #[error("the secret is a missing value turned into text, such as `undefined`")]
    Stringified,
    #[error("the secret is an unresolved `${{...}}` reference")]
    Unresolved,
    #[error("the secret is a placeholder or a redaction mark")]
    Placeholder,
    #[error("the secret is shorter than {MIN_EXPOSED_BYTES} bytes and the gateway is exposed")]
    TooShort,
    #[error("the secret is a pattern or a common word and the gateway is exposed")]
    Guessable,
    #[error("the secret is longer than {} bytes", super::MAX_CREDENTIAL_BYTES)]
    TooLong,
}

impl Refusal {
    /// What to do about it.
    #[must_use]
    pub fn hint(self) -> &'static str {
        match self {
            Self::Unresolved => {
                "set the variable that the reference names, or write the secret into a file"
            }
            Self::Empty
            | Self::Stringified
            | Self::Placeholder
            | Self::TooShort
            | Self::Guessable
            | Self::TooLong => "use 32 random bytes, for example from `openssl rand -base64 32`",
        }
    }
}

/// What deserves a line in the log and in `doctor`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Warning {
    /// Fewer than 24 characters.
    Short,
    /// A pattern or a common word.
    Guessable,
    /// White space at an end, which is part of the secret (E6).
    SurroundingSpace,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Short => "the secret is shorter than 24 characters",
            Self::Guessable => "the secret is a pattern or a common word",
            Self::SurroundingSpace => {
                "the secret begins or ends with white space, which is part of it"
            }
        })
    }
}

/// Judge a configured secret.
///
/// # Errors
/// A secret that must not guard anything (E1-E3), or not an exposed gateway (E4, E5).
pub fn vet(secret: &Secret, exposure: Exposure) -> Result<Vec<Warning>, Refusal> {
    let text = String::from_utf8_lossy(secret.expose());
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err(Refusal::Empty);
    }
    if text.len() > super::MAX_CREDENTIAL_BYTES {
        return Err(Refusal::TooLong);
    }
    let lower = trimmed.to_lowercase();
    if STRINGIFIED.contains(&lower.as_str()) {
        return Err(Refusal::Stringified);
    }
    if trimmed.contains("${") {
        return Err(Refusal::Unresolved);
    }
    let starred = trimmed.chars().all(|c| matches!(c, '*' | '•' | 'x' | 'X'));
    if starred || PLACEHOLDERS.iter().any(|mark| lower.starts_with(mark)) {
        return Err(Refusal::Placeholder);
    }
    let exposed = exposure == Exposure::Exposed;
    let guessable = is_guessable(&lower);
    if exposed && secret.expose().len() < MIN_EXPOSED_BYTES {
        return Err(Refusal::TooShort);
    }
    if exposed && guessable {
        return Err(Refusal::Guessable);
    }
    let mut warnings = Vec::new();
    if text.chars().count() < COMFORTABLE_CHARS {
        warnings.push(Warning::Short);
    }
    if guessable {
        warnings.push(Warning::Guessable);
    }
    if trimmed.len() != text.len() {
        warnings.push(Warning::SurroundingSpace);
    }
    Ok(warnings)
}

/// Few different bytes, one unit repeated, or a common word with digits and marks around it.
fn is_guessable(lower: &str) -> bool {
    let mut seen = [false; 256];
    for byte in lower.bytes() {
        if let Some(slot) = seen.get_mut(usize::from(byte)) {
            *slot = true;
        }
    }
    let distinct = seen.iter().filter(|hit| **hit).count();
    let bare = lower.trim_matches(|c: char| !c.is_ascii_lowercase());
    let common = COMMON.iter().any(|word| {
        lower == *word
            || bare == *word
            || lower.replace(word, "").chars().all(|c| !c.is_alphanumeric())
    });
    distinct < MIN_DISTINCT_BYTES || common || has_short_period(lower.as_bytes())
}

/// The whole is one unit of at most eight bytes, repeated.
fn has_short_period(bytes: &[u8]) -> bool {
    (1..=8).any(|period| {
        bytes.len() >= period * 2
            && bytes.iter().zip(bytes.iter().skip(period)).all(|(left, right)| left == right)
    })
}
