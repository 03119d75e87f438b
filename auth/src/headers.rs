//! Raw header hygiene: one request's bytes become a view, or 400.

use crate::denied::{Cause, Denied};
use crate::path::Path;

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

/// A checked request head that borrows the raw bytes.
#[derive(Clone, Debug)]
pub struct Head<'a> {
    line: RequestLine<'a>,
    path: Path,
}

/// A well-formed WebSocket upgrade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upgrade<'a> {
    /// `Sec-WebSocket-Key`, checked to be 16 bytes of base64.
    pub key: &'a str,
}

impl<'a> Head<'a> {
    /// Read a request line and every header line in order, names in any case.
    ///
    /// # Errors
    /// 400, 431: see group G and the header rows of B, D, E.
    pub fn read<I>(line: RequestLine<'a>, headers: I) -> Result<Self, Denied>
    where
        I: IntoIterator<Item = (&'a [u8], &'a [u8])>,
    {
        let _ = (line, headers.into_iter().count());
        Err(Denied::new(Cause::BadRequest { what: "request" }))
    }

    /// The canonical path: route and authorise on this and nothing else (G9).
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    #[must_use]
    pub fn method(&self) -> &'a str {
        self.line.method
    }

    /// The single `Authorization` value, for [`crate::bearer`].
    #[must_use]
    pub fn authorization(&self) -> Option<&'a [u8]> {
        None
    }

    /// `Some` when the request asks for a WebSocket and may have one.
    ///
    /// # Errors
    /// 400 or 426: rows G5, G6, G12.
    pub fn upgrade(&self) -> Result<Option<Upgrade<'a>>, Denied> {
        Err(Denied::new(Cause::UpgradeRequired))
    }
}
