//! What keys mean together: pairs that would not start, or would start too open.
//!
//! Each rule is one function and names its row of the attack table. Rules judge words, not the host:
//! addresses, containers and tailscaled are `openclaw-bind`'s. A secret that may be set for the service
//! alone is asked for at the start, not when a file is saved.

use std::collections::BTreeSet;

use openclaw_auth::secret::{Exposure, Secret, vet};
use openclaw_bind::Mode as Bind;

use crate::config::check::Findings;
use crate::config::gateway::{AuthMode, BindMode, Config, Mode, ReloadMode, TailscaleMode};
use crate::config::layers::Provenance;
use crate::config::load::Purpose;
use crate::config::problem::{Problem, Warning};
use crate::config::redact::SENTINEL;

/// What the rules look at.
#[derive(Debug)]
pub struct Case<'c> {
    /// The typed configuration.
    pub config: &'c Config,
    /// Where its values came from.
    pub sources: &'c Provenance,
    /// To start or to save.
    pub purpose: Purpose,
    /// Keys whose variable is not set; already reported.
    pub unset: BTreeSet<String>,
}

/// Applies every rule.
pub fn apply(case: &Case<'_>, found: &mut Findings) {
    custom_host(case, found);
    serve_needs_loopback(case, found);
    none_is_for_loopback(case, found);
    funnel_needs_password(case, found);
    exposure_needs_secret(case, found);
    mode_needs_its_secret(case, found);
    two_secrets_need_a_mode(case, found);
    trusted_proxy(case, found);
    secrets_are_secret(case, found);
    tls_pair(case, found);
    remote_has_a_target(case, found);
    reload_off_is_said(case, found);
}

impl Case<'_> {
    fn problem(&self, key: &str, message: impl Into<String>) -> Problem {
        let source = match self.sources.is_written(key) {
            true if self.sources.place(key).is_none() => {
                format!(" (from {})", self.sources.of(key))
            }
            true | false => String::new(),
        };
        Problem::new(key, message.into() + &source).at(self.sources.place(key))
    }

    /// A problem at the start, a warning when saving.
    fn needed_to_start(&self, key: &str, message: &str, hint: &str, found: &mut Findings) {
        match self.purpose {
            Purpose::Start => found.problems.push(self.problem(key, message).hint(hint)),
            Purpose::Save => found.warnings.push(Warning::new(key, message, hint)),
        }
    }

    fn stays_on_loopback(&self) -> bool {
        stays_on_loopback(self.config)
    }

    fn publishes(&self) -> bool {
        self.config.gateway.tailscale.mode != TailscaleMode::Off
    }

    fn exposure(&self) -> Exposure {
        exposure(self.config)
    }
}

/// Whether the words alone keep the sockets on loopback; `auto` is judged by `openclaw-bind`.
fn stays_on_loopback(config: &Config) -> bool {
    match config.gateway.bind {
        BindMode::Loopback | BindMode::Auto => true,
        BindMode::Custom => config.gateway.custom_address().is_some_and(|ip| ip.is_loopback()),
        BindMode::Lan | BindMode::Tailnet => false,
    }
}

/// Who can reach the gateway, as far as the words say.
pub fn exposure(config: &Config) -> Exposure {
    let published = config.gateway.tailscale.mode != TailscaleMode::Off;
    let proxied = !config.gateway.trusted_proxies.is_empty();
    match stays_on_loopback(config) && !published && !proxied {
        true => Exposure::Local,
        false => Exposure::Exposed,
    }
}

/// `A7`, `A9`-`A13`: one canonical literal, or nothing.
fn custom_host(case: &Case<'_>, found: &mut Findings) {
    let gateway = &case.config.gateway;
    let host = gateway.custom_bind_host.as_deref();
    if gateway.bind != BindMode::Custom {
        if host.is_some() {
            let hint = "set `gateway.bind` to `custom`, or remove the key";
            let key = "gateway.customBindHost";
            found.warnings.push(Warning::new(key, "only `bind: \"custom\"` reads this", hint));
        }
        return;
    }
    if let Err(refusal) = Bind::parse("custom", host) {
        let problem = case.problem("gateway.customBindHost", refusal.to_string());
        found.problems.push(problem.hint(refusal.hint()));
    }
}

/// `A24`: Serve and Funnel forward to loopback.
fn serve_needs_loopback(case: &Case<'_>, found: &mut Findings) {
    let gateway = &case.config.gateway;
    if !case.publishes() || (case.stays_on_loopback() && gateway.bind != BindMode::Auto) {
        return;
    }
    let (mode, bind) = (gateway.tailscale.mode.as_str(), gateway.bind.as_str());
    let message = format!("`tailscale.mode: \"{mode}\"` does not go with `bind: \"{bind}\"`");
    let problem = case.problem("gateway.tailscale.mode", message);
    found.problems.push(problem.hint(
        "set `gateway.bind` to `loopback` (Serve reaches it there), or `gateway.tailscale.mode` to `off`",
    ));
}

