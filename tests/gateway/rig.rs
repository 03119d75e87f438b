//! A gateway in this process: its own home, its own port, its own environment.
//!
//! The process has one `tracing` subscriber; the rig installs it, so that a test can look at every line that
//! any gateway logged, uncut.

use std::{
    fmt::Write as _,
    fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::{Mutex, OnceLock, PoisonError},
    time::Duration,
};

use openclaw::{
    config::{
        env::Env,
        layers::Flags,
        paths::{Instance, Paths},
    },
    gateway::{
        BusyPort, Failure, LogOptions, Options, Unconfigured,
        start::{self, Running},
        stop,
    },
    logs::layer::Console,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt as _},
};

/// How long anything may take before the test fails: the machine may be busy.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// A token that no other test knows.
pub const TOKEN: &str = "tok-0123456789abcdefghijklmnopqrstuvwxyz-rig";

/// A password that no other test knows.
pub const PASSWORD: &str = "pw-0123456789abcdefghijklmnopqrstuvwxyz-rig";

/// One gateway. Dropping it ends it at once; [`TestGateway::stop`] ends it in order.
pub struct TestGateway {
    home: TempDir,
    env: Vec<(String, String)>,
    running: Option<Running>,
}

/// `gateway.*` of a gateway with [`TOKEN`].
pub fn with_token() -> Value {
    json!({ "gateway": { "mode": "local", "auth": { "mode": "token", "token": TOKEN } } })
}

/// `gateway.*` of a gateway with [`PASSWORD`].
pub fn with_password() -> Value {
    json!({ "gateway": { "mode": "local", "auth": { "mode": "password", "password": PASSWORD } } })
}

/// `base` with the keys of `more` merged in.
pub fn merged(mut base: Value, more: &Value) -> Value {
    fn merge(into: &mut Value, more: &Value) {
        match (into, more) {
            (Value::Object(into), Value::Object(more)) => {
                for (key, value) in more {
                    merge(into.entry(key).or_insert(Value::Null), value);
                }
            }
            (into, more) => *into = more.clone(),
        }
    }
    merge(&mut base, more);
    base
}

impl TestGateway {
    /// Starts a gateway with this configuration file; `null` is no file.
    pub async fn start(config: Value) -> Self {
        Self::start_in(config, &[]).await
    }

    /// The same with further environment variables.
    pub async fn start_in(config: Value, env: &[(&str, &str)]) -> Self {
        let mut gateway = Self::prepare(config, env);
        gateway.run().await.expect("the gateway starts");
        gateway
    }

    /// A home and a file, nothing running yet.
    pub fn prepare(config: Value, env: &[(&str, &str)]) -> Self {
        subscribe();
        let home = tempfile::tempdir().expect("home");
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let gateway = Self { home, env: env.collect(), running: None };
        let state = gateway.state();
        fs::create_dir(&state).expect("state");
        fs::set_permissions(&state, fs::Permissions::from_mode(0o700)).expect("mode");
        if !config.is_null() {
            gateway.write_config(&config.to_string());
        }
        gateway
    }

    /// Starts what was prepared, or starts again after [`TestGateway::stop`].
    pub async fn run(&mut self) -> Result<(), Failure> {
        self.running = Some(Box::pin(start::start(self.options())).await?);
        Ok(())
    }

    pub fn options(&self) -> Options {
        let home = ("HOME".to_owned(), self.home.path().display().to_string());
        let env = Env::of(self.env.iter().cloned().chain([home]));
        Options {
            paths: Paths::resolve(&Instance::Default, &env).expect("paths"),
            env,
            flags: Flags { port: Some(0), ..Flags::default() },
            unconfigured: Unconfigured::Refuse,
            busy_port: BusyPort::Refuse,
            log: LogOptions { console: Console::Silent, level: None },
        }
    }

    /// Ends in order: goodbye, drain, lock given back.
    pub async fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            stop::shutdown(running).await;
        }
    }

    pub async fn restart(&mut self) {
        self.stop().await;
        self.run().await.expect("the gateway starts again");
    }

    pub fn running(&self) -> &Running {
        self.running.as_ref().expect("running")
    }

    /// Takes the running gateway out, to end it by hand.
    pub fn take(&mut self) -> Running {
        self.running.take().expect("running")
    }

    /// The IPv4 loopback address that it listens on.
    pub fn addr(&self) -> SocketAddr {
        let url = self.running().greeting.urls.first().expect("a url");
        let (_, addr) = url.split_once("://").expect("a scheme");
        addr.parse().expect("an address")
    }

    /// `127.0.0.1:port`, as `Host` says it.
    pub fn host(&self) -> String {
        self.addr().to_string()
    }

    /// Its own page.
    pub fn origin(&self) -> String {
        format!("http://{}", self.host())
    }

    pub fn state(&self) -> PathBuf {
        self.home.path().join(".openclaw")
    }

    pub fn config_path(&self) -> PathBuf {
        self.state().join("openclaw.json")
    }

    /// Replaces the file as an editor does, atomically and private.
    pub fn write_config(&self, text: &str) {
        let draft = self.state().join("draft");
        fs::write(&draft, text).expect("write");
        fs::set_permissions(&draft, fs::Permissions::from_mode(0o600)).expect("mode");
        fs::rename(&draft, self.config_path()).expect("rename");
    }
}

impl Drop for TestGateway {
    fn drop(&mut self) {
        if let Some(running) = &self.running {
            running.house.closing.cancel();
            running.house.stop.cancel();
        }
    }
}

/// Every file below `directory`.
pub fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("directory") {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            found.extend(files_below(&path));
        } else {
            found.push(path);
        }
    }
    found
}

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Everything logged so far by every gateway of this process, fields in full.
pub fn logged() -> Vec<String> {
    LINES.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

struct Record;

impl<S: tracing::Subscriber> Layer<S> for Record {
    fn on_event(&self, event: &tracing::Event<'_>, _context: Context<'_, S>) {
        struct Text(String);
        impl tracing::field::Visit for Text {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                write!(self.0, " {field}={value:?}").expect("a string takes it");
            }
        }
        let metadata = event.metadata();
        let mut text = Text(format!("{} {}", metadata.level(), metadata.target()));
        event.record(&mut text);
        LINES.lock().unwrap_or_else(PoisonError::into_inner).push(text.0);
    }
}

fn subscribe() {
    static ONCE: OnceLock<()> = OnceLock::new();
    ONCE.get_or_init(|| {
        let subscriber = tracing_subscriber::registry().with(Record);
        tracing::subscriber::set_global_default(subscriber).expect("the first subscriber");
    });
}
