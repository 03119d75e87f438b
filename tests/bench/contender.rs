//! The servers that are measured: started in a home of their own, watched, and ended with everything
//! that they started.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::{
    Outcome,
    client::{Ask, call, connect},
    wire::{Stream, get},
};

/// The official gateway takes 7 s on a quiet machine.
const START_WITHIN: Duration = Duration::from_secs(60);

/// Between two looks whether it is there: fine enough for a start of 12 ms.
const LOOK_AGAIN: Duration = Duration::from_micros(500);

/// What a server gets to end by itself.
const END_WITHIN: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Gateway,
    Limit,
    Official,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Limit => "limit",
            Self::Official => "official",
        }
    }
}

/// How to start a server.
#[derive(Debug, Clone)]
pub(crate) struct Contender {
    pub(crate) kind: Kind,
    pub(crate) program: PathBuf,
    /// What stands before our own arguments: a script, or a mode.
    pub(crate) arguments: Vec<PathBuf>,
    pub(crate) token: String,
}

/// A server that runs. Dropping it ends its whole process group.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) kind: Kind,
    pub(crate) addr: SocketAddr,
    pub(crate) token: String,
    pub(crate) pid: u32,
    pub(crate) born: Instant,
    child: Child,
    home: TempDir,
    ended: bool,
}

impl Contender {
    /// Starts the server; it is not ready yet.
    pub(crate) fn start(&self) -> Outcome<Server> {
        let home = TempDir::new()?;
        let port = free_port()?;
        let log = fs::File::create(home.path().join("log"))?;
        let mut command = Command::new(&self.program);
        command.args(&self.arguments);
        match self.kind {
            Kind::Limit => command.args(["--port", &port.to_string()]),
            Kind::Gateway | Kind::Official => {
                command.args(["gateway", "run", "--allow-unconfigured", "--token", &self.token]);
                command.args(["--port", &port.to_string()])
            }
        };
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", home.path())
            .env("OPENCLAW_STATE_DIR", home.path().join("state"))
            .current_dir(home.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .kill_on_drop(true);
        let born = Instant::now();
        let child = command
            .spawn()
            .map_err(|error| format!("cannot start `{}`: {error}", self.program.display()))?;
        let pid = child.id().ok_or("the server ended at once")?;
        Ok(Server {
            kind: self.kind,
            addr: (Ipv4Addr::LOCALHOST, port).into(),
            token: self.token.clone(),
            pid,
            born,
            child,
            home,
            ended: false,
        })
    }

    /// Starts the server and waits until it answers an authenticated call.
    pub(crate) async fn start_ready(&self) -> Outcome<Server> {
        let mut server = self.start()?;
        server.until_health().await?;
        Ok(server)
    }
}

impl Server {
    /// Until the first 200 on `/healthz`; the time since the start.
    pub(crate) async fn until_live(&mut self) -> Outcome<Duration> {
        loop {
            if live(self.addr).await.is_ok_and(|status| status == 200) {
                return Ok(self.born.elapsed());
            }
            self.wait_more().await?;
        }
    }

    /// Until the first answered `health`; the time since the start.
    pub(crate) async fn until_health(&mut self) -> Outcome<Duration> {
        loop {
            if health(self.addr, &self.token).await.is_ok() {
                return Ok(self.born.elapsed());
            }
            self.wait_more().await?;
        }
    }

    async fn wait_more(&mut self) -> Outcome<()> {
        let ended = self.child.try_wait()?;
        if ended.is_some() || self.born.elapsed() > START_WITHIN {
            let log = fs::read_to_string(self.home.path().join("log")).unwrap_or_default();
            let what = ended.map_or_else(|| "is not ready".to_owned(), |status| status.to_string());
            return Err(format!("the {} {what}:\n{log}", self.kind.name()).into());
        }
        tokio::time::sleep(LOOK_AGAIN).await;
        Ok(())
    }

    /// Asks it to end, then ends it.
    pub(crate) async fn stop(mut self) {
        self.signal(Signal::TERM);
        let ended = tokio::time::timeout(END_WITHIN, self.child.wait()).await;
        // What the leader left behind, while the group still has our leader's number or members.
        if ended.is_err() {
            self.signal(Signal::KILL);
            drop(self.child.wait().await);
        }
        self.ended = true;
    }

    /// The group was made by [`Contender::start`]: nobody else is in it.
    fn signal(&self, signal: Signal) {
        let leader = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        if let Some(leader) = leader {
            // A group that is gone already is what we want.
            let _gone = kill_process_group(leader, signal);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !self.ended {
            self.signal(Signal::KILL);
        }
    }
}

async fn live(addr: SocketAddr) -> Outcome<u16> {
    let mut stream = Stream::dial(addr).await?;
    stream.send(get(addr, "/healthz").as_bytes()).await?;
    stream.response().await
}

async fn health(addr: SocketAddr, token: &str) -> Outcome<()> {
    let mut socket = connect(addr, Ask::cli(token)).await?;
    drop(call(&mut socket, "health", serde_json::json!({})).await?);
    Ok(())
}

/// A port that was free a moment ago; nobody else takes it on purpose.
fn free_port() -> Outcome<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
