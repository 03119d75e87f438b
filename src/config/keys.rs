//! The one table of keys.
//!
//! [`table::KEYS`] says for every key of `gateway`, `logging` and `secrets` what it takes, its default,
//! what a change needs, which part reads it, and one line about it. The checks, the nearest-key
//! suggestions, the JSON Schema, the UI hints, the reload classes and the documents derive from it.
//! Official keys of features that we do not have are listed as [`Kind::Unread`]: accepted, kept, warned
//! about. Official keys that would widen access if we merely ignored them are [`Kind::Refused`].

use serde_json::Value;

pub mod table;

use table::{KEYS, SECTIONS};

/// What a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Flag,
    /// A whole number from the first to the second.
    Number(u64, u64),
    /// Any text that is not blank.
    Text,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A path; `~` and relative paths as in `Paths::absolute`.
    Path,
    /// `/x` or nothing.
    BasePath,
    /// One HTTP header name.
    Header,
    /// `https://host[:port]`.
    PublicOrigin,
    /// `ws://` or `wss://`.
    SocketUrl,
    /// SHA-256, 64 hex digits.
    Fingerprint,
    /// A text, or `false`.
    TextOrFalse,
    /// A secret: text or `{ source, provider?, id }`.
    Secret,
    /// A list of texts.
    Texts,
    /// A list of HTTP header names.
    Headers,
    /// A list of browser origins.
    Origins,
    /// A list of addresses and networks; `true` refuses everything (`/0`) and warns of wide ones.
    Networks,
    /// A list of whole numbers up to the limit.
    Numbers(u64),
    /// An object: login -> list of operator scopes.
    Scopes,
    /// An object: name -> secret provider.
    Providers,
    /// An object: name -> text.
    TextMap,
    /// An official key that this gateway does not read.
    Unread,
    /// An official key that must not be ignored silently; the text says why. `false` is accepted.
    Refused(&'static str),
}

/// What a change of a key needs (`J10`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReloadClass {
    /// Nothing here reads it.
    None,
    /// Applies at once.
    Hot,
    /// Applies at the next start.
    Restart,
}

impl ReloadClass {
    /// The word of `config.schema.lookup`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Hot => "hot",
            Self::Restart => "restart",
        }
    }
}

/// The part of the product that reads a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// Bind: which sockets.
    Bind,
    /// Auth: who may enter.
    Auth,
    /// HTTP, TLS and the Control UI.
    Net,
    /// Tailscale integration.
    Tailscale,
    /// Client commands of this host.
    Client,
    /// Nodes and pairing.
    Nodes,
    /// Logs.
    Logs,
    /// The configuration itself.
    Config,
    /// Nobody.
    Nobody,
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Dotted path.
    pub path: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// Default as JSON text; empty where there is none.
    pub default: &'static str,
    /// What a change needs.
    pub reload: ReloadClass,
    /// Who reads it.
    pub reader: Reader,
    /// One line.
    pub about: &'static str,
}

impl Key {
    /// The default as a value.
    pub fn default_value(&self) -> Option<Value> {
        serde_json::from_str(self.default).ok()
    }

    /// The last segment.
    pub fn name(&self) -> &'static str {
        self.path.rsplit_once('.').map_or(self.path, |(_, name)| name)
    }

    /// Whether the value is a secret.
    pub fn is_secret(&self) -> bool {
        self.kind == Kind::Secret
    }
}

