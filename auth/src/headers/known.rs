//! The header names that decide something, each allowed once.

use super::Shape;

/// Longer names are in no list.
pub(super) const LONGEST: usize = 32;

/// A header that may stand once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    Host,
    Origin,
    Authorization,
    ContentLength,
    TransferEncoding,
    Upgrade,
    Connection,
    WebSocketKey,
    WebSocketVersion,
    FetchSite,
    FetchMode,
    FetchDest,
    FetchUser,
    ForwardedHost,
    ForwardedProto,
    RealIp,
    Forwarded,
    TailscaleLogin,
    TailscaleFunnel,
    OpenclawScopes,
}

/// In the order of [`Name`]: the discriminant is the index.
const NAMES: [(&[u8], Name); 20] = [
    (b"host", Name::Host),
    (b"origin", Name::Origin),
    (b"authorization", Name::Authorization),
    (b"content-length", Name::ContentLength),
    (b"transfer-encoding", Name::TransferEncoding),
    (b"upgrade", Name::Upgrade),
    (b"connection", Name::Connection),
    (b"sec-websocket-key", Name::WebSocketKey),
    (b"sec-websocket-version", Name::WebSocketVersion),
    (b"sec-fetch-site", Name::FetchSite),
    (b"sec-fetch-mode", Name::FetchMode),
    (b"sec-fetch-dest", Name::FetchDest),
    (b"sec-fetch-user", Name::FetchUser),
    (b"x-forwarded-host", Name::ForwardedHost),
    (b"x-forwarded-proto", Name::ForwardedProto),
    (b"x-real-ip", Name::RealIp),
    (b"forwarded", Name::Forwarded),
    (b"tailscale-user-login", Name::TailscaleLogin),
    (b"tailscale-funnel-request", Name::TailscaleFunnel),
    (b"x-openclaw-scopes", Name::OpenclawScopes),
];

impl Name {
    /// Look up a folded name.
    pub(super) fn find(folded: &[u8]) -> Option<Self> {
        NAMES.iter().find(|(name, _)| *name == folded).map(|(_, slot)| *slot)
    }
}

/// One value per known name.
#[derive(Clone, Copy, Default)]
pub(super) struct Slots<'a>([Option<&'a [u8]>; NAMES.len()]);

impl<'a> Slots<'a> {
    /// False when the slot was taken.
    pub(super) fn put(&mut self, name: Name, value: &'a [u8]) -> bool {
        self.0.get_mut(name as usize).is_some_and(|slot| slot.replace(value).is_none())
    }

    pub(super) fn value(&self, name: Name) -> Option<&'a [u8]> {
        self.0.get(name as usize).copied().flatten()
    }

    pub(super) fn text(&self, name: Name) -> Option<&'a str> {
        self.value(name).and_then(|value| std::str::from_utf8(value).ok())
    }
}

/// Lower case, underscores as dashes: what careless software would make of the name (B16, B17).
pub(super) fn fold<'b>(name: &[u8], buffer: &'b mut [u8; LONGEST]) -> &'b [u8] {
    for (to, from) in buffer.iter_mut().zip(name) {
        *to = fold_byte(*from);
    }
    // A longer name keeps its beginning, which is all that prefixes need.
    buffer.get(..name.len()).unwrap_or(buffer)
}

pub(super) fn same_folded(left: &[u8], right: &[u8]) -> bool {
    left.len() == right.len() && left.iter().zip(right).all(|(l, r)| fold_byte(*l) == fold_byte(*r))
}

fn fold_byte(byte: u8) -> u8 {
    if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() }
}

/// What kind of proxy would send a header of this name.
pub(super) fn shape_of(folded: &[u8]) -> Shape {
    Shape {
        forwarded: folded == b"forwarded" || folded == b"x-real-ip",
        x_forwarded: folded.starts_with(b"x-forwarded-"),
        tailscale: folded.starts_with(b"tailscale-"),
    }
}

/// RFC 9110 token bytes.
pub(super) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_stands_at_its_own_index() {
        for (index, (text, name)) in NAMES.iter().enumerate() {
            assert_eq!(*name as usize, index, "{}", String::from_utf8_lossy(text));
            assert!(text.len() <= LONGEST);
        }
    }

    #[test]
    fn a_long_name_is_no_known_name() {
        let mut buffer = [0; LONGEST];
        let long = [b"x-forwarded-".as_slice(), &[b'a'; 64]].concat();
        let folded = fold(&long, &mut buffer);
        assert!(Name::find(folded).is_none() && shape_of(folded).x_forwarded);
    }
}
