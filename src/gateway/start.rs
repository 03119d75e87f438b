//! A start, in order: settings, state, plan, sockets, secrets, store, services, serving.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::Arc,
};

use openclaw_auth::{Limiter, PublicKey, Scheme, Secret};
use openclaw_bind::{Plan, Waiting};
use serde::Serialize;
use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use zeroize::Zeroizing;

use crate::{
    clock::Clock,
    config::{
        gateway::{AuthMode, Gateway, TailscaleMode},
        live::Live,
        load::Loaded,
        problem::Problem,
        secret::SecretValue,
    },
    conn::serve::Door,
    devices::Devices,
    events::{
        Hub,
        health::Health,
        presence::{Entry, Presence},
    },
    logs::{Logs, Target},
    net::{
        accept::{self, House},
        http,
        listen::{self, Listener},
        strangers::Strangers,
        tls::Tls,
    },
    rpc::services::{About, Services, SystemEvents, WriteBudget},
    store::{
        Store,
        runtime_file::{self, Published, RuntimeFile, RuntimeTls},
    },
    ui::{self, Ui},
};

use super::{
    BusyPort, Failure, Options, exposure, force, notify,
    policy::{self, Facts},
    settings::{self, Settings},
    state::{State, unwritable},
    upkeep::{self, Upkeep},
};

/// Our version, as told to clients.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What a person is told of a good start.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Greeting {
    pub version: &'static str,
    pub pid: u32,
    pub urls: Vec<String>,
    pub auth_mode: &'static str,
    pub state_dir: PathBuf,
    /// The log file, or the directory of daily ones.
    pub log: PathBuf,
    pub tls_fingerprint: Option<String>,
    /// Warnings of the plan and of the configuration.
    pub notes: Vec<String>,
    /// What is still waited for.
    pub waiting: Option<String>,
    /// Where the generated token lies, when no secret is configured.
    pub token_file: Option<PathBuf>,
    /// The generated token itself, on the start that made it; shown once, to a terminal only.
    #[serde(skip)]
    pub new_token: Option<SecretValue>,
}

/// A gateway that serves.
#[derive(Debug)]
pub struct Running {
    pub greeting: Greeting,
    pub house: House,
    pub upkeep: Upkeep,
    pub(super) runtime_file: Published,
    pub(super) state: State,
    pub(super) logs: Logs,
}

/// Starts everything. Nothing listens when this fails.
///
/// # Errors
/// [`Failure`] with the fix.
pub async fn start(options: Options) -> Result<Running, Failure> {
    harden();
    let Settings { loaded, credentials } = settings::load(&options)?;
    let gateway = loaded.config.gateway.clone();
    refuse_unbuilt(gateway.tailscale.mode)?;
    let situation = exposure::situation(&gateway)?;
    let plan = exposure::plan(&gateway, &credentials, &situation)?;
    if options.busy_port == BusyPort::Take {
        force::free(gateway.port, &options.paths.state).await?;
    }
    let state = State::open(&options.paths.state)?;
    let logs = upkeep::open_logs(&state.directory, &loaded, &options.log)?;
    warn_of(&loaded);
    let listeners = bind(&plan)?;
    let locals: Vec<SocketAddr> = listeners.iter().map(|listener| listener.local).collect();
    let clock = Clock::system();
    let tls = if gateway.tls.enabled {
        Some(Arc::new(load_tls(&gateway.tls, &state, &locals, &clock).await?))
    } else {
        None
    };

    let (secret, new_token) = secret(&state, gateway.auth.effective_mode(), &credentials)?;
    let facts = Facts {
        mode: gateway.auth.effective_mode(),
        secret: secret.as_ref().map(|secret| Secret::new(secret.expose())),
        own_addresses: exposure::addresses(&situation),
        scheme: if tls.is_some() { Scheme::Https } else { Scheme::Http },
        locals,
        generation: 1,
    };
    let policy = policy::build(&gateway, &facts)?;
    let notes = notes(&plan, &loaded);
    let live = Arc::new(Live::new(loaded, options.env.clone(), options.flags.clone(), *random()?));
    let services = services(&state, &clock, &logs, (Arc::clone(&live), &facts)).await?;
    let door = Arc::new(Door::new(
        services,
        policy,
        Limiter::new(policy::limits(&gateway)),
        gateway.handshake_timeout,
    ));
    let house = House {
        door,
        site: Arc::new(http::Site::new(control_ui(&gateway, &live))),
        tls,
        strangers: Strangers::default(),
        tracker: TaskTracker::new(),
        closing: CancellationToken::new(),
        stop: CancellationToken::new(),
    };
    let greeting = greeting(
        &house,
        &facts,
        &state,
        Told {
            plan: &plan,
            logs: &logs,
            notes,
            new_token,
            configured: secret_is_configured(&credentials),
        },
    );
    let runtime_file = runtime_file::publish(&state.directory, &runtime(&greeting, &facts, &clock));
    let runtime_file = runtime_file.map_err(|error| unwritable(&state.directory, &error))?;
    accept_all(&house, listeners);
    let upkeep = Upkeep::start(&house, live, facts, notify::Watchdog::wanted(&options.env));
    notify::ready(&format!("listening on {}", greeting.urls.join(", ")));
    Ok(Running { greeting, house, upkeep, runtime_file, state, logs })
}

