//! The one canonical path that is routed and authorised (row G9), and the query check of D14.
//!
//! Decoded once, never twice; what could be read in two ways (`%2f`, `\`, control bytes) is refused instead of guessed.

use crate::denied::{Cause, Denied};

/// The longest request target that is read.
const MAX_TARGET_BYTES: usize = 8 * 1024;
/// Query keys that people use for credentials (D14).
const CREDENTIAL_KEYS: [&[u8]; 4] = [b"token", b"password", b"ticket", b"access_token"];

/// A decoded, absolute path without dot segments, empty inner segments or backslashes. Case is kept.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Path(Box<str>);

impl Path {
    /// Canonicalise the path part of a request target.
    ///
    /// # Errors
    /// 400 for a relative path, a broken or ambiguous escape, or bytes that are not text.
    pub fn parse(raw: &str) -> Result<Self, Denied> {
        let bad = || Denied::new(Cause::BadRequest { what: "path" });
        let inner = raw.strip_prefix('/').ok_or_else(bad)?;
        let plain = |b: u8| b.is_ascii_graphic() && b != b'%' && b != b'\\';
        if raw.bytes().all(plain) && !raw.contains("//") && !raw.contains("/.") {
            return Ok(Self(raw.into()));
        }
        let mut segments: Vec<String> = Vec::new();
        for piece in inner.split('/') {
            let segment = decode(piece.as_bytes()).and_then(|bytes| String::from_utf8(bytes).ok());
            let segment = segment.ok_or_else(bad)?;
            if segment.contains(['/', '\\']) || segment.chars().any(char::is_control) {
                return Err(bad());
            }
            match segment.as_str() {
                "" | "." => {}
                ".." => drop(segments.pop()),
                _ => segments.push(segment),
            }
        }
        let mut path = String::with_capacity(raw.len() + 1);
        for segment in &segments {
            path.push('/');
            path.push_str(segment);
        }
        // `/a/` and `/a` are different resources to a static file handler.
        let slash = ["/", "/.", "/.."].iter().any(|end| raw.ends_with(end));
        if slash || path.is_empty() {
            path.push('/');
        }
        Ok(Self(path.into()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A request target, split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Target<'a> {
    /// Of an absolute-form target; must equal `Host` (D11).
    pub(crate) authority: Option<&'a str>,
    pub(crate) path: &'a str,
    pub(crate) query: Option<&'a str>,
}

impl<'a> Target<'a> {
    pub(crate) fn parse(text: &'a str) -> Result<Self, Denied> {
        let bad = || Denied::new(Cause::BadRequest { what: "target" });
        let odd = |byte: u8| !byte.is_ascii_graphic() || byte == b'#';
        if text.len() > MAX_TARGET_BYTES || text.bytes().any(odd) {
            return Err(bad());
        }
        let (authority, rest) = if text.starts_with('/') {
            (None, text)
        } else {
            let (scheme, rest) = text.split_once("://").ok_or_else(bad)?;
            if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
                return Err(bad());
            }
            let end = rest.find(['/', '?']).unwrap_or(rest.len());
            let (authority, rest) = rest.split_at_checked(end).ok_or_else(bad)?;
            (Some(authority), rest)
        };
        let (path, query) = match rest.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (rest, None),
        };
        let path = if path.is_empty() { "/" } else { path };
        Ok(Self { authority, path, query })
    }

    /// D14: a credential in the query is never read, only refused.
    pub(crate) fn refuse_credentials(&self) -> Result<(), Denied> {
        let Some(query) = self.query else { return Ok(()) };
        for pair in query.split(['&', ';']) {
            let key = pair.split('=').next().unwrap_or_default();
            let plain = decode(key.as_bytes()).unwrap_or_else(|| key.as_bytes().to_vec());
            if CREDENTIAL_KEYS.iter().any(|name| plain.eq_ignore_ascii_case(name)) {
                return Err(Denied::new(Cause::CredentialInUrl));
            }
        }
        Ok(())
    }
}

/// Percent-decode once; `None` for a broken escape.
fn decode(raw: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(raw.len());
    let mut bytes = raw.iter();
    while let Some(byte) = bytes.next() {
        if *byte != b'%' {
            out.push(*byte);
            continue;
        }
        let digit = |byte: &u8| char::from(*byte).to_digit(16);
        let value = digit(bytes.next()?)? * 16 + digit(bytes.next()?)?;
        out.push(u8::try_from(value).ok()?);
    }
    Some(out)
}
