//! What a running gateway does by itself: tick, presence, health, bookkeeping, reload, watchdog.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use openclaw_auth::Secret;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tracing_subscriber::{
    EnvFilter, Layer as _, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

use crate::{
    clock::{Clock, UnixMs},
    config::{
        gateway::{AuthMode, ConsoleStyle, Gateway, Level, ReloadMode},
        live::{Live, Reload},
        load::Loaded,
        resolve,
        secret::SecretValue,
    },
    logs::{
        Logs, Place, Target,
        layer::{Console, LogLayer},
    },
    net::{
        accept::House,
        tls::{Renewal, Tls},
    },
    protocol::{frame, limits::TICK_INTERVAL},
    rpc::{methods::devices::resolved, services::Services},
};

use super::{
    Failure, LogOptions, notify,
    policy::{self, Facts},
};

/// Presence changes are gathered for this long: 500 clients that arrive at once make a handful of events.
const PRESENCE_GATHER: Duration = Duration::from_millis(100);

/// Health is rebuilt this often (upstream); also how old `lastSeenAtMs` may be after a crash.
const HOUSEKEEPING: Duration = Duration::from_secs(60);

/// How often the configuration file's time is looked at.
const WATCH: Duration = Duration::from_millis(500);

/// The background tasks.
#[derive(Debug)]
pub struct Upkeep {
    reloader: Arc<Reloader>,
}

impl Upkeep {
    /// Starts the tasks; they end with the house.
    #[must_use]
    pub fn start(
        house: &House,
        live: Arc<Live>,
        facts: Facts,
        watchdog: Option<notify::Watchdog>,
    ) -> Self {
        let services = &house.door.services;
        let spawn = |task: futures_util::future::BoxFuture<'static, ()>| {
            let closing = house.closing.clone();
            house.tracker.spawn(async move {
                tokio::select! {
                    () = closing.cancelled() => {}
                    () = task => {}
                }
            });
        };
        spawn(Box::pin(tick(Arc::clone(services))));
        spawn(Box::pin(presence(Arc::clone(services))));
        spawn(Box::pin(housekeeping(house.clone())));
        let reloader = Arc::new(Reloader::new(house.clone(), live, facts));
        spawn(Box::pin(watch(Arc::clone(&reloader))));
        spawn(Box::pin(follow(Arc::clone(&reloader))));
        if let Some(watchdog) = watchdog {
            spawn(Box::pin(keep_alive(watchdog)));
        }
        Self { reloader }
    }

    /// SIGHUP: reads the configuration again.
    pub async fn reload(&self) {
        self.reloader.reload("SIGHUP").await;
        // The files may be the same and a secret behind them not.
        self.reloader.replace_policy(&self.reloader.live.current()).await;
    }
}

async fn tick(services: Arc<Services>) {
    let mut interval = interval(TICK_INTERVAL);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval.tick().await;
    loop {
        interval.tick().await;
        services.publish_tick();
    }
}

async fn presence(services: Arc<Services>) {
    loop {
        services.presence_bell.notified().await;
        services.publish_presence();
        sleep(PRESENCE_GATHER).await;
    }
}

async fn housekeeping(house: House) {
    let services = &house.door.services;
    let mut interval = interval(HOUSEKEEPING);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval.tick().await;
    loop {
        interval.tick().await;
        let now = services.clock.now_ms();
        services.health.refresh(now);
        services.publish_health();
        if services.presence.expire(now) {
            services.presence_bell.notify_one();
        }
        match services.devices.expire(now).await {
            Ok(expired) => {
                expired.iter().for_each(|pending| resolved(services, pending, "expired", now))
            }
            Err(error) => tracing::error!(%error, "expired pairing requests could not be dropped"),
        }
        if let Err(error) = services.devices.save_seen().await {
            tracing::error!(%error, "device times could not be written");
        }
        if let Some(tls) = &house.tls {
            renew(tls, now).await;
        }
    }
}

async fn renew(tls: &Tls, now: UnixMs) {
    match tls.reload(now).await {
        Ok(Renewal::Unchanged) => {}
        Ok(Renewal::Replaced) => tracing::warn!(
            fingerprint = tls.fingerprint(),
            "the TLS certificate was replaced; clients that pin it need the new fingerprint"
        ),
        Err(error) => {
            tracing::error!(
                hint = error.hint(),
                "the TLS certificate could not be renewed, the old one stays: {error}"
            );
        }
    }
}