fn warn_of(loaded: &Loaded) {
    for warning in &loaded.warnings {
        tracing::warn!(key = warning.key.as_str(), "{}", warning.message);
    }
}

fn accept_all(house: &House, listeners: Vec<Listener>) {
    for listener in listeners {
        tracing::info!(via = listener.via.as_str(), "listening on {}", listener.local);
        house.tracker.spawn(accept::run(house.clone(), listener));
    }
}

fn control_ui(gateway: &Gateway, live: &Live) -> Ui {
    Ui::new(ui::Settings {
        enabled: gateway.control_ui.enabled,
        base_path: gateway.control_ui.base_path.clone(),
        root: gateway.control_ui.root.as_deref().map(|root| live.paths.absolute(root)),
        hsts: gateway.http.security_headers.strict_transport_security.clone(),
        version: VERSION,
    })
}

/// Files of ours are private, and a crash leaves no secrets in a core file (rows J18, E21).
fn harden() {
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    #[cfg(target_os = "linux")]
    if let Err(error) =
        rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)
    {
        tracing::debug!(%error, "core dumps stay allowed");
    }
}

/// Managed Serve and Funnel are not in this build: saying so beats a gateway that nobody can reach.
fn refuse_unbuilt(mode: TailscaleMode) -> Result<(), Problem> {
    match mode {
        TailscaleMode::Off => Ok(()),
        TailscaleMode::Serve | TailscaleMode::Funnel => {
            Err(Problem::new("gateway.tailscale.mode", format!("managed `{}` is not in this build", mode.as_str())).hint(
                "leave it `off` and run `tailscale serve 18789` yourself; clients then sign in with the token",
            ))
        }
    }
}

fn bind(plan: &Plan) -> Result<Vec<Listener>, Failure> {
    listen::bind(plan)
        .map_err(|error| Failure::User { message: error.to_string(), hint: error.hint() })
}

async fn load_tls(
    settings: &crate::config::gateway::Tls,
    state: &State,
    locals: &[SocketAddr],
    clock: &Clock,
) -> Result<Tls, Failure> {
    let names: Vec<String> = locals
        .iter()
        .map(|local| local.ip())
        .filter(|ip| !ip.is_unspecified())
        .map(|ip| ip.to_string())
        .collect();
    let (settings, directory, now) = (settings.clone(), state.directory.clone(), clock.now_ms());
    let load = move || Tls::load(&settings, &directory, &names, now);
    match tokio::task::spawn_blocking(load).await {
        Ok(Ok(tls)) => Ok(tls),
        Ok(Err(error)) => {
            Err(Problem::new("gateway.tls", error.to_string()).hint(error.hint()).into())
        }
        Err(error) => Err(Failure::Internal(error.to_string())),
    }
}

type Credentials = crate::config::resolve::Credentials;

fn secret_is_configured(credentials: &Credentials) -> bool {
    credentials.token.is_some() || credentials.password.is_some()
}

/// The secret in force, and the token when this start made it (row E8).
fn secret(
    state: &State,
    mode: AuthMode,
    credentials: &Credentials,
) -> Result<(Option<SecretValue>, Option<SecretValue>), Failure> {
    match mode {
        AuthMode::None => Ok((None, None)),
        AuthMode::Password | AuthMode::TrustedProxy => Ok((credentials.password.clone(), None)),
        AuthMode::Token if credentials.token.is_some() => Ok((credentials.token.clone(), None)),
        AuthMode::Token => {
            let (token, made) = state.token()?;
            let shown = made.then(|| token.clone());
            Ok((Some(token), shown))
        }
    }
}

fn random() -> Result<Zeroizing<[u8; 32]>, Failure> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *bytes)
        .map_err(|error| Failure::Internal(format!("no random bytes: {error}")))?;
    Ok(bytes)
}

