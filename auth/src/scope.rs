//! The closed set of scopes, and lists of them as clients send them (row H18).
//!
//! A list keeps the order sent, because the device signs it so, and keeps words that nobody knows, because
//! clients may send them (protocol 4.4); such a word satisfies nothing and is never granted.

use std::fmt;

use crate::denied::{Cause, Denied};

/// More entries than this is an attack, not a client (H18).
pub const MAX_SCOPES: usize = 32;
/// The longest known name has 24 bytes; anything past this is not a scope.
const MAX_SCOPE_BYTES: usize = 64;

/// One known scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u16)]
pub enum Scope {
    Admin = 1,
    Read = 1 << 1,
    Write = 1 << 2,
    Approvals = 1 << 3,
    Pairing = 1 << 4,
    Questions = 1 << 5,
    Talk = 1 << 6,
    TalkSecrets = 1 << 7,
    SessionsRead = 1 << 8,
    SessionsWrite = 1 << 9,
}

impl Scope {
    /// Every scope, in the order of the documentation.
    pub const ALL: [Self; 10] = [
        Self::Admin,
        Self::Read,
        Self::Write,
        Self::Approvals,
        Self::Pairing,
        Self::Questions,
        Self::Talk,
        Self::TalkSecrets,
        Self::SessionsRead,
        Self::SessionsWrite,
    ];

    /// The exact name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "operator.admin",
            Self::Read => "operator.read",
            Self::Write => "operator.write",
            Self::Approvals => "operator.approvals",
            Self::Pairing => "operator.pairing",
            Self::Questions => "operator.questions",
            Self::Talk => "operator.talk",
            Self::TalkSecrets => "operator.talk.secrets",
            Self::SessionsRead => "operator.sessions.read",
            Self::SessionsWrite => "operator.sessions.write",
        }
    }

    /// Exact match only: no trimming, no case folding, no wildcard.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == word)
    }

    /// What holding this scope satisfies, itself included.
    const fn covers(self) -> u16 {
        match self {
            Self::Admin => u16::MAX,
            Self::Read => Self::Read as u16 | Self::SessionsRead as u16,
            Self::Write => {
                Self::Write as u16
                    | Self::Read as u16
                    | Self::SessionsRead as u16
                    | Self::SessionsWrite as u16
            }
            Self::SessionsWrite => Self::SessionsWrite as u16 | Self::SessionsRead as u16,
            Self::Approvals
            | Self::Pairing
            | Self::Questions
            | Self::Talk
            | Self::TalkSecrets
            | Self::SessionsRead => self as u16,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A list of scopes: known ones as a set, and the words as sent.
#[derive(Clone, Default, Debug, PartialEq, Eq)]
pub struct ScopeSet {
    /// Bits of the known scopes in `words`.
    bits: u16,
    words: Vec<Box<str>>,
}

impl ScopeSet {
    /// The empty list: `health` and nothing else.
    #[must_use]
    pub const fn empty() -> Self {
        Self { bits: 0, words: Vec::new() }
    }

    /// Keep a list as a client sent it.
    ///
    /// # Errors
    /// More than [`MAX_SCOPES`] entries, or an entry that cannot be a scope by its size or its bytes.
    pub fn from_sent<I, S>(words: I) -> Result<Self, Denied>
    where
        I: IntoIterator<Item = S>,
        S: AsRef<str>,
    {
        let mut set = Self::empty();
        for word in words {
            let word = word.as_ref();
            // A separator inside a word would let two different lists sign the same payload.
            let odd = word.len() > MAX_SCOPE_BYTES || word.contains([',', '|']);
            if odd || set.words.len() == MAX_SCOPES {
                return Err(Denied::new(Cause::BadScopes));
            }
            set.push_word(word);
        }
        Ok(set)
    }

    fn push_word(&mut self, word: &str) {
        if let Some(scope) = Scope::parse(word) {
            self.bits |= scope as u16;
        }
        self.words.push(word.into());
    }

    /// Add a known scope once.
    pub fn insert(&mut self, scope: Scope) {
        if !self.lists(scope) {
            self.push_word(scope.as_str());
        }
    }

    /// The list itself names `scope`.
    #[must_use]
    pub fn lists(&self, scope: Scope) -> bool {
        self.bits & scope as u16 != 0
    }

    /// A holder of this list may do what needs `scope`: admin satisfies all, write satisfies read.
    #[must_use]
    pub fn satisfies(&self, scope: Scope) -> bool {
        self.iter().any(|held| held.covers() & scope as u16 != 0)
    }

    /// Every known word of `asked` is satisfied; a word that nobody knows asks for nothing.
    #[must_use]
    pub fn covers(&self, asked: &Self) -> bool {
        asked.words.iter().all(|word| match Scope::parse(word) {
            Some(scope) => self.satisfies(scope),
            None => true,
        })
    }

    /// Known scopes of the list, in the order of [`Scope::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = Scope> + '_ {
        Scope::ALL.into_iter().filter(|scope| self.lists(*scope))
    }

    /// The words in the order sent.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.words.iter().map(AsRef::as_ref)
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// The known scopes only, each once, in the order sent: what a grant may carry.
    #[must_use]
    pub fn known(&self) -> Self {
        let mut set = Self::empty();
        for word in self.words() {
            if let Some(scope) = Scope::parse(word) {
                set.insert(scope);
            }
        }
        set
    }

    /// What is stored with an approved device: known, each once, admin brings read and write, write brings read.
    #[must_use]
    pub fn normalised(&self) -> Self {
        let mut set = self.known();
        if set.lists(Scope::Admin) {
            set.insert(Scope::Read);
            set.insert(Scope::Write);
        }
        if set.lists(Scope::Write) {
            set.insert(Scope::Read);
        }
        set
    }

    /// The known scopes of both lists (an approved upgrade).
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut set = self.known();
        for scope in other.iter() {
            set.insert(scope);
        }
        set
    }

    /// Those asked scopes that `ceiling` satisfies: intersection may only narrow.
    #[must_use]
    pub fn within(&self, ceiling: &Self) -> Self {
        let mut set = Self::empty();
        for word in self.words() {
            if let Some(scope) = Scope::parse(word)
                && ceiling.satisfies(scope)
            {
                set.insert(scope);
            }
        }
        set
    }
}

impl FromIterator<Scope> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        let mut set = Self::empty();
        for scope in scopes {
            set.insert(scope);
        }
        set
    }
}