/// Where a path stands in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// A row.
    Key(&'static Key),
    /// An object that holds rows.
    Section,
    /// Below a row that takes an object or a list.
    Inside(&'static Key),
    /// Not ours.
    Unknown,
}

/// Where `path` stands.
pub fn standing(path: &str) -> Standing {
    if let Some(key) = KEYS.iter().find(|key| key.path == path) {
        return Standing::Key(key);
    }
    if KEYS.iter().any(|key| is_below(key.path, path)) {
        return Standing::Section;
    }
    match KEYS.iter().find(|key| is_below(path, key.path)) {
        Some(key) => Standing::Inside(key),
        None => Standing::Unknown,
    }
}

/// Whether `path` lies strictly below `parent`.
pub fn is_below(path: &str, parent: &str) -> bool {
    parent.is_empty() && !path.is_empty()
        || path.strip_prefix(parent).is_some_and(|rest| rest.starts_with('.'))
}

/// The row of `path`, if it is one.
pub fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

/// The direct children of `section` in the order of the table; the empty section is the root.
pub fn children(section: &str) -> Vec<&'static str> {
    let mut names: Vec<&'static str> = Vec::new();
    for key in KEYS.iter().filter(|key| is_below(key.path, section)) {
        let rest = match section {
            "" => key.path,
            _ => key.path.get(section.len() + 1..).unwrap_or_default(),
        };
        let name = rest.split('.').next().unwrap_or_default();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// The official name of a top-level section, whether we read it or not.
pub fn is_official_section(name: &str) -> bool {
    SECTIONS.contains(&name)
}

/// The valid key that the writer of `path` may have meant: a sibling first, then the same name elsewhere.
pub fn nearest(path: &str) -> Option<String> {
    let (section, name) = path.rsplit_once('.').unwrap_or(("", path));
    let siblings = if section.is_empty() { SECTIONS.to_vec() } else { children(section) };
    if let Some(found) = closest(name, &siblings) {
        return Some(join(section, found));
    }
    KEYS.iter()
        .find(|key| key.name().eq_ignore_ascii_case(name) && key.reader != Reader::Nobody)
        .map(|key| key.path.to_owned())
}

/// `section.name`, or `name` at the root.
pub fn join(section: &str, name: &str) -> String {
    if section.is_empty() { name.to_owned() } else { format!("{section}.{name}") }
}

/// The word of `words` that is nearest to `word`, if it is near at all.
pub fn closest<'w>(word: &str, words: &[&'w str]) -> Option<&'w str> {
    let flat = |text: &str| text.to_lowercase().replace(['_', '-'], "");
    let wanted = flat(word);
    words
        .iter()
        .map(|candidate| (distance(&wanted, &flat(candidate)), *candidate))
        .filter(|(edits, candidate)| *edits <= MAX_EDITS.min(candidate.len() / 2))
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

/// Three edits cover a slip, a swap and a missing plural; four turn `port` into `push`.
const MAX_EDITS: usize = 3;

/// Edits (insert, delete, replace) that turn `from` into `to`.
fn distance(from: &str, to: &str) -> usize {
    let target: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=target.len()).collect();
    for (line, left) in from.chars().enumerate() {
        let mut next = vec![line + 1];
        for ((right, above), diagonal) in target.iter().zip(row.iter().skip(1)).zip(row.iter()) {
            let before = next.last().copied().unwrap_or_default();
            let replaced = diagonal + usize::from(left != *right);
            next.push(replaced.min(above + 1).min(before + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_json_and_every_path_is_unique() {
        let mut seen = std::collections::BTreeSet::new();
        for key in KEYS {
            assert!(seen.insert(key.path), "{} twice", key.path);
            assert!(key.default.is_empty() || key.default_value().is_some(), "{}", key.path);
            assert!(!key.about.is_empty() && key.about.ends_with('.'), "{}", key.path);
            let unread = matches!(key.kind, Kind::Unread | Kind::Refused(_));
            assert_eq!(unread, key.reader == Reader::Nobody, "{}", key.path);
        }
    }

    #[test]
    fn j6_names_the_nearest_key() {
        for (written, meant) in [
            ("gateway.auth.tokn", "gateway.auth.token"),
            ("gateway.bnd", "gateway.bind"),
            ("gateway.controlUi.allowedOrigin", "gateway.controlUi.allowedOrigins"),
            ("gateway.control_ui", "gateway.controlUi"),
            ("gateway.allowedOrigins", "gateway.controlUi.allowedOrigins"),
            ("gateway.token", "gateway.auth.token"),
            ("gatway", "gateway"),
            ("gateway.trustedProxy", "gateway.trustedProxies"),
        ] {
            assert_eq!(nearest(written).as_deref(), Some(meant), "{written}");
        }
        assert_eq!(nearest("gateway.zzzzzzzz"), None);
    }

    #[test]
    fn standing_tells_rows_sections_and_strangers_apart() {
        assert!(matches!(standing("gateway.port"), Standing::Key(_)));
        assert_eq!(standing("gateway.auth"), Standing::Section);
        assert!(matches!(standing("gateway.trustedProxies.0"), Standing::Inside(_)));
        assert_eq!(standing("gateway.authx"), Standing::Unknown);
        assert_eq!(standing("agents.defaults"), Standing::Unknown);
    }
}