async fn keep_alive(watchdog: notify::Watchdog) {
    let mut interval = interval(watchdog.every);
    loop {
        interval.tick().await;
        notify::alive();
    }
}

/// Looks at the file's time and size; an editor's save is several changes, so it must hold still once.
async fn watch(reloader: Arc<Reloader>) {
    let mut known = stamp(&reloader.live.paths.config);
    loop {
        sleep(WATCH).await;
        reloader.refresh_secret().await;
        let seen = stamp(&reloader.live.paths.config);
        let reload = reloader.live.current().config.gateway.reload;
        if seen == known || reload.mode == ReloadMode::Off {
            continue;
        }
        sleep(reload.debounce).await;
        if stamp(&reloader.live.paths.config) == seen {
            known = seen;
            reloader.reload("the file changed").await;
        }
    }
}

fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

/// Applies what a configuration write of a client put in force.
async fn follow(reloader: Arc<Reloader>) {
    let mut changes = reloader.live.watch();
    while changes.changed().await.is_ok() {
        reloader.apply().await;
    }
}

/// Puts changes of the configuration in force, as far as they are safe while running.
#[derive(Debug)]
struct Reloader {
    house: House,
    live: Arc<Live>,
    facts: tokio::sync::Mutex<Facts>,
    applied: std::sync::Mutex<Arc<Loaded>>,
    /// What the policy is made of: never wider than at the start (row J10).
    in_force: std::sync::Mutex<Gateway>,
}

impl Reloader {
    fn new(house: House, live: Arc<Live>, facts: Facts) -> Self {
        let loaded = live.current();
        let in_force = std::sync::Mutex::new(loaded.config.gateway.clone());
        let facts = tokio::sync::Mutex::new(facts);
        Self { house, live, facts, applied: std::sync::Mutex::new(loaded), in_force }
    }

    async fn reload(&self, why: &str) {
        match self.live.reload().await {
            Ok(Reload::Changed) => tracing::info!("configuration read again ({why})"),
            Ok(Reload::Same) => {}
            Err(problems) => {
                tracing::error!(
                    "the changed configuration is not usable; the old one stays in force: {problems}"
                );
            }
        }
    }

    /// Compares what is in force with what was loaded and applies the difference.
    async fn apply(&self) {
        let new = self.live.current();
        let old = {
            let mut applied =
                self.applied.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            std::mem::replace(&mut *applied, Arc::clone(&new))
        };
        let change = crate::config::reload::diff(&old, &new);
        if !change.restart.is_empty() {
            tracing::warn!(keys = change.restart.join(", "), "these changes apply after a restart");
        }
        if !change.hot.is_empty() {
            tracing::info!(keys = change.hot.join(", "), "configuration changed");
            if change.hot.iter().any(|key| key.starts_with("gateway.auth.rateLimit")) {
                self.house.door.set_limits(policy::limits(&new.config.gateway));
            }
        }
        self.narrow(&new.config.gateway);
        self.replace_policy(&new).await;
        let payload = serde_json::json!({
            "path": new.paths.config, "hash": self.live.hash(new.document.as_ref()), "ts": self.clock().now_ms(),
        });
        let services = &self.house.door.services;
        services.hub.publish(&crate::events::kinds::CONFIG_CHANGED, frame::to_json(&payload), None);
    }

    fn narrow(&self, new: &Gateway) {
        let mut in_force = self.in_force.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *in_force = crate::config::reload::without_widening(&in_force, new);
    }

    /// A secret behind a file or variable may change without the configuration changing (row E18).
    async fn refresh_secret(&self) {
        let current = self.live.current();
        let auth = &current.config.gateway.auth;
        let referenced = [&auth.token, &auth.password].into_iter().flatten().any(|input| {
            input.reference().is_some_and(|reference| {
                reference.source == crate::config::secret::SecretSource::File
            })
        });
        if referenced {
            self.replace_policy(&current).await;
        }
    }

    async fn replace_policy(&self, loaded: &Arc<Loaded>) {
        let mut facts = self.facts.lock().await;
        let secret = match self.secret(loaded, &facts).await {
            Ok(secret) => secret,
            Err(error) => {
                // Fail closed: no old secret survives one that cannot be read (row E19).
                tracing::error!(
                    "the gateway's secret cannot be read; nobody gets in by it: {error}"
                );
                nobody()
            }
        };
        let rotated = match (&secret, &facts.secret) {
            (Some(new), Some(old)) => !new.same(old),
            (None, None) => false,
            (Some(_), None) | (None, Some(_)) => true,
        };
        if rotated {
            facts.secret = secret;
            facts.generation += 1;
        }
        let gateway =
            self.in_force.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        match policy::build(&gateway, &facts) {
            Ok(policy) => {
                let networks = gateway.nodes.pairing.auto_approve_cidrs;
                self.house.door.replace_policy(policy, networks);
            }
            Err(problem) => {
                tracing::error!("the changed policy is not usable; the old one stays: {problem}")
            }
        }
    }

