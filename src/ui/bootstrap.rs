//! What the official Control UI asks for before it connects: its config and the assistant's avatar.
//!
//! `net` checks `Authorization: Bearer` first; these are the paths and the bodies, with upstream's keys.
//! Features that we do not have are off here, so that the UI does not offer them.

use serde_json::{Value, json};

use crate::ui::Ui;

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
    /// The assistant is upstream's one without an identity; the UI reads names per agent once it is connected.
    #[must_use]
    pub fn bootstrap(&self) -> Value {
        json!({
            "basePath": self.base_path(),
            "assistantName": "Assistant",
            "assistantAvatar": "A",
            "assistantAvatarSource": null,
            "assistantAvatarStatus": null,
            "assistantAvatarReason": null,
            "assistantAgentId": "main",
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
