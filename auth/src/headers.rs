//! Raw header hygiene: one request's bytes become a view, or 400 (rows B11, B14, B17, D10, D11, E15, F28, G1-G8).
//!
//! Nothing is believed here. A header that decides something may stand once; a look-alike with underscores proves a
//! forger; forwarding and identity headers are only noted, for `admit` to judge by who sent them.

use crate::denied::{Cause, Denied};
use crate::origin::HostPort;
use crate::path::{Path, Target};

mod known;
mod upgrade;

pub(crate) use known::Name;
pub use upgrade::Upgrade;

/// More header lines than this is an attack (G8).
const MAX_HEADERS: usize = 64;
/// All names and values together (G8).
const MAX_HEAD_BYTES: usize = 16 * 1024;
/// No honest `Host` or `Origin` is longer (F28).
const MAX_HOST_BYTES: usize = 512;

/// The HTTP version of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpVersion {
    Http10,
    Http11,
}

/// The first line of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestLine<'a> {
    pub method: &'a str,
    /// Origin-form or absolute-form, as sent.
    pub target: &'a str,
    pub version: HttpVersion,
}

/// A checked request head that borrows the raw bytes. Its `Debug` shows no values.
#[derive(Clone)]
pub struct Head<'a> {
    line: RequestLine<'a>,
    path: Path,
    query: Option<&'a str>,
    host: Option<HostPort>,
    known: known::Slots<'a>,
    /// `X-Forwarded-For` lines in order (C3).
    forwarded_for: Vec<&'a [u8]>,
    /// Every other header, for the names that only the policy knows.
    others: Vec<(&'a [u8], &'a [u8])>,
    evidence: Shape,
}

/// Which proxy-shaped headers are there at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) forwarded: bool,
    pub(crate) x_forwarded: bool,
    pub(crate) tailscale: bool,
}

impl<'a> Head<'a> {
    /// Read a request line and every header line in order, names in any case.
    ///
    /// # Errors
    /// 400 `ambiguous_header`, `bad_request` or `credential_in_url`; 431.
    pub fn read<I>(line: RequestLine<'a>, headers: I) -> Result<Self, Denied>
    where
        I: IntoIterator<Item = (&'a [u8], &'a [u8])>,
    {
        let target = Target::parse(line.target)?;
        target.refuse_credentials()?;
        let mut head = Self {
            line,
            path: Path::parse(target.path)?,
            query: target.query,
            host: None,
            known: known::Slots::default(),
            forwarded_for: Vec::new(),
            // A browser sends about eight headers that decide nothing.
            others: Vec::with_capacity(8),
            evidence: Shape::default(),
        };
        let (mut count, mut bytes) = (0_usize, 0_usize);
        for (name, value) in headers {
            count += 1;
            bytes = bytes.saturating_add(name.len()).saturating_add(value.len());
            if count > MAX_HEADERS || bytes > MAX_HEAD_BYTES {
                return Err(Denied::new(Cause::HeaderTooLarge { what: "headers" }));
            }
            head.take(name, value.trim_ascii())?;
        }
        head.check_host(target.authority)?;
        head.check_framing()?;
        Ok(head)
    }

    fn take(&mut self, name: &'a [u8], value: &'a [u8]) -> Result<(), Denied> {
        if name.is_empty() || !name.iter().all(|byte| known::is_token(*byte)) {
            return Err(bad("header name"));
        }
        if value.iter().any(|byte| (*byte < 0x20 && *byte != b'\t') || *byte == 0x7f) {
            return Err(bad("header value"));
        }
        let mut buffer = [0_u8; known::LONGEST];
        let folded = known::fold(name, &mut buffer);
        let guarded = known::shape_of(folded);
        let twin = name.contains(&b'_');
        let slot = Name::find(folded);
        if twin && (slot.is_some() || guarded != Shape::default()) {
            return Err(ambiguous(name));
        }
        self.evidence.forwarded |= guarded.forwarded;
        self.evidence.x_forwarded |= guarded.x_forwarded;
        self.evidence.tailscale |= guarded.tailscale;
        if folded == b"x-forwarded-for" {
            self.forwarded_for.push(value);
            return Ok(());
        }
        if let Some(slot) = slot {
            let fresh = self.known.put(slot, value);
            return if fresh { Ok(()) } else { Err(ambiguous(name)) };
        }
        let known_twice = |(other, _): &(&[u8], &[u8])| other.eq_ignore_ascii_case(name);
        if guarded.tailscale && self.others.iter().any(known_twice) {
            return Err(ambiguous(name));
        }
        self.others.push((name, value));
        Ok(())
    }

    /// D11, F28: exactly one well-formed `Host`, the same as in an absolute-form target.
    fn check_host(&mut self, authority: Option<&str>) -> Result<(), Denied> {
        for (name, what) in [(Name::Host, "Host"), (Name::Origin, "Origin")] {
            let value = self.known.value(name).unwrap_or_default();
            if value.len() > MAX_HOST_BYTES {
                return Err(Denied::new(Cause::HeaderTooLarge { what }));
            }
            if !value.iter().all(u8::is_ascii_graphic) {
                return Err(bad(what));
            }
        }
        let Some(raw) = self.known.text(Name::Host) else {
            let old = self.line.version == HttpVersion::Http10 && authority.is_none();
            return if old { Ok(()) } else { Err(bad("Host")) };
        };
        let host = HostPort::parse(raw).ok_or_else(|| bad("Host"))?;
        if authority.is_some_and(|text| HostPort::parse(text).as_ref() != Some(&host)) {
            return Err(bad("Host"));
        }
        self.host = Some(host);
        Ok(())
    }

    /// G1-G3: one way to tell where the body ends.
    fn check_framing(&self) -> Result<(), Denied> {
        let length = self.known.value(Name::ContentLength);
        if length.is_some_and(|text| text.is_empty() || !text.iter().all(u8::is_ascii_digit)) {
            return Err(bad("Content-Length"));
        }
        let Some(coding) = self.known.value(Name::TransferEncoding) else { return Ok(()) };
        let plain = coding.eq_ignore_ascii_case(b"chunked");
        if !plain || length.is_some() || self.line.version == HttpVersion::Http10 {
            return Err(bad("Transfer-Encoding"));
        }
        Ok(())
    }

    /// The canonical path: route and authorise on this and nothing else (G9).
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The raw query; holds no credential (D14).
    #[must_use]
    pub fn query(&self) -> Option<&'a str> {
        self.query
    }

