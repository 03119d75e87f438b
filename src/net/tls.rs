//! The gateway's own TLS (`gateway.tls`): one certificate, replaced without dropping a connection.
//!
//! `pair` reads and judges the files; `generate` makes a self-signed pair, where upstream keeps it, and renews only
//! what we made ourselves. TLS 1.2 and 1.3, HTTP/1.1 only, no client certificates (`I11`). A new pair that does not
//! fit leaves the old one serving (`I12`).
//!
//! Remote clients pin the fingerprint of the leaf, so every renewal asks its users for a new pin: our certificates
//! live long, and `own_names` should hold only names that stay.

mod generate;
mod pair;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;

use crate::clock::UnixMs;
use crate::config::gateway;
use crate::config::problem::Problem;
use crate::net::tls::generate::Names;
use crate::net::tls::pair::Pair;

/// Why TLS cannot be served, or cannot be renewed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("gateway TLS: `{}`: {cause}", file.display())]
pub struct TlsError {
    /// The file concerned.
    pub file: PathBuf,
    /// What is wrong with it. Never a part of its content.
    pub cause: String,
    hint: String,
}

impl TlsError {
    fn new(file: &Path, cause: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { file: file.to_owned(), cause: cause.into(), hint: hint.into() }
    }

    /// What to do.
    #[must_use]
    pub fn hint(&self) -> &str {
        &self.hint
    }

    /// A problem of the file guard, which names the file itself.
    fn guarded(file: &Path, problem: &Problem) -> Self {
        let hint = problem.hint.as_deref().unwrap_or("check its owner, its mode and its place");
        Self::new(file, problem.message.as_str(), hint)
    }
}

impl From<TlsError> for Problem {
    fn from(error: TlsError) -> Self {
        Self::new("gateway.tls", error.to_string()).hint(error.hint)
    }
}

/// What a look at the files brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    /// The files hold what is served already.
    Unchanged,
    /// New handshakes get the new certificate.
    Replaced,
}

/// Where the pair lives, and whether we may write it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Source {
    cert: PathBuf,
    key: PathBuf,
    ca: Option<PathBuf>,
    /// `autoGenerate`.
    generate: bool,
    names: Names,
}

/// The gateway's TLS. Cheap to clone; clones share the certificate.
#[derive(Debug, Clone)]
pub struct Tls {
    source: Arc<Source>,
    served: Arc<Served>,
    config: Arc<ServerConfig>,
    /// One look at the files at a time.
    looking: Arc<tokio::sync::Mutex<()>>,
}

/// The pair in force; a handshake takes the one of its moment.
#[derive(Debug)]
struct Served(RwLock<Arc<Pair>>);

impl Served {
    fn current(&self) -> Arc<Pair> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn replace(&self, pair: Pair) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(pair);
    }
}

impl ResolvesServerCert for Served {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current().certified))
    }
}

impl Tls {
    /// Reads the pair that `settings` name, or the one below `state_dir`; makes one where both files are missing and
    /// `autoGenerate` allows it. `own_names`: host names and addresses under which clients reach us, loopback is added.
    /// Blocks on files: for the start, not for a request.
    ///
    /// # Errors
    /// A half pair, a key that others may read (`J1`), a key of another certificate, what cannot be read or written.
    pub fn load(
        settings: &gateway::Tls,
        state_dir: &Path,
        own_names: &[String],
        now_ms: UnixMs,
    ) -> Result<Self, TlsError> {
        let folder = state_dir.join("gateway").join("tls");
        let at =
            |path: &Option<PathBuf>, name: &str| path.clone().unwrap_or_else(|| folder.join(name));
        let source = Source {
            cert: at(&settings.cert_path, "gateway-cert.pem"),
            key: at(&settings.key_path, "gateway-key.pem"),
            ca: settings.ca_path.clone(),
            generate: settings.auto_generate,
            names: Names::new(own_names),
        };
        let pair = source.obtain(now_ms)?;
        if pair.not_after_ms <= now_ms {
            tracing::warn!(file = %source.cert.display(), "the TLS certificate has expired; hint: replace it, clients refuse it");
        }
        let served = Arc::new(Served(RwLock::new(Arc::new(pair))));
        let config = server_config(Arc::clone(&served), &source.cert)?;
        Ok(Self { source: Arc::new(source), served, config, looking: Arc::default() })
    }

    /// `sha256:` and 64 lower-case hex digits over the DER of the leaf that new handshakes get: what clients pin.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.served.current().fingerprint.clone()
    }

    /// When the served certificate ends.
    #[must_use]
    pub fn expires_at_ms(&self) -> UnixMs {
        self.served.current().not_after_ms
    }

    /// The file of the served certificate, for messages.
    #[must_use]
    pub fn cert_path(&self) -> &Path {
        &self.source.cert
    }

    /// Shakes hands with whatever certificate is in force at that moment.
    #[must_use]
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }

    /// Reads the files again, and renews a pair of our own that ends within 30 days. Connections stay as they are.
    /// To be called when a file changed, after a reload of the configuration, and once a day.
    ///
    /// # Errors
    /// The new pair does not fit; the old one keeps serving (`I12`). Missing files are never made here.
    pub async fn reload(&self, now_ms: UnixMs) -> Result<Renewal, TlsError> {
        let _alone = self.looking.lock().await;
        let source = Arc::clone(&self.source);
        let read = tokio::task::spawn_blocking(move || source.refresh(now_ms)).await;
        let pair =
            read.map_err(|error| TlsError::new(self.cert_path(), error.to_string(), "try again"))??;
        if pair.certified.cert == self.served.current().certified.cert {
            return Ok(Renewal::Unchanged);
        }
        self.served.replace(pair);
        Ok(Renewal::Replaced)
    }
}

impl Source {
    /// At the start: what is there, or a new pair where there is nothing.
    fn obtain(&self, now_ms: UnixMs) -> Result<Pair, TlsError> {
        if self.generate {
            generate::finish(self)?;
            if !self.cert.exists() && !self.key.exists() {
                generate::publish(self, now_ms)?;
            }
        }
        let pair = pair::read(self)?;
        match self.renewed(&pair, now_ms) {
            None => Ok(pair),
            Some(Ok(new)) => Ok(new),
            Some(Err(error)) if pair.not_after_ms > now_ms => {
                tracing::warn!(%error, hint = error.hint, "the TLS certificate is due and could not be renewed");
                Ok(pair)
            }
            Some(Err(error)) => Err(error),
        }
    }

    /// While running: what is there now.
    fn refresh(&self, now_ms: UnixMs) -> Result<Pair, TlsError> {
        if self.generate {
            generate::finish(self)?;
        }
        let pair = pair::read(self)?;
        self.renewed(&pair, now_ms).unwrap_or(Ok(pair))
    }

    /// The successor of a pair of our own that is due; `None` where nothing is to be done.
    fn renewed(&self, pair: &Pair, now_ms: UnixMs) -> Option<Result<Pair, TlsError>> {
        let due = self.generate && generate::is_due(pair, &self.names, now_ms);
        due.then(|| generate::publish(self, now_ms).and_then(|()| pair::read(self)))
    }
}

fn server_config(served: Arc<Served>, file: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| {
            TlsError::new(file, error.to_string(), "report this: the build offers no TLS version")
        })?
        .with_no_client_auth()
        .with_cert_resolver(served);
    // WebSocket needs HTTP/1.1; a client that speaks only h2 is told so in the handshake.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
