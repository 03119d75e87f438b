//! `--force`: ends the openclaw of this user that holds the port, and waits until it is gone.

use std::{path::Path, time::Duration};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tokio::time::{Instant, sleep};

use crate::{
    net::holder::{self, Holder},
    store::runtime_file,
};

use super::Failure;

/// Longer than a gateway's own goodbye (row K14).
const PATIENCE: Duration = Duration::from_secs(10);

/// Between two looks at the port.
const LOOK: Duration = Duration::from_millis(50);

/// Frees `port`. Nothing to do where nobody listens.
///
/// # Errors
/// The port is held by something else, by somebody else, or is not given up.
pub async fn free(port: u16, state: &Path) -> Result<(), Failure> {
    let Some(who) = holder::describe(port) else { return Ok(()) };
    let ours = ours(port, state);
    if ours.is_empty() {
        return Err(refused(
            format!("port {port} is held by {who}, which is not an openclaw gateway of yours"),
            "`--force` ends only an openclaw of the same user; stop that process yourself",
        ));
    }
    for holder in &ours {
        tracing::warn!(pid = holder.pid, "--force: ending the gateway that holds port {port}");
        let ended = pid(holder).map(|pid| kill_process(pid, Signal::TERM));
        if let Some(Err(error)) = ended {
            let message = format!("pid {} cannot be ended: {error}", holder.pid);
            return Err(refused(message, "end it as the user that started it"));
        }
    }
    let deadline = Instant::now() + PATIENCE;
    while holder::describe(port).is_some() || ours.iter().any(lives) {
        if Instant::now() >= deadline {
            let message = format!("port {port} is still held after {} s", PATIENCE.as_secs());
            return Err(refused(message, "end that process yourself"));
        }
        sleep(LOOK).await;
    }
    Ok(())
}

/// Gateways on the port: those whose sockets we may look at, and the one that says so itself in our state
/// directory (a gateway hides its descriptors from its own user).
fn ours(port: u16, state: &Path) -> Vec<Holder> {
    let mut found = holder::find(port);
    let told = runtime_file::read(state).filter(|file| file.port == port);
    if let Some(file) = told.filter(|file| found.iter().all(|holder| holder.pid != file.pid)) {
        found.push(Holder { pid: file.pid, command: holder::command(file.pid) });
    }
    found.retain(|holder| holder.command.starts_with("openclaw"));
    found
}

fn pid(holder: &Holder) -> Option<Pid> {
    (holder.pid > 0).then(|| Pid::from_raw(holder.pid)).flatten()
}

fn lives(holder: &Holder) -> bool {
    pid(holder).is_some_and(|pid| test_kill_process(pid).is_ok())
}

fn refused(message: String, hint: &str) -> Failure {
    Failure::User { message, hint: hint.to_owned() }
}
