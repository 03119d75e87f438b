//! The table of events: one constant per event, one list, and from it `hello-ok.features.events`.

use openclaw_auth::{Grant, Role, Scope};

/// Who may see an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Audience {
    /// Every connection, nodes too.
    Everyone,
    /// Operators that hold this scope.
    Operators(Scope),
}

/// What happens to an event of a client that reads too slowly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// Must arrive; too many waiting close the connection.
    Sure,
    /// The next one says everything: a waiting one is replaced.
    Latest,
}

/// One kind of event.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    pub name: &'static str,
    audience: Audience,
    pub delivery: Delivery,
}

impl Kind {
    const fn to_all(name: &'static str, delivery: Delivery) -> Self {
        Self { name, audience: Audience::Everyone, delivery }
    }

    const fn to(scope: Scope, name: &'static str, delivery: Delivery) -> Self {
        Self { name, audience: Audience::Operators(scope), delivery }
    }

    #[must_use]
    pub fn is_visible_to(&self, grant: &Grant) -> bool {
        match self.audience {
            Audience::Everyone => true,
            Audience::Operators(scope) => grant.role() == Role::Operator && grant.allows(scope),
        }
    }
}

pub static TICK: Kind = Kind::to_all("tick", Delivery::Latest);
pub static HEALTH: Kind = Kind::to_all("health", Delivery::Latest);
pub static PRESENCE: Kind = Kind::to(Scope::Read, "presence", Delivery::Latest);
pub static SHUTDOWN: Kind = Kind::to_all("shutdown", Delivery::Sure);
pub static DEVICE_PAIR_REQUESTED: Kind =
    Kind::to(Scope::Pairing, "device.pair.requested", Delivery::Sure);
pub static DEVICE_PAIR_RESOLVED: Kind =
    Kind::to(Scope::Pairing, "device.pair.resolved", Delivery::Sure);
pub static DEVICE_PAIR_CHANGED: Kind =
    Kind::to(Scope::Pairing, "device.pair.changed", Delivery::Latest);
pub static CONFIG_CHANGED: Kind = Kind::to(Scope::Read, "config.changed", Delivery::Latest);

/// Every event that this gateway sends, `connect.challenge` apart.
pub static ALL: [&Kind; 8] = [
    &TICK,
    &HEALTH,
    &PRESENCE,
    &SHUTDOWN,
    &DEVICE_PAIR_REQUESTED,
    &DEVICE_PAIR_RESOLVED,
    &DEVICE_PAIR_CHANGED,
    &CONFIG_CHANGED,
];