/// `A25`: without auth only loopback may listen.
fn none_is_for_loopback(case: &Case<'_>, found: &mut Findings) {
    let gateway = &case.config.gateway;
    if gateway.auth.mode != Some(AuthMode::None) {
        return;
    }
    let exposure = if !case.stays_on_loopback() {
        format!("`bind: \"{}\"`", gateway.bind.as_str())
    } else if case.publishes() {
        format!("`tailscale.mode: \"{}\"`", gateway.tailscale.mode.as_str())
    } else if !gateway.trusted_proxies.is_empty() {
        "`trustedProxies`".to_owned()
    } else {
        return;
    };
    let message = format!("`none` lets everybody in and does not go with {exposure}");
    let problem = case.problem("gateway.auth.mode", message);
    found
        .problems
        .push(problem.hint("set `gateway.auth.mode` to `token` and `gateway.auth.token`"));
}

/// `A26`: the whole internet may try.
fn funnel_needs_password(case: &Case<'_>, found: &mut Findings) {
    let gateway = &case.config.gateway;
    if gateway.tailscale.mode != TailscaleMode::Funnel {
        return;
    }
    if gateway.auth.effective_mode() != AuthMode::Password {
        let problem =
            case.problem("gateway.tailscale.mode", "Funnel is public and needs a password");
        found.problems.push(problem.hint(
            "set `gateway.auth.mode` to `password` and `gateway.auth.password` to 16 bytes or more",
        ));
    }
}

/// Row 3 of the product: everything but loopback needs a configured secret.
fn exposure_needs_secret(case: &Case<'_>, found: &mut Findings) {
    let auth = &case.config.gateway.auth;
    let configured = match auth.effective_mode() {
        AuthMode::Token => auth.token.is_some(),
        AuthMode::Password => auth.password.is_some(),
        AuthMode::None | AuthMode::TrustedProxy => true,
    };
    if configured || case.stays_on_loopback() {
        return;
    }
    let bind = case.config.gateway.bind.as_str();
    let message =
        format!("`{bind}` is reachable from outside and no token or password is configured");
    let hint = "set `gateway.auth.token` (`openssl rand -base64 32`) or `OPENCLAW_GATEWAY_TOKEN`";
    case.needed_to_start("gateway.bind", &message, hint, found);
}

/// A mode without the secret it compares with could let nobody in. A token is made where none is (`E8`).
fn mode_needs_its_secret(case: &Case<'_>, found: &mut Findings) {
    let auth = &case.config.gateway.auth;
    if auth.mode == Some(AuthMode::Password) && auth.password.is_none() {
        let hint = "set `gateway.auth.password` or `OPENCLAW_GATEWAY_PASSWORD`";
        let message = "no password is configured";
        case.needed_to_start("gateway.auth.mode", message, hint, found);
    }
}

/// `E7`: two secrets, and nobody said which counts.
fn two_secrets_need_a_mode(case: &Case<'_>, found: &mut Findings) {
    let auth = &case.config.gateway.auth;
    if auth.mode.is_none() && auth.token.is_some() && auth.password.is_some() {
        let message = format!(
            "a token (from {}) and a password (from {}) are configured and no mode",
            case.sources.of("gateway.auth.token"),
            case.sources.of("gateway.auth.password")
        );
        found.problems.push(
            Problem::new("gateway.auth.mode", message)
                .at(case.sources.place("gateway.auth.password"))
                .hint("set `gateway.auth.mode` to `token` or `password`"),
        );
    }
}

