//! A certificate and its key, read from files and judged together.

use std::fs::File;
use std::io::Read as _;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{CWD, Mode, OFlags};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use sha2::{Digest as _, Sha256};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;
use zeroize::Zeroizing;

use crate::clock::UnixMs;
use crate::config::guard::{self, Facts, Holds};
use crate::net::tls::generate::{MARK, Names};
use crate::net::tls::{Source, TlsError};

/// The largest PEM file: a long chain is a tenth of it, a CA bundle of a distribution fits.
const MAX_FILE: usize = 1024 * 1024;

/// The longest chain that is completed from `caPath`; public chains have three certificates.
const MAX_CHAIN: usize = 8;

/// A pair that fits, with what others ask about it.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) certified: Arc<CertifiedKey>,
    /// `sha256:` and hex of the leaf.
    pub(super) fingerprint: String,
    pub(super) not_after_ms: UnixMs,
    /// The leaf's names and addresses.
    pub(super) names: Names,
    /// Whether we made it.
    pub(super) ours: bool,
}

/// Reads certificate, key and CA file and checks that they belong together.
pub(super) fn read(source: &Source) -> Result<Pair, TlsError> {
    let text = read_file(&source.cert, Holds::Settings)?;
    let mut chain = certificates(&source.cert, &text)?;
    let key = read_file(&source.key, Holds::Secrets)?;
    let key = PrivateKeyDer::from_pem_slice(&key).map_err(|_syntax| {
        TlsError::new(
            &source.key,
            "holds no private key in PEM",
            "it needs a `-----BEGIN PRIVATE KEY-----` block without a passphrase",
        )
    })?;
    if let Some(ca) = &source.ca {
        let bundle = certificates(ca, &read_file(ca, Holds::Settings)?)?;
        complete(&mut chain, &bundle);
    }
    let leaf = chain.first().cloned().ok_or_else(|| no_certificate(&source.cert))?;
    let certified = CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(|error| {
        let cert = source.cert.display();
        if matches!(error, rustls::Error::InconsistentKeys(_)) {
            return TlsError::new(
                &source.key,
                format!("is not the key of `{cert}`"),
                "put the key and the certificate of one order there, or remove both files for a new self-signed pair",
            );
        }
        let hint = format!("check that `{cert}` and the key are made for a TLS server");
        TlsError::new(&source.key, error.to_string(), hint)
    })?;
    describe(&source.cert, &leaf, certified)
}

fn describe(
    file: &Path,
    leaf: &CertificateDer<'_>,
    certified: CertifiedKey,
) -> Result<Pair, TlsError> {
    let (_, facts) = X509Certificate::from_der(leaf).map_err(|_syntax| no_certificate(file))?;
    let hex: String = Sha256::digest(leaf).iter().map(|byte| format!("{byte:02x}")).collect();
    let ours = facts
        .subject()
        .iter_organization()
        .any(|organization| organization.as_str().is_ok_and(|name| name == MARK))
        && facts.subject() == facts.issuer();
    Ok(Pair {
        certified: Arc::new(certified),
        fingerprint: format!("sha256:{hex}"),
        not_after_ms: u64::try_from(facts.validity().not_after.timestamp())
            .unwrap_or(0)
            .saturating_mul(1000),
        names: names(&facts),
        ours,
    })
}

fn names(facts: &X509Certificate<'_>) -> Names {
    let Ok(Some(extension)) = facts.subject_alternative_name() else { return Names::default() };
    let general = extension.value.general_names.iter();
    general
        .filter_map(|name| {
            if let GeneralName::DNSName(name) = name {
                return Some((*name).to_owned());
            }
            let GeneralName::IPAddress(bytes) = name else { return None };
            address(bytes).map(|address| address.to_string())
        })
        .collect()
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    <[u8; 4]>::try_from(bytes)
        .map(IpAddr::from)
        .or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from))
        .ok()
}

/// Adds the intermediates that the chain lacks; the root itself is of no use to a client.
fn complete(chain: &mut Vec<CertificateDer<'static>>, bundle: &[CertificateDer<'static>]) {
    while chain.len() < MAX_CHAIN {
        let Some(next) = chain.last().and_then(|last| issuer_of(last, bundle)) else { return };
        chain.push(next);
    }
}

fn issuer_of(
    child: &CertificateDer<'_>,
    bundle: &[CertificateDer<'static>],
) -> Option<CertificateDer<'static>> {
    let (_, child) = X509Certificate::from_der(child).ok()?;
    bundle
        .iter()
        .find(|candidate| {
            X509Certificate::from_der(candidate).is_ok_and(|(_, facts)| {
                facts.subject() == child.issuer() && facts.subject() != facts.issuer()
            })
        })
        .cloned()
}

fn certificates(file: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    chain.ok().filter(|chain| !chain.is_empty()).ok_or_else(|| no_certificate(file))
}

fn no_certificate(file: &Path) -> TlsError {
    TlsError::new(
        file,
        "holds no X.509 certificate in PEM",
        "it needs `-----BEGIN CERTIFICATE-----` blocks, the server's own first",
    )
}

/// Opens, judges the descriptor (`J1`, `J5`), reads. Links are followed: certbot and projected volumes are made of them.
fn read_file(path: &Path, holds: Holds) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let unreadable = |kind: std::io::Error| {
        let hint = "name the right file in `gateway.tls`, or remove both files where the pair is self-signed";
        TlsError::new(path, format!("cannot be read: {}", kind.kind()), hint)
    };
    let fd = rustix::fs::openat(CWD, path, flags, Mode::empty())
        .map_err(|errno| unreadable(errno.into()))?;
    let facts = Facts::from(rustix::fs::fstat(&fd).map_err(|errno| unreadable(errno.into()))?);
    guard::judge_file(path, facts, guard::our_uid(), holds)
        .map_err(|problem| TlsError::guarded(path, &problem))?;
    // Full size at once: a buffer that grows leaves copies of a key behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_FILE / 64));
    let limit = u64::try_from(MAX_FILE).unwrap_or(u64::MAX).saturating_add(1);
    File::from(fd).take(limit).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > MAX_FILE {
        return Err(TlsError::new(
            path,
            "is larger than 1 MiB",
            "it is no certificate, key or CA bundle",
        ));
    }
    Ok(bytes)
}
