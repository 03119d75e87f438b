//! TLS of a client: the public roots, or exactly one certificate.
//!
//! A pin replaces the roots and never falls back to them (`I6`); the handshake's signatures are checked as
//! always, so a copied certificate without its key is refused. The roots are compiled in: what a system
//! administrator or a proxy added to this machine does not count. TLS 1.2 and 1.3 only (`I11`).

use std::{fmt, str::FromStr, sync::Arc};

use rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{self, CryptoProvider},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use sha2::{Digest, Sha256};

use crate::client::error::{ClientError, Kind};

/// SHA-256 of a leaf certificate in DER.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint of `certificate` (DER).
    #[must_use]
    pub fn of(certificate: &[u8]) -> Self {
        Self(Sha256::digest(certificate).into())
    }
}

impl FromStr for Fingerprint {
    type Err = ClientError;

    /// `sha256:` in front and `:` between bytes may be there or not, in either case.
    fn from_str(text: &str) -> Result<Self, ClientError> {
        let refuse = || {
            ClientError::new(Kind::Target, "not a certificate fingerprint")
                .hint("write the 64 hex digits of its SHA-256, as in `sha256:ab12…`")
        };
        let lower = text.trim().to_ascii_lowercase();
        let digits = lower.strip_prefix("sha256:").unwrap_or(&lower).replace(':', "");
        if digits.len() != 64 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(refuse());
        }
        let mut bytes = [0_u8; 32];
        for (at, byte) in bytes.iter_mut().enumerate() {
            let pair = digits.get(at * 2..at * 2 + 2).ok_or_else(refuse)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_all_are_hex| refuse())?;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The configuration for one dial.
///
/// # Errors
/// The TLS library refuses its own defaults: a fault of the build.
pub fn config(pin: Option<Fingerprint>) -> Result<Arc<ClientConfig>, Error> {
    let provider = Arc::new(crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?;
    let mut config = match pin {
        Some(pin) => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Pinned { pin, provider }))
            .with_no_client_auth(),
        None => builder
            .with_root_certificates(RootCertStore {
                roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
            })
            .with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Words of a refused certificate, so that [`explain`] can tell it from other failures.
const MISMATCH: &str = "the certificate is not the pinned one";

/// A failed TLS handshake as a person reads it.
#[must_use]
pub fn explain(error: &std::io::Error) -> ClientError {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    match inner {
        Some(Error::General(text)) if text.starts_with(MISMATCH) => {
            ClientError::new(Kind::Tls, text.clone()).hint(
                "if the gateway's certificate was renewed, read the new fingerprint on the gateway host with `openclaw gateway status`; otherwise someone stands in between",
            )
        }
        Some(Error::InvalidCertificate(why)) => {
            ClientError::new(Kind::Tls, format!("the certificate is not trusted: {why:?}")).hint(
                "for a gateway's own certificate pass `--tls-fingerprint` with what `openclaw gateway status` prints on the gateway host",
            )
        }
        Some(_) | None => ClientError::new(Kind::Tls, format!("TLS failed: {error}"))
            .hint("if the gateway speaks plain WebSocket there, write `ws://`"),
    }
}

#[derive(Debug)]
struct Pinned {
    pin: Fingerprint,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let presented = Fingerprint::of(end_entity);
        if presented != self.pin {
            return Err(Error::General(format!(
                "{MISMATCH}: presented {presented}, pinned {}",
                self.pin
            )));
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_read_in_every_usual_spelling() {
        let plain = "ab".repeat(32);
        let colons = vec!["AB"; 32].join(":");
        for text in
            [plain.clone(), format!("sha256:{plain}"), colons.clone(), format!("SHA256:{colons}")]
        {
            let print: Fingerprint = text.parse().expect(&text);
            assert_eq!(print.to_string(), format!("sha256:{plain}"));
        }
        for text in ["", "sha256:", "abc", &"zz".repeat(32), &"ab".repeat(31), &"é".repeat(32)] {
            assert!(text.parse::<Fingerprint>().is_err(), "{text}");
        }
    }
}