    /// The secret for the mode of the start; a changed mode waits for a restart.
    async fn secret(&self, loaded: &Arc<Loaded>, facts: &Facts) -> Result<Option<Secret>, Failure> {
        let mode = facts.mode;
        if loaded.config.gateway.auth.effective_mode() != mode {
            return Ok(facts.secret.clone());
        }
        let work = Arc::clone(loaded);
        let credentials = tokio::task::spawn_blocking(move || resolve::credentials(&work)).await;
        let credentials = credentials.map_err(|error| Failure::Internal(error.to_string()))??;
        let configured = match mode {
            AuthMode::None => return Ok(None),
            // Optional there: it lets in clients of this host that pass no proxy.
            AuthMode::TrustedProxy => {
                return Ok(credentials.password.map(|secret| Secret::new(secret.expose())));
            }
            AuthMode::Token => credentials.token,
            AuthMode::Password => credentials.password,
        };
        match configured {
            Some(secret) => Ok(Some(Secret::new(secret.expose()))),
            None if mode == AuthMode::Token => self.generated().map(Some),
            None => Ok(nobody()),
        }
    }

    fn generated(&self) -> Result<Secret, Failure> {
        let path = self.live.paths.state.join(super::state::TOKEN_FILE);
        let read = crate::config::guard::read(&path, 4096)?;
        let text = read.map(|guarded| SecretValue::new(guarded.text.trim_end_matches('\n')));
        text.map(|token| Secret::new(token.expose()))
            .ok_or_else(|| Failure::Internal(format!("`{}` is gone", path.display())))
    }

    fn clock(&self) -> &Clock {
        &self.house.door.services.clock
    }
}

/// A secret that nobody knows.
fn nobody() -> Option<Secret> {
    let random = || uuid::Uuid::new_v4().simple().to_string();
    Some(Secret::new(format!("{}{}", random(), random())))
}

/// Opens the log file and installs the one subscriber of the process.
///
/// # Errors
/// When the log directory cannot be made.
pub fn open_logs(state: &Path, loaded: &Loaded, options: &LogOptions) -> Result<Logs, Failure> {
    let logging = &loaded.config.logging;
    let path = match &logging.file {
        Some(file) => Target::File(loaded.paths.absolute(file)),
        None => Target::Daily(state.join("logs")),
    };
    let (logs, _thread) =
        Logs::open(Place { path: path.clone(), max_bytes: logging.max_file_bytes })
            .map_err(|error| Failure::Internal(format!("cannot log to {path:?}: {error}")))?;
    let file =
        LogLayer { logs: Some(logs.clone()), clock: Clock::system(), console: Console::Silent };
    let person = LogLayer {
        logs: None,
        clock: Clock::system(),
        console: console(logging.console_style, options),
    };
    let console_level = logging.console_level.unwrap_or(logging.level);
    let subscriber = tracing_subscriber::registry()
        .with(file.with_filter(filter(options, logging.level)))
        .with(person.with_filter(filter(options, console_level)));
    // A second gateway in one process (tests) keeps the first one's subscriber.
    drop(subscriber.try_init());
    Ok(logs)
}

/// `logging.consoleStyle: json` makes every line JSON; the other styles are one short line each.
const fn console(style: ConsoleStyle, options: &LogOptions) -> Console {
    match (style, options.console) {
        (_, Console::Silent) => Console::Silent,
        (ConsoleStyle::Json, _) => Console::Json,
        (ConsoleStyle::Compact, _) => Console::Plain,
        (ConsoleStyle::Pretty, console) => console,
    }
}

/// The command line wins over the configuration.
fn filter(options: &LogOptions, level: Level) -> EnvFilter {
    let configured = match level {
        Level::Silent => "off",
        Level::Fatal | Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "info",
        Level::Debug => "openclaw=debug,info",
        Level::Trace => "openclaw=trace,info",
    };
    EnvFilter::builder().parse_lossy(options.level.as_deref().unwrap_or(configured))
}
