//! The program itself: exit codes, which stream gets what, readers that go away.
#![expect(clippy::expect_used, reason = "a test that cannot set itself up must stop")]

use std::{
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

#[expect(clippy::disallowed_methods, reason = "the program under test")]
fn program(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_openclaw"));
    command.args(arguments).env_clear().env("HOME", home).stdin(Stdio::null());
    command
}

fn home() -> TempDir {
    tempfile::tempdir().expect("temp")
}

fn run(arguments: &[&str]) -> Output {
    program(home().path(), arguments).output().expect("runs")
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("utf-8")
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("utf-8")
}

/// A port where nothing listens.
fn free_port() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
    listener.local_addr().expect("address").port().to_string()
}

#[test]
fn answers_go_to_stdout_with_exit_0() {
    for arguments in [&["--version"][..], &["--help"], &["gateway", "--help"], &["config", "file"]]
    {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert!(!output.stdout.is_empty() && output.stderr.is_empty(), "{arguments:?}");
    }
    assert!(out(&run(&["--version"])).contains("protocol 3-4"));
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(out(&run(&["completion", shell])).contains("openclaw"), "{shell}");
    }
}

#[test]
fn mistakes_go_to_stderr_with_exit_1() {
    let port = free_port();
    let rows: [&[&str]; 5] = [
        &[],
        &["nonsense"],
        &["gateway", "--bind", "everywhere"],
        &["health", "--url", "ws://127.0.0.1:9"],
        &["health", "--port", &port],
    ];
    for arguments in rows {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{arguments:?}");
    }
    let output = run(&["health", "--port", &port]);
    assert_eq!(
        err(&output),
        format!(
            "error: cannot reach `ws://127.0.0.1:{port}`: nothing listens there\n  hint: start the gateway with `openclaw gateway`, or see `openclaw gateway status`\n"
        )
    );
}

#[test]
fn json_errors_are_one_document_on_stdout() {
    let output = run(&["health", "--json", "--port", &free_port()]);
    assert_eq!((output.status.code(), err(&output).as_str()), (Some(1), ""));
    let answer: Value = serde_json::from_str(&out(&output)).expect("json");
    assert_eq!(answer["ok"], Value::Bool(false));
    assert_eq!(answer["error"]["type"], "gateway_transport_error");
}

#[test]
fn a_wrong_configuration_is_exit_78() {
    let home = home();
    let folder = home.path().join(".openclaw");
    std::fs::create_dir(&folder).expect("folder");
    std::fs::write(folder.join("openclaw.json"), "{ gateway: { prot: 1 } }").expect("write");
    for arguments in [&["config", "validate"][..], &["health"], &["config", "validate", "--json"]] {
        let output = program(home.path(), arguments).output().expect("runs");
        assert_eq!(output.status.code(), Some(78), "{arguments:?}: {}", err(&output));
    }
}

#[test]
fn instances_are_apart() {
    let rows: [(&[&str], &str); 3] = [
        (&["config", "file"], ".openclaw/openclaw.json"),
        (&["--profile", "work", "config", "file"], ".openclaw-work/openclaw.json"),
        (&["--dev", "config", "file"], ".openclaw-dev/openclaw.json"),
    ];
    for (arguments, path) in rows {
        let home = home();
        let output = program(home.path(), arguments).output().expect("runs");
        assert_eq!(out(&output).trim(), home.path().join(path).display().to_string());
        assert!(!home.path().join(".openclaw").exists(), "looking makes nothing");
    }
    let output = run(&["--profile", "../x", "config", "file"]);
    assert_eq!(output.status.code(), Some(78));
}

#[test]
fn a_pipe_gets_no_colour_and_may_close() {
    let output = run(&["config", "validate"]);
    assert!(!out(&output).contains('\u{1b}'));
    let home = home();
    let mut child = program(home.path(), &["config", "schema"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("ends");
    assert_eq!((output.status.code(), err(&output).as_str()), (Some(0), ""));
}

#[test]
fn former_names_warn_once() {
    let home = home();
    let output = program(home.path(), &["config", "file"])
        .env("CLAWDBOT_GATEWAY_PORT", "18790")
        .output()
        .expect("runs");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(err(&output).matches("CLAWDBOT_GATEWAY_PORT").count(), 1, "{}", err(&output));
}