    #[must_use]
    pub fn method(&self) -> &'a str {
        self.line.method
    }

    /// The single `Authorization` value, for [`bearer`](fn@crate::bearer).
    #[must_use]
    pub fn authorization(&self) -> Option<&'a [u8]> {
        self.known.value(Name::Authorization)
    }

    /// The single `Host`, parsed; absent only in HTTP/1.0.
    #[must_use]
    pub fn host(&self) -> Option<&HostPort> {
        self.host.as_ref()
    }

    /// The `Origin` text as sent.
    #[must_use]
    pub fn origin(&self) -> Option<&'a str> {
        self.known.text(Name::Origin)
    }

    /// A browser sent this: `Origin` or any `Sec-Fetch-*` is there.
    #[must_use]
    pub fn is_browser(&self) -> bool {
        [Name::Origin, Name::FetchSite, Name::FetchMode, Name::FetchDest, Name::FetchUser]
            .into_iter()
            .any(|name| self.known.value(name).is_some())
    }

    /// The single value of any header by its lower-case name, for names that the policy configures.
    ///
    /// # Errors
    /// 400 when it stands twice (C18).
    pub(crate) fn single(&self, name: &str) -> Result<Option<&'a [u8]>, Denied> {
        if let Some(slot) = Name::find(name.as_bytes()) {
            return Ok(self.known.value(slot));
        }
        let same = |other: &&(&'a [u8], &'a [u8])| known::same_folded(other.0, name.as_bytes());
        let mut hits = self.others.iter().filter(same);
        let first = hits.next();
        if hits.next().is_some() || first.is_some_and(|(raw, _)| raw.contains(&b'_')) {
            return Err(ambiguous(name.as_bytes()));
        }
        Ok(first.map(|(_, value)| *value))
    }

    pub(crate) fn value(&self, name: Name) -> Option<&'a [u8]> {
        self.known.value(name)
    }

    pub(crate) fn text(&self, name: Name) -> Option<&'a str> {
        self.known.text(name)
    }

    pub(crate) fn forwarded_for(&self) -> &[&'a [u8]] {
        &self.forwarded_for
    }

    pub(crate) fn shape(&self) -> Shape {
        self.evidence
    }
}

impl Shape {
    /// Anything at all that a proxy or Serve would send.
    pub(crate) fn is_proxied(self) -> bool {
        self.forwarded || self.x_forwarded || self.tailscale
    }
}

impl std::fmt::Debug for Head<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Head")
            .field("method", &self.line.method)
            .field("path", &self.path)
            .field("host", &self.host)
            .field("shape", &self.evidence)
            .finish_non_exhaustive()
    }
}

pub(crate) fn bad(what: &'static str) -> Denied {
    Denied::new(Cause::BadRequest { what })
}

fn ambiguous(name: &[u8]) -> Denied {
    let name = String::from_utf8_lossy(name).to_ascii_lowercase();
    Denied::new(Cause::AmbiguousHeader { name: name.into() })
}
