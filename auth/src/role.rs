//! The two roles a connection may take.
//!
//! `worker` is a private protocol of the official gateway: such a client is closed without an answer, every other
//! word gets `invalid role` (protocol 3.8).

use std::fmt;

use crate::denied::{Cause, Denied};

/// What a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// A person's client: CLI, Control UI, TUI.
    Operator,
    /// A device that offers commands.
    Node,
}

impl Role {
    /// Read `connect.params.role`; absent means operator.
    ///
    /// # Errors
    /// `invalid role`, or a silent close for `worker`.
    pub fn parse(word: Option<&str>) -> Result<Self, Denied> {
        match word {
            None | Some("operator") => Ok(Self::Operator),
            Some("node") => Ok(Self::Node),
            Some("worker") => Err(Denied::new(Cause::WorkerRole)),
            Some(_) => Err(Denied::new(Cause::InvalidRole)),
        }
    }

    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Node => "node",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_a_closed_set() {
        assert_eq!(Role::parse(None).unwrap(), Role::Operator);
        assert_eq!(Role::parse(Some("node")).unwrap(), Role::Node);
        for word in ["", "Operator", "operator ", "admin", "NODE"] {
            let denied = Role::parse(Some(word)).unwrap_err();
            assert_eq!(
                (denied.message().as_ref(), denied.answers()),
                ("invalid role", true),
                "{word}"
            );
        }
        let denied = Role::parse(Some("worker")).unwrap_err();
        assert_eq!(
            (denied.close_reason().as_ref(), denied.answers()),
            ("invalid-handshake", false)
        );
    }
}
