//! `config.*`: reading, changing and describing the configuration file.
//!
//! Every write names the text it was made against (`baseHash`), is checked as a whole before a byte is
//! written, and keeps comments. What needs a restart is said; nothing restarts by itself.

use std::sync::Arc;

use openclaw_auth::Scope;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    config::{
        document,
        edit::Edit,
        live::Live,
        problem::Problems,
        redact, reload, schema,
        snapshot::{self, View},
    },
    protocol::error::ErrorShape,
    rpc::{Ctx, Effect, Entry, Gate, Method},
};

use super::NoParams;

pub const METHODS: &[Entry] = &[
    Entry::of::<Get>(),
    Entry::of::<Set>(),
    Entry::of::<Apply>(),
    Entry::of::<Patch>(),
    Entry::of::<Schema>(),
    Entry::of::<Lookup>(),
];

const ADMIN: Gate = Gate::Operator(Scope::Admin);

/// The file as clients may see it: secrets are replaced by a sentinel.
#[derive(Debug)]
pub struct Get;

impl Method for Get {
    const NAME: &'static str = "config.get";
    const GATE: Gate = Gate::Operator(Scope::Read);
    type Params = NoParams;
    type Reply = Value;

    async fn call(ctx: Ctx, _params: NoParams) -> Result<Value, ErrorShape> {
        Ok(view(&ctx.services.config).await)
    }
}

async fn view(live: &Arc<Live>) -> Value {
    let applied = live.current();
    let read = live.read().await;
    let view = View {
        paths: &live.paths,
        document: read.document.as_ref(),
        outcome: read.outcome.as_deref(),
        applied: applied.document.as_ref(),
        key: live.key(),
    };
    snapshot::snapshot(&view)
}

/// Params of the writers. Clients send more than we use; what we use is here.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct WriteParams {
    raw: String,
    #[serde(default)]
    base_hash: Option<String>,
    #[serde(default, rename = "sessionKey")]
    _session_key: Option<String>,
    #[serde(default, rename = "deliveryContext")]
    _delivery_context: Option<Value>,
    #[serde(default, rename = "note")]
    _note: Option<String>,
    #[serde(default, rename = "restartDelayMs")]
    _restart_delay_ms: Option<u64>,
    #[serde(default, rename = "replacePaths")]
    _replace_paths: Option<Vec<String>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WriteReply {
    ok: bool,
    path: String,
    hash: Value,
    config: Value,
    changed_paths: Vec<String>,
    /// Keys that were written and apply after a restart.
    restart_required: Vec<&'static str>,
}

/// Replaces the whole text.
#[derive(Debug)]
pub struct Set;

impl Method for Set {
    const NAME: &'static str = "config.set";
    const GATE: Gate = ADMIN;
    const EFFECT: Effect = Effect::ControlPlaneWrite;
    type Params = WriteParams;
    type Reply = WriteReply;

    async fn call(ctx: Ctx, params: WriteParams) -> Result<WriteReply, ErrorShape> {
        write(&ctx, Edit::Replace(params.raw), params.base_hash).await
    }
}

/// As [`Set`]: what can apply at once does, the rest is named.
#[derive(Debug)]
pub struct Apply;

impl Method for Apply {
    const NAME: &'static str = "config.apply";
    const GATE: Gate = ADMIN;
    const EFFECT: Effect = Effect::ControlPlaneWrite;
    type Params = WriteParams;
    type Reply = WriteReply;

    async fn call(ctx: Ctx, params: WriteParams) -> Result<WriteReply, ErrorShape> {
        write(&ctx, Edit::Replace(params.raw), params.base_hash).await
    }
}

/// Merges an object: `null` removes a key, objects merge, everything else replaces (RFC 7396).
#[derive(Debug)]
pub struct Patch;

impl Method for Patch {
    const NAME: &'static str = "config.patch";
    const GATE: Gate = ADMIN;
    const EFFECT: Effect = Effect::ControlPlaneWrite;
    type Params = WriteParams;
    type Reply = WriteReply;

    async fn call(ctx: Ctx, params: WriteParams) -> Result<WriteReply, ErrorShape> {
        let patch = document::parse_value(&params.raw).ok().filter(Value::is_object);
        let patch =
            patch.ok_or_else(|| ErrorShape::invalid("config.patch raw must be an object"))?;
        write(&ctx, Edit::Merge(patch), params.base_hash).await
    }
}

async fn write(ctx: &Ctx, edit: Edit, base: Option<String>) -> Result<WriteReply, ErrorShape> {
    let live = &ctx.services.config;
    let before = live.current();
    let change = live.write(vec![edit], base).await.map_err(|problems| refused(&problems))?;
    let after = live.current();
    let difference = reload::diff(&before, &after);
    let changed = difference.hot.iter().chain(&difference.restart).map(|key| (*key).to_owned());
    let changed_paths: Vec<String> = changed.chain(difference.sections.iter().cloned()).collect();
    tracing::info!(
        keys = changed_paths.join(", "),
        differs = change.differs,
        "configuration written by a client"
    );
    Ok(WriteReply {
        ok: true,
        path: live.paths.config.display().to_string(),
        hash: live.hash(after.document.as_ref()).into(),
        config: redact::redact(&after.tree.value),
        changed_paths,
        restart_required: difference.restart,
    })
}

/// Every problem in one sentence, and each on its own in the details.
fn refused(problems: &Problems) -> ErrorShape {
    let issues: Vec<Value> = problems.list.iter().map(snapshot::issue).collect();
    match problems.list.as_slice() {
        [only] if only.key.is_empty() => ErrorShape::invalid(only.message.clone()),
        list => {
            let sentences: Vec<String> = list
                .iter()
                .map(|problem| format!("{}: {}", problem.key, problem.message))
                .collect();
            ErrorShape::invalid(format!("invalid config: {}", sentences.join("; ")))
                .with_details(json!({ "issues": issues }))
        }
    }
}

/// The JSON Schema of the file with the hints that a form needs.
#[derive(Debug)]
pub struct Schema;

impl Method for Schema {
    const NAME: &'static str = "config.schema";
    const GATE: Gate = Gate::Operator(Scope::Read);
    type Params = NoParams;
    type Reply = Value;

    async fn call(ctx: Ctx, _params: NoParams) -> Result<Value, ErrorShape> {
        let at = jiff::Timestamp::from_millisecond(ctx.services.clock.now_ms().cast_signed())
            .unwrap_or_default();
        Ok(schema::reply(ctx.services.about.version, &at.to_string()))
    }
}

/// The schema of one path.
#[derive(Debug)]
pub struct Lookup;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LookupParams {
    path: String,
}

impl Method for Lookup {
    const NAME: &'static str = "config.schema.lookup";
    const GATE: Gate = Gate::Operator(Scope::Read);
    type Params = LookupParams;
    type Reply = Value;

    async fn call(_ctx: Ctx, params: LookupParams) -> Result<Value, ErrorShape> {
        schema::lookup(&params.path)
            .ok_or_else(|| ErrorShape::invalid("config schema path not found"))
    }
}
