//! Close codes and reasons as official clients read them.

use super::limits::CLOSE_REASON;

/// Why a connection ends, with the code and the text of the close frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Close {
    pub code: u16,
    pub reason: String,
}

impl Close {
    pub const NORMAL: u16 = 1000;
    pub const PROTOCOL_ERROR: u16 = 1002;
    pub const UNSUPPORTED_DATA: u16 = 1003;
    pub const INVALID_PAYLOAD: u16 = 1007;
    pub const POLICY_VIOLATION: u16 = 1008;
    pub const TOO_BIG: u16 = 1009;
    pub const SERVICE_RESTART: u16 = 1012;
    pub const TRY_AGAIN_LATER: u16 = 1013;
    /// Upstream's own code: the grant behind this connection is gone.
    pub const REVOKED: u16 = 4001;

    /// A close frame; the reason is cut to [`CLOSE_REASON`] bytes at a character boundary.
    #[must_use]
    pub fn new(code: u16, reason: &str) -> Self {
        Self { code, reason: cut(reason).to_owned() }
    }

    #[must_use]
    pub fn policy(reason: &str) -> Self {
        Self::new(Self::POLICY_VIOLATION, reason)
    }

    #[must_use]
    pub fn silent(code: u16) -> Self {
        Self { code, reason: String::new() }
    }
}

fn cut(reason: &str) -> &str {
    if reason.len() <= CLOSE_REASON {
        return reason;
    }
    let end = (0..=CLOSE_REASON).rev().find(|at| reason.is_char_boundary(*at)).unwrap_or(0);
    reason.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_cut_at_a_character() {
        let close = Close::policy(&"é".repeat(100));
        assert_eq!(close.reason.len(), CLOSE_REASON);
        assert_eq!(Close::policy(&format!("a{}", "é".repeat(100))).reason.len(), CLOSE_REASON - 1);
        assert_eq!(Close::policy("slow consumer").reason, "slow consumer");
    }
}
