//! What the official Control UI asks for before it connects: its config and the assistant's avatar.
//!
//! `net` checks `Authorization: Bearer` first; these are the paths and the bodies, with upstream's keys.
//! Features that we do not have are off here, so that the UI does not offer them.

use serde_json::{Value, json};

use crate::ui::Ui;

/// The assistant that the UI greets with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Assistant<'a> {
    /// The default agent's id.
    pub agent_id: &'a str,
    /// Its display name.
    pub name: &'a str,
    /// A letter, an emoji or a URL of our own.
    pub avatar: &'a str,
}

impl Default for Assistant<'_> {
    /// Upstream's identity of an agent that has none.
    fn default() -> Self {
        Self { agent_id: "main", name: "Assistant", avatar: "A" }
    }
}

/// The longest agent id that a path may name.
const AGENT_ID_LEN: usize = 64;

impl Ui {
    /// Whether `path` asks for the bootstrap config: the 9.6 place or the older one, below the mount point.
    #[must_use]
    pub fn is_bootstrap_path(&self, path: &str) -> bool {
        self.enabled()
            && path.strip_prefix(self.base_path()).is_some_and(|rest| {
                matches!(rest, "/control-ui-config.json" | "/__openclaw/control-ui-config.json")
            })
    }

    /// The agent whose avatar `path` asks for.
    #[must_use]
    pub fn avatar_agent<'a>(&self, path: &'a str) -> Option<&'a str> {
        let agent = path.strip_prefix(self.base_path())?.strip_prefix("/avatar/")?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let first = agent.bytes().next()?;
        let valid = first.is_ascii_alphanumeric()
            && agent.len() <= AGENT_ID_LEN
            && agent.bytes().all(plain);
        (self.enabled() && valid).then_some(agent)
    }

    /// The bootstrap config of both UI generations (`serverBuildId` stays null: we have no build to compare).
    #[must_use]
    pub fn bootstrap(&self, assistant: &Assistant<'_>) -> Value {
        json!({
            "basePath": self.base_path(),
            "assistantName": assistant.name,
            "assistantAvatar": assistant.avatar,
            "assistantAvatarSource": null,
            "assistantAvatarStatus": null,
            "assistantAvatarReason": null,
            "assistantAgentId": assistant.agent_id,
            "serverVersion": self.settings.version,
            "serverBuildId": null,
            "embedSandbox": "scripts",
            "allowExternalEmbedUrls": false,
            "automaticallyFetchFavicons": false,
            "communityInvite": false,
            "terminalEnabled": false,
            "cliAgentsEnabled": false,
            "pluginAssetsRequireAuth": true,
            "pluginFrameGrants": [],
        })
    }
}

/// `/avatar/<agent>?meta=1` of an agent without an avatar, in the shape of both UI generations.
#[must_use]
pub fn avatar_meta() -> Value {
    json!({ "avatarUrl": null, "avatarSource": null, "avatarStatus": null, "avatarReason": null })
}
