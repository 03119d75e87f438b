//! One question to a program: JSON in, JSON out, a deadline, and nothing of ours in its environment.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rustix::fs::FileType;
use serde_json::{Value, json};

use super::{Failure, Found, Resolver};
use crate::config::guard::{self, Facts, Holds};
use crate::config::secret::ExecProvider;

/// The official deadline: a vault over the network answers within it, a hung one does not hold the start.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The official limit of an answer.
const MAX_OUTPUT: usize = 1024 * 1024;

/// Codes of the protocol that may be shown; other text may hold the secret.
const CODES: [&str; 2] = ["NOT_FOUND", "AMBIGUOUS_DUPLICATE_KEY"];

/// Asks `provider` for `id`.
pub(super) fn ask(of: &Resolver<'_>, name: &str, provider: &ExecProvider, id: &str) -> Found {
    let command = of.paths.absolute(&provider.command);
    trust(of, &command, provider)?;
    let question = json!({ "protocolVersion": 1, "provider": name, "ids": [id] }).to_string();
    let mut child = start(of, &command, provider)?;
    let answer = talk(&mut child, &question, provider);
    // The program has answered or has not: either way its time is over.
    drop(child.kill());
    let status = child.wait();
    let text = answer?;
    if !text.is_empty() || status.is_ok_and(|status| status.success()) {
        return read_answer(&text, name, provider, id);
    }
    Err(failed(name, "ended with an error"))
}

fn failed(name: &str, what: &str) -> Failure {
    (
        format!("the secret provider `{name}` {what}"),
        "run its command by hand to see why".to_owned(),
    )
}

/// The program must be one that only we or root can replace.
fn trust(of: &Resolver<'_>, command: &Path, provider: &ExecProvider) -> Result<(), Failure> {
    let shown = command.display();
    if !provider.command.is_absolute() && !provider.command.starts_with("~") {
        return Err((format!("`{shown}` is not written as an absolute path"), String::new()));
    }
    let stat = rustix::fs::lstat(command)
        .map_err(|_error| (format!("the program `{shown}` does not exist"), String::new()))?;
    let facts = Facts::from(stat);
    if facts.kind == FileType::Symlink {
        let hint = format!("write its target: `realpath {shown}`");
        return Err((format!("`{shown}` is a symbolic link"), hint));
    }
    guard::judge_file(command, facts, guard::our_uid(), Holds::Settings).map_err(super::told)?;
    let dirs = &provider.trusted_dirs;
    if !dirs.is_empty() && !dirs.iter().any(|dir| command.starts_with(of.paths.absolute(dir))) {
        return Err((format!("`{shown}` lies outside `trustedDirs`"), String::new()));
    }
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "the user named this program as the keeper of a secret"
)]
fn start(of: &Resolver<'_>, command: &Path, provider: &ExecProvider) -> Result<Child, Failure> {
    let mut child = Command::new(command);
    child.args(&provider.args).env_clear().stdin(Stdio::piped()).stdout(Stdio::piped());
    child.stderr(Stdio::null()).current_dir("/");
    for name in &provider.pass_env {
        if let Some(value) = of.env.named(name) {
            child.env(name, value);
        }
    }
    for (name, value) in &provider.env {
        child.env(name, value.expose());
    }
    child.spawn().map_err(|error| {
        (format!("cannot start `{}`: {}", command.display(), error.kind()), String::new())
    })
}

fn talk(child: &mut Child, question: &str, provider: &ExecProvider) -> Result<String, Failure> {
    let silent = || ("the secret provider gave no answer in time".to_owned(), String::new());
    let limit = provider.max_output_bytes.unwrap_or(MAX_OUTPUT);
    let deadline = provider.timeout_ms.map_or(TIMEOUT, Duration::from_millis);
    let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(silent());
    };
    let question = format!("{question}\n");
    // Threads end when the program does: it is killed after the deadline.
    std::thread::spawn(move || drop(stdin.write_all(question.as_bytes())));
    let (send, answer) = mpsc::sync_channel(1);
    std::thread::spawn(move || drop(send.send(read_all(stdout, limit))));
    let bytes = answer.recv_timeout(deadline).map_err(|_error| silent())?;
    let bytes = bytes.ok_or_else(|| ("the answer is too long".to_owned(), String::new()))?;
    String::from_utf8(bytes).map_err(|_error| ("the answer is not UTF-8".to_owned(), String::new()))
}

fn read_all(stdout: ChildStdout, limit: usize) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let room = u64::try_from(limit).ok()?.saturating_add(1);
    stdout.take(room).read_to_end(&mut bytes).ok()?;
    (bytes.len() <= limit).then_some(bytes)
}

fn read_answer(text: &str, name: &str, provider: &ExecProvider, id: &str) -> Found {
    let parsed: Option<Value> = serde_json::from_str(text).ok();
    let spoken = parsed.filter(|answer| answer.get("protocolVersion") == Some(&json!(1)));
    let Some(answer) = spoken else {
        let plain = text.trim_end_matches(['\r', '\n']);
        return match provider.json_only {
            Some(false) if !plain.is_empty() => Ok(plain.to_owned()),
            Some(_) | None => Err(failed(name, "does not speak protocol version 1")),
        };
    };
    if let Some(value) = answer.get("values").and_then(|values| values.get(id)) {
        let text = value.as_str().map(str::to_owned);
        return text.ok_or_else(|| failed(name, "answered with something else than a text"));
    }
    let code = answer.get("errors").and_then(|errors| errors.get(id)?.get("code")?.as_str());
    match code.filter(|code| CODES.contains(code)) {
        Some(code) => Err(failed(name, &format!("has no `{id}`: {code}"))),
        None => Err(failed(name, &format!("has no `{id}`"))),
    }
}