/// `E23` and what a proxy's word needs.
fn trusted_proxy(case: &Case<'_>, found: &mut Findings) {
    let gateway = &case.config.gateway;
    if gateway.auth.mode != Some(AuthMode::TrustedProxy) {
        return;
    }
    if gateway.auth.token.is_some() {
        let message = "a token beside `trusted-proxy` would be a way around the proxy";
        let problem = case.problem("gateway.auth.token", message);
        found
            .problems
            .push(problem.hint("remove the token, or set `gateway.auth.mode` to `token`"));
    }
    let header = gateway.auth.trusted_proxy.as_ref().map(|proxy| proxy.user_header.as_str());
    if header.is_none_or(str::is_empty) {
        let message = "`trusted-proxy` needs the header in which the proxy names the user";
        let problem = case.problem("gateway.auth.trustedProxy.userHeader", message);
        found.problems.push(problem.hint("for example `x-forwarded-user`"));
    }
    if gateway.trusted_proxies.is_empty() {
        let message = "`trusted-proxy` needs the addresses of the proxies";
        let problem = case.problem("gateway.trustedProxies", message);
        found.problems.push(problem.hint("list the proxy, for example `[\"10.0.0.5\"]`"));
    }
    let loopback = gateway.trusted_proxies.iter().all(|net| net.addr().is_loopback());
    let allowed = gateway.auth.trusted_proxy.as_ref().is_some_and(|proxy| proxy.allow_loopback);
    if loopback && !allowed && !gateway.trusted_proxies.is_empty() {
        let message = "every listed proxy is on this host and `allowLoopback` is off";
        let problem = case.problem("gateway.auth.trustedProxy.allowLoopback", message);
        found.problems.push(problem.hint("set it to `true` if the proxy runs here"));
    }
}

/// `E1`-`E5`: only what is written out can be judged here; references are judged when they resolve.
fn secrets_are_secret(case: &Case<'_>, found: &mut Findings) {
    let gateway = &case.config.gateway;
    let own = [
        ("gateway.auth.token", &gateway.auth.token, AuthMode::Token),
        ("gateway.auth.password", &gateway.auth.password, AuthMode::Password),
    ];
    for (key, input, mode) in own {
        let Some(text) = input.as_ref().and_then(|input| input.plain()) else { continue };
        if case.unset.contains(key) || is_sentinel(case, key, text, found) {
            continue;
        }
        // A secret that the mode does not compare with guards nothing, but must still be one.
        let exposure = match gateway.auth.effective_mode() == mode {
            true => case.exposure(),
            false => Exposure::Local,
        };
        match vet(&Secret::new(text), exposure) {
            Ok(warnings) => found.warnings.extend(warnings.iter().map(|warning| {
                Warning::new(key, warning.to_string(), "32 random bytes: `openssl rand -base64 32`")
            })),
            Err(refusal) => {
                found.problems.push(case.problem(key, refusal.to_string()).hint(refusal.hint()));
            }
        }
    }
    let remote = [
        ("gateway.remote.token", &gateway.remote.token),
        ("gateway.remote.password", &gateway.remote.password),
    ];
    for (key, input) in remote {
        let Some(text) = input.as_ref().and_then(|input| input.plain()) else { continue };
        if case.unset.contains(key) || is_sentinel(case, key, text, found) {
            continue;
        }
        if let Err(refusal) = vet(&Secret::new(text), Exposure::Local) {
            found.problems.push(case.problem(key, refusal.to_string()).hint(refusal.hint()));
        }
    }
}

/// `E3`: a redacted view was saved as if it were the file.
fn is_sentinel(case: &Case<'_>, key: &str, text: &str, found: &mut Findings) -> bool {
    let sentinel = text.contains(SENTINEL);
    if sentinel {
        let problem = case.problem(key, "this is the mark that stands for a hidden secret");
        found.problems.push(problem.hint("write the secret itself"));
    }
    sentinel
}

/// Half a pair never serves.
fn tls_pair(case: &Case<'_>, found: &mut Findings) {
    let tls = &case.config.gateway.tls;
    let missing = match (&tls.cert_path, &tls.key_path) {
        (Some(_), None) => "gateway.tls.keyPath",
        (None, Some(_)) => "gateway.tls.certPath",
        (Some(_), Some(_)) => return,
        (None, None) if tls.enabled && !tls.auto_generate => "gateway.tls.certPath",
        (None, None) => return,
    };
    let problem = case.problem(missing, "certificate and key go together");
    found.problems.push(problem.hint("set `gateway.tls.certPath` and `gateway.tls.keyPath`"));
}

/// A host that only dials needs somebody to dial.
fn remote_has_a_target(case: &Case<'_>, found: &mut Findings) {
    let gateway = &case.config.gateway;
    let target = gateway.remote.url.is_some() || gateway.remote.ssh_target.is_some();
    if gateway.mode == Mode::Remote && !target {
        let hint = "set `gateway.remote.url` or `gateway.remote.sshTarget`";
        let message = "`remote` mode names no gateway";
        found.warnings.push(Warning::new("gateway.remote.url", message, hint));
    }
}

/// Somebody who switched reload off should not wonder why an edit does nothing.
fn reload_off_is_said(case: &Case<'_>, found: &mut Findings) {
    if case.config.gateway.reload.mode == ReloadMode::Off {
        let message = "edits wait for the next start";
        found.warnings.push(Warning::new("gateway.reload.mode", message, ""));
    }
}
