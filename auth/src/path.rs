//! The one canonical path that is routed and authorised (row G9).

/// A decoded, absolute path without dot segments, empty segments, backslashes or parameters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Path(Box<str>);

impl Path {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