fn notes(plan: &Plan, loaded: &Loaded) -> Vec<String> {
    let configured = loaded.warnings.iter().map(|warning| warning.message.clone());
    plan.notes.iter().map(ToString::to_string).chain(configured).collect()
}

async fn services(
    state: &State,
    clock: &Clock,
    logs: &Logs,
    facts: (Arc<Live>, &Facts),
) -> Result<Arc<Services>, Failure> {
    let (live, facts) = facts;
    let store = Store::open(&state.directory.join("gateway.sqlite"));
    let store = store.map_err(|error| {
        Problem::new("", error.to_string())
            .hint("restore it from a backup, or run the newer openclaw")
    })?;
    let devices =
        Devices::load(store).await.map_err(|error| Failure::Internal(error.to_string()))?;
    let identity = state.identity()?;
    let about = about(state, &live, facts.mode, &identity);
    let now = clock.now_ms();
    Ok(Arc::new(Services {
        presence: Presence::new(own_entry(&about, own_ip(facts), now)),
        presence_bell: Notify::new(),
        health: Health::new(now),
        hub: Hub::default(),
        devices,
        token_key: state.token_key()?,
        config: live,
        logs: Some(logs.clone()),
        system_events: SystemEvents::default(),
        writes: WriteBudget::default(),
        clock: clock.clone(),
        about,
    }))
}

fn about(state: &State, live: &Live, mode: AuthMode, identity: &PublicKey) -> About {
    About {
        version: VERSION,
        boot_id: uuid::Uuid::new_v4().to_string(),
        state_dir: state.directory.clone(),
        config_path: live.paths.config.clone(),
        device_id: identity.device_id().as_str().to_owned(),
        public_key: identity.encode(),
        pid: std::process::id(),
        auth_mode: mode.as_str(),
    }
}

/// The address by which others on the network know this host.
fn own_ip(facts: &Facts) -> Option<String> {
    let others = facts.own_addresses.iter().filter(|ip| !ip.is_loopback() && !ip.is_unspecified());
    let (v4, v6): (Vec<&IpAddr>, Vec<&IpAddr>) = others.partition(|ip| ip.is_ipv4());
    v4.first().or_else(|| v6.first()).map(|ip| ip.to_string())
}

/// The gateway's own line on the presence board.
fn own_entry(about: &About, ip: Option<String>, now: u64) -> Entry {
    let uname = rustix::system::uname();
    let host = uname.nodename().to_string_lossy().into_owned();
    Entry {
        text: format!("Gateway: {host} · app {} · mode gateway · reason self", about.version),
        host,
        ip,
        version: Some(about.version.to_owned()),
        platform: Some(format!("{} {}", std::env::consts::OS, uname.release().to_string_lossy())),
        device_family: Some(uname.sysname().to_string_lossy().into_owned()),
        mode: "gateway".to_owned(),
        reason: "self".to_owned(),
        ts: now,
        instance_id: Some(about.boot_id.clone()),
        ..Entry::default()
    }
}

struct Told<'a> {
    plan: &'a Plan,
    logs: &'a Logs,
    notes: Vec<String>,
    new_token: Option<SecretValue>,
    configured: bool,
}

fn greeting(house: &House, facts: &Facts, state: &State, told: Told<'_>) -> Greeting {
    let scheme = if house.tls.is_some() { "wss" } else { "ws" };
    let generated = facts.mode == AuthMode::Token && !told.configured;
    Greeting {
        version: VERSION,
        pid: std::process::id(),
        urls: facts.locals.iter().map(|local| listen::url(*local, scheme)).collect(),
        auth_mode: facts.mode.as_str(),
        state_dir: state.directory.clone(),
        log: match told.logs.target() {
            Target::Daily(path) | Target::File(path) => path.clone(),
        },
        tls_fingerprint: house.tls.as_ref().map(|tls| tls.fingerprint()),
        notes: told.notes,
        waiting: told
            .plan
            .waiting
            .as_ref()
            .map(|Waiting { reason, hint, .. }| format!("{reason}; {hint}")),
        token_file: generated.then(|| state.directory.join(super::state::TOKEN_FILE)),
        new_token: told.new_token,
    }
}

fn runtime(greeting: &Greeting, facts: &Facts, clock: &Clock) -> RuntimeFile {
    RuntimeFile {
        pid: greeting.pid.cast_signed(),
        port: facts.locals.first().map_or(0, SocketAddr::port),
        urls: greeting.urls.clone(),
        tls: greeting.tls_fingerprint.clone().map(|fingerprint| RuntimeTls { fingerprint }),
        started_at_ms: clock.now_ms(),
    }
}
