//! `channels.status`: the list of chat channels, which official status commands ask for. This gateway has
//! no channels yet, and the answer is an empty list of them.

use openclaw_auth::Scope;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    protocol::error::ErrorShape,
    rpc::{Ctx, Entry, Gate, Method},
};

pub const METHODS: &[Entry] = &[Entry::of::<Status>()];

#[derive(Debug)]
pub struct Status;

/// Accepted for every client's sake; there is nothing to probe.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct StatusParams {
    #[serde(default, rename = "probe")]
    _probe: Option<bool>,
    #[serde(default, rename = "timeoutMs")]
    _timeout_ms: Option<u64>,
    #[serde(default, rename = "channel")]
    _channel: Option<String>,
}

impl Method for Status {
    const NAME: &'static str = "channels.status";
    const GATE: Gate = Gate::Operator(Scope::Read);
    type Params = StatusParams;
    type Reply = Value;

    async fn call(ctx: Ctx, _params: StatusParams) -> Result<Value, ErrorShape> {
        Ok(json!({
            "ts": ctx.services.clock.now_ms(),
            "channelOrder": [],
            "channelLabels": {},
            "channelDetailLabels": {},
            "channelSystemImages": {},
            "channelMeta": [],
            "channels": {},
            "channelAccounts": {},
            "channelDefaultAccountId": {},
        }))
    }
}
