//! The wire: frames, the handshake's shapes, errors and close codes of protocols 3 and 4.
//!
//! Types only, shared by the gateway (`conn`, `rpc`) and by the client. A frame is parsed once; `params`
//! and `payload` stay raw JSON until the typed handler or caller reads them. Names and texts are the ones
//! official clients match, so they are written here and nowhere else.
//!
//! * `frame`: req, res and event frames
//! * `connect`: what a client says first; `hello`: what it is answered
//! * `error`: error shapes; `fault`: the sentence for params that do not fit
//! * `close`: close codes; `limits`: every number a peer can run into

pub mod close;
pub mod connect;
pub mod error;
pub mod fault;
pub mod frame;
pub mod hello;
pub mod limits;

use serde::{Deserialize, Serialize};

/// A protocol version that we speak. The answer is the highest one in the client's range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "u32", try_from = "u32")]
pub enum Version {
    V3,
    V4,
}

impl Version {
    pub const OLDEST: Self = Self::V3;
    pub const NEWEST: Self = Self::V4;

    /// The highest version inside `min..=max`, if we speak one.
    #[must_use]
    pub fn negotiate(min: u32, max: u32) -> Option<Self> {
        [Self::V4, Self::V3].into_iter().find(|version| (min..=max).contains(&version.number()))
    }

    #[must_use]
    pub const fn number(self) -> u32 {
        match self {
            Self::V3 => 3,
            Self::V4 => 4,
        }
    }
}

impl From<Version> for u32 {
    fn from(version: Version) -> Self {
        version.number()
    }
}

impl TryFrom<u32> for Version {
    type Error = String;

    fn try_from(number: u32) -> Result<Self, Self::Error> {
        Self::negotiate(number, number)
            .ok_or_else(|| format!("protocol {number} is not spoken here"))
    }
}

#[cfg(test)]
mod tests {
    use super::Version;

    #[test]
    fn the_highest_common_version_answers() {
        let rows = [
            (3, 3, Some(Version::V3)),
            (4, 4, Some(Version::V4)),
            (3, 4, Some(Version::V4)),
            (1, 99, Some(Version::V4)),
            (1, 3, Some(Version::V3)),
            (5, 5, None),
            (2, 2, None),
            (4, 3, None),
        ];
        for (min, max, expected) in rows {
            assert_eq!(Version::negotiate(min, max), expected, "{min}..={max}");
        }
    }
}
