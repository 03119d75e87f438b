//! The scope that a request needs, so that a connection asks for no more.
//!
//! Only the methods that our commands and their users call often are listed; any other method gets
//! [`EVERY`], because a refusal for a missing scope would hide the real answer.

/// Reads anything but secrets.
pub const READ: &str = "operator.read";
/// Changes anything.
pub const ADMIN: &str = "operator.admin";
/// Approves devices and nodes.
pub const PAIRING: &str = "operator.pairing";
const WRITE: &str = "operator.write";
const APPROVALS: &str = "operator.approvals";

/// Everything an operator can ask for.
pub const EVERY: &[&str] =
    &[ADMIN, READ, WRITE, APPROVALS, "operator.questions", PAIRING, "operator.talk.secrets"];

const READS: &[&str] = &[
    "agent.identity.get",
    "agents.list",
    "channels.status",
    "chat.history",
    "chat.metadata",
    "chat.startup",
    "config.get",
    "config.schema",
    "config.schema.lookup",
    "cron.list",
    "cron.runs",
    "cron.status",
    "diagnostics.lanes",
    "gateway.identity.get",
    "health",
    "last-heartbeat",
    "logs.tail",
    "models.list",
    "node.describe",
    "node.list",
    "sessions.describe",
    "sessions.get",
    "sessions.list",
    "sessions.messages.subscribe",
    "sessions.preview",
    "sessions.subscribe",
    "skills.status",
    "status",
    "system-presence",
    "system.info",
    "tools.catalog",
    "usage.cost",
    "usage.status",
];

const WRITES: &[&str] = &[
    "agent",
    "agent.wait",
    "chat.abort",
    "chat.send",
    "message.action",
    "node.invoke",
    "poll",
    "send",
    "sessions.abort",
    "sessions.send",
    "wake",
];

const PAIRINGS: &[&str] = &[
    "device.pair.approve",
    "device.pair.list",
    "device.pair.reject",
    "device.pair.remove",
    "device.pair.rename",
    "device.token.revoke",
    "device.token.rotate",
    "node.pair.approve",
    "node.pair.list",
    "node.pair.reject",
    "node.pair.remove",
    "node.rename",
];

const ADMINS: &[&str] = &[
    "chat.inject",
    "config.apply",
    "config.patch",
    "config.set",
    "cron.add",
    "cron.remove",
    "cron.run",
    "cron.update",
    "sessions.compact",
    "sessions.reset",
    "set-heartbeats",
    "system-event",
];

const APPROVING: &[&str] = &[
    "exec.approval.get",
    "exec.approval.list",
    "exec.approval.request",
    "exec.approval.resolve",
    "exec.approval.waitDecision",
];

/// What a connection for `method` asks for.
#[must_use]
pub fn of_method(method: &str) -> &'static [&'static str] {
    let groups: [(&[&str], &'static [&'static str]); 5] = [
        (READS, &[READ]),
        (WRITES, &[WRITE]),
        (PAIRINGS, &[PAIRING]),
        (ADMINS, &[ADMIN]),
        (APPROVING, &[APPROVALS]),
    ];
    let group = groups.into_iter().find(|(methods, _)| methods.contains(&method));
    group.map_or(EVERY, |(_, scopes)| scopes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_asks_for_what_the_method_needs() {
        let rows: [(&str, &[&str]); 5] = [
            ("health", &["operator.read"]),
            ("device.pair.list", &["operator.pairing"]),
            ("config.set", &["operator.admin"]),
            ("chat.send", &["operator.write"]),
            ("no.such.method", EVERY),
        ];
        for (method, scopes) in rows {
            assert_eq!(of_method(method), scopes, "{method}");
        }
    }

    #[test]
    fn a_method_is_listed_once() {
        let mut all: Vec<_> = [READS, WRITES, PAIRINGS, ADMINS, APPROVING].concat();
        let listed = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), listed);
    }
}
