//! `logs.tail`: the newest lines of the log file, or what came after a cursor.

use std::path::PathBuf;

use openclaw_auth::Scope;
use serde::{Deserialize, Serialize};

use crate::{
    logs::{
        Logs, Target,
        tail::{self, Window},
    },
    protocol::error::ErrorShape,
    rpc::{Ctx, Entry, Gate, Method},
};

pub const METHODS: &[Entry] = &[Entry::of::<Tail>()];

#[derive(Debug)]
pub struct Tail;

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct TailParams {
    pub cursor: Option<u64>,
    pub limit: Option<i64>,
    pub max_bytes: Option<i64>,
}

#[derive(Debug, Serialize)]
pub struct TailReply {
    pub file: String,
    pub cursor: u64,
    pub size: u64,
    pub lines: Vec<String>,
    pub truncated: bool,
    pub reset: bool,
}

/// Defaults and ranges are upstream's.
const LINES: i64 = 500;
const MAX_LINES: i64 = 5000;
const BYTES: i64 = 250_000;
const MAX_BYTES: i64 = 1_000_000;

impl Method for Tail {
    const NAME: &'static str = "logs.tail";
    const GATE: Gate = Gate::Operator(Scope::Read);
    type Params = TailParams;
    type Reply = TailReply;

    async fn call(ctx: Ctx, params: TailParams) -> Result<TailReply, ErrorShape> {
        let limit = within("limit", params.limit.unwrap_or(LINES), MAX_LINES)?;
        let max_bytes = within("maxBytes", params.max_bytes.unwrap_or(BYTES), MAX_BYTES)?;
        let Some(logs) = ctx.services.logs.clone() else {
            return Err(ErrorShape::unavailable("this gateway writes no log file"));
        };
        let window = Window {
            cursor: params.cursor,
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
            max_bytes,
        };
        let read = move || {
            let Some(path) = logs.newest() else {
                return Ok((named(&logs), tail::Slice::default()));
            };
            tail::read(&path, window).map(|slice| (path, slice))
        };
        let read = tokio::task::spawn_blocking(read).await.map_err(|error| failed(&error))?;
        let (path, slice) = read.map_err(|error| failed(&error))?;
        Ok(TailReply {
            file: path.display().to_string(),
            cursor: slice.cursor,
            size: slice.size,
            lines: slice.lines,
            truncated: slice.truncated,
            reset: slice.reset,
        })
    }
}

fn named(logs: &Logs) -> PathBuf {
    match logs.target() {
        Target::Daily(path) | Target::File(path) => path.clone(),
    }
}

fn within(name: &str, value: i64, max: i64) -> Result<u64, ErrorShape> {
    let sentence = match value {
        ..1 => format!("invalid logs.tail params: at /{name}: must be >= 1"),
        value if value > max => format!("invalid logs.tail params: at /{name}: must be <= {max}"),
        value => return Ok(value.cast_unsigned()),
    };
    Err(ErrorShape::invalid(sentence))
}

fn failed(error: &dyn std::error::Error) -> ErrorShape {
    ErrorShape::unavailable(format!("the log file cannot be read: {error}"))
}
