//! Gathers what [`crate::cli::target`] decides on: environment, configuration, what the running gateway wrote.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
};

use rustls::pki_types::{CertificateDer, pem::PemObject};

use crate::{
    cli::{
        context::Context,
        target::{Local, LocalTls, Secret, Sources, Wanted, made_token},
    },
    client::tls::Fingerprint,
    config::{
        gateway::Tls,
        layers::Flags,
        load::{self, Loaded, Request},
        paths::Paths,
        problem::Problems,
    },
    store::runtime_file,
};

/// Everything this instance knows. Reads files, connects nowhere.
#[must_use]
pub fn gather(context: &Context) -> Sources<'_> {
    let loaded = loaded(context);
    let config = loaded.as_ref().map(|loaded| local(loaded, &context.paths)).map_err(Clone::clone);
    Sources {
        env: &context.env,
        config,
        runtime: runtime_file::read(&context.paths.state),
        made_token: made_token(&context.paths.state),
        secret: Box::new(move |wanted| match &loaded {
            Ok(loaded) => secret(loaded, wanted),
            Err(_) => Secret::Unset,
        }),
    }
}

/// The configuration of this instance.
///
/// # Errors
/// Everything that is wrong with it.
pub fn loaded(context: &Context) -> Result<Loaded, Problems> {
    let flags = Flags::default();
    load::load(&Request { paths: &context.paths, env: &context.env, flags: &flags })
}

fn secret(loaded: &Loaded, wanted: Wanted) -> Secret {
    let auth = &loaded.config.gateway.auth;
    let input = match wanted {
        Wanted::Token => &auth.token,
        Wanted::Password => &auth.password,
    };
    let Some(input) = input else { return Secret::Unset };
    match loaded.resolver().resolve(wanted.key(), input) {
        Ok(secret) => Secret::Is(secret),
        Err(problem) => Secret::Unresolved(problem.message),
    }
}

fn local(loaded: &Loaded, paths: &Paths) -> Local {
    let gateway = &loaded.config.gateway;
    // Every bind mode keeps loopback open for this host's own clients.
    let dial = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), gateway.port);
    Local {
        mode: gateway.mode,
        dial,
        auth: Some(gateway.auth.effective_mode()),
        tls: tls(&gateway.tls, paths),
    }
}

fn tls(tls: &Tls, paths: &Paths) -> LocalTls {
    match (tls.enabled, &tls.cert_path) {
        (false, _) => LocalTls::Off,
        (true, Some(path)) => LocalTls::On(fingerprint(&paths.absolute(path))),
        (true, None) => LocalTls::On(None),
    }
}

/// The fingerprint of the first certificate in a PEM file.
fn fingerprint(path: &Path) -> Option<Fingerprint> {
    let certificate = CertificateDer::from_pem_file(path).ok()?;
    Some(Fingerprint::of(&certificate))
}
