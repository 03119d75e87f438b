//! The WebSocket upgrade request (rows G5, G6, G12).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Head, HttpVersion, Name, bad};
use crate::denied::{Cause, Denied};

/// A well-formed WebSocket upgrade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upgrade<'a> {
    /// `Sec-WebSocket-Key`, checked to be 16 bytes of base64.
    pub key: &'a str,
}

impl<'a> Head<'a> {
    /// `Some` when the request asks for a WebSocket and may have one; `None` when it asks for nothing or for another
    /// protocol, which is ignored (G6).
    ///
    /// # Errors
    /// 400 for a body (G5), a bad key or missing `Connection: upgrade`; 426 for another version (G12).
    pub fn upgrade(&self) -> Result<Option<Upgrade<'a>>, Denied> {
        let Some(wanted) = self.text(Name::Upgrade) else {
            // Half an upgrade is a mistake worth naming.
            let half = self.value(Name::WebSocketKey).is_some();
            return if half { Err(bad("Upgrade")) } else { Ok(None) };
        };
        if !wanted.eq_ignore_ascii_case("websocket") {
            return Ok(None);
        }
        if self.method() != "GET" || self.line.version != HttpVersion::Http11 {
            return Err(bad("Upgrade"));
        }
        let empty =
            self.text(Name::ContentLength).is_none_or(|length| length.bytes().all(|b| b == b'0'));
        if !empty || self.value(Name::TransferEncoding).is_some() {
            return Err(bad("body of an upgrade"));
        }
        let connection = self.text(Name::Connection).unwrap_or_default();
        if !connection.split(',').any(|word| word.trim().eq_ignore_ascii_case("upgrade")) {
            return Err(bad("Connection"));
        }
        if self.value(Name::WebSocketVersion) != Some(b"13") {
            return Err(Denied::new(Cause::UpgradeRequired));
        }
        let key = self.text(Name::WebSocketKey).ok_or_else(|| bad("Sec-WebSocket-Key"))?;
        let sized = STANDARD.decode(key).is_ok_and(|raw| raw.len() == 16);
        if sized { Ok(Some(Upgrade { key })) } else { Err(bad("Sec-WebSocket-Key")) }
    }
}
