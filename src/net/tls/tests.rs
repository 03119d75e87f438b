//! Rows I11, I12, J1 and J11, over an in-memory socket with a real client.

use std::os::unix::fs::{PermissionsExt as _, symlink};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio_rustls::TlsConnector;

use super::*;

const DAY: u64 = 24 * 60 * 60 * 1000;
/// 2026-06-01, some time of the day.
const NOW: u64 = 1_780_315_200_000 + 5_000;

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn load(state: &TempDir, names: &[&str], now: u64) -> Result<Tls, TlsError> {
    Tls::load(
        &gateway::Tls { enabled: true, ..gateway::Tls::default() },
        state.path(),
        &owned(names),
        now,
    )
}

fn files(state: &TempDir) -> (PathBuf, PathBuf) {
    let folder = state.path().join("gateway/tls");
    (folder.join("gateway-cert.pem"), folder.join("gateway-key.pem"))
}

/// A client that knows only the pin.
#[derive(Debug)]
struct Pin(String);

impl ServerCertVerifier for Pin {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let hex: String = Sha256::digest(leaf).iter().map(|byte| format!("{byte:02x}")).collect();
        if format!("sha256:{hex}") == self.0 {
            return Ok(ServerCertVerified::assertion());
        }
        Err(CertificateError::ApplicationVerificationFailure.into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = ring::default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, signed, &known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = ring::default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, signed, &known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

type Ends =
    (tokio_rustls::client::TlsStream<DuplexStream>, tokio_rustls::server::TlsStream<DuplexStream>);

async fn connect(tls: &Tls, pin: &str, alpn: &[&[u8]]) -> std::io::Result<Ends> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Pin(pin.to_owned())))
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    let (near, far) = tokio::io::duplex(64 * 1024);
    let name = ServerName::try_from("gateway.example").unwrap();
    let client = TlsConnector::from(Arc::new(config));
    let acceptor = tls.acceptor();
    let (client, server) = tokio::join!(client.connect(name, near), acceptor.accept(far));
    Ok((client?, server?))
}

async fn echo((client, server): &mut Ends) {
    client.write_all(b"ping").await.unwrap();
    client.flush().await.unwrap();
    let mut read = [0; 4];
    server.read_exact(&mut read).await.unwrap();
    assert_eq!(&read, b"ping");
}

/// Whether a client that trusts exactly this certificate accepts it for `name` at `at`.
fn accepts(cert: &Path, name: &str, at: u64) -> Result<(), rustls::Error> {
    let cert = CertificateDer::from_pem_file(cert).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(cert.clone()).unwrap();
    let provider = Arc::new(ring::default_provider());
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
    let at = UnixTime::since_unix_epoch(std::time::Duration::from_millis(at));
    verifier.verify_server_cert(&cert, &[], &ServerName::try_from(name).unwrap(), &[], at).map(drop)
}

#[tokio::test]
async fn a_generated_certificate_is_accepted_by_its_pin() {
    let state = TempDir::new().unwrap();
    let tls = load(&state, &["gw.example"], NOW).unwrap();
    let pin = tls.fingerprint();
    let hex = pin.strip_prefix("sha256:").unwrap();
    assert!(
        hex.len() == 64 && hex.bytes().all(|byte| b"0123456789abcdef".contains(&byte)),
        "{pin}"
    );
    let mut ends = connect(&tls, &pin, &[b"http/1.1"]).await.unwrap();
    echo(&mut ends).await;
    assert_eq!(ends.1.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    assert!(connect(&tls, &pin, &[]).await.is_ok());
    // I11: no h2, and no other certificate.
    assert!(connect(&tls, &pin, &[b"h2"]).await.is_err());
    assert!(connect(&tls, &format!("sha256:{}", "0".repeat(64)), &[]).await.is_err());
}

/// I11: own names only, and a life of its own.
#[test]
fn a_generated_certificate_speaks_for_our_names_only() {
    let state = TempDir::new().unwrap();
    let own = ["GW.Example.", "100.64.0.7", "[fd7a::1]", "0.0.0.0", "a b", "späße"];
    let tls = load(&state, &own, NOW).unwrap();
    let (cert, _) = files(&state);
    for name in ["gw.example", "100.64.0.7", "fd7a::1", "127.0.0.1", "::1", "localhost"] {
        accepts(&cert, name, NOW).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    for name in ["example", "x.gw.example", "100.64.0.8", "0.0.0.0"] {
        assert!(accepts(&cert, name, NOW).is_err(), "{name}");
    }
    assert!(accepts(&cert, "localhost", tls.expires_at_ms() - 1000).is_ok());
    assert!(accepts(&cert, "localhost", tls.expires_at_ms() + 1000).is_err());
    assert!(tls.expires_at_ms() - NOW <= 825 * DAY);
    assert!(accepts(&cert, "localhost", NOW - 2 * DAY).is_err());
}

#[test]
fn a_generated_key_is_private() {
    let state = TempDir::new().unwrap();
    load(&state, &[], NOW).unwrap();
    let (cert, key) = files(&state);
    for file in [&cert, &key] {
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{file:?}");
    }
    assert_eq!(key.parent().unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(std::fs::read_dir(key.parent().unwrap()).unwrap().count(), 2);
}

#[test]
fn a_certificate_is_kept_while_it_is_good() {
    let state = TempDir::new().unwrap();
    let first = load(&state, &["gw.example"], NOW).unwrap();
    let end = first.expires_at_ms();
    for (names, now, kept) in [
        (&["gw.example"][..], NOW, true),
        (&["GW.example.", "127.0.0.1"][..], end - 31 * DAY, true),
        (&["gw.example"][..], end - 29 * DAY, false),
    ] {
        let again = load(&state, names, now).unwrap();
        assert_eq!(again.fingerprint() == first.fingerprint(), kept, "{names:?} {now}");
    }
}

#[test]
fn other_names_make_another_certificate() {
    let state = TempDir::new().unwrap();
    let (cert, key) = files(&state);
    let one = load(&state, &["old.example"], NOW).unwrap();
    let key_before = std::fs::read(&key).unwrap();
    let two = load(&state, &["new.example"], NOW).unwrap();
    assert_ne!(one.fingerprint(), two.fingerprint());
    assert_ne!(key_before, std::fs::read(&key).unwrap());
    assert!(accepts(&cert, "new.example", NOW).is_ok());
    assert!(accepts(&cert, "old.example", NOW).is_err());
}

/// What somebody else made is used as it is, whatever its names and its end.
#[test]
fn a_foreign_certificate_is_never_overwritten() {
    let state = TempDir::new().unwrap();
    let (cert, key) = files(&state);
    write_foreign(&cert, &key);
    let before = std::fs::read(&cert).unwrap();
    let tls = load(&state, &["gw.example"], NOW).unwrap();
    let later = load(&state, &["gw.example"], tls.expires_at_ms() - DAY).unwrap();
    assert_eq!(later.fingerprint(), tls.fingerprint());
    assert_eq!(std::fs::read(&cert).unwrap(), before);
}

fn write_foreign(cert: &Path, key: &Path) {
    let made = rcgen::generate_simple_self_signed(vec!["foreign.example".to_owned()]).unwrap();
    std::fs::create_dir_all(cert.parent().unwrap()).unwrap();
    std::fs::write(cert, made.cert.pem()).unwrap();
    std::fs::write(key, made.signing_key.serialize_pem()).unwrap();
    std::fs::set_permissions(cert, std::fs::Permissions::from_mode(0o644)).unwrap();
    std::fs::set_permissions(key, std::fs::Permissions::from_mode(0o600)).unwrap();
}

type Break<'a> = Box<dyn Fn(&Path, &Path) + 'a>;

/// What is done to a good pair, which of its files is named, and the cause.
fn bad_pairs(other_key: &str) -> Vec<(&'static str, &'static str, Break<'_>)> {
    let write = |path: &Path, content: &[u8]| std::fs::write(path, content).unwrap();
    vec![
        ("key", "is not the key of", Box::new(move |_, key| write(key, other_key.as_bytes()))),
        (
            "key",
            "cannot be read: entity not found",
            Box::new(|_, key| std::fs::remove_file(key).unwrap()),
        ),
        (
            "cert",
            "cannot be read: entity not found",
            Box::new(|cert, _| std::fs::remove_file(cert).unwrap()),
        ),
        ("cert", "holds no X.509 certificate", Box::new(move |cert, _| write(cert, b"x"))),
        ("key", "holds no private key", Box::new(move |_, key| write(key, b""))),
        (
            "key",
            "holds no private key",
            Box::new(move |cert, key| write(key, &std::fs::read(cert).unwrap())),
        ),
        ("key", "others may read it", Box::new(|_, key| mode(key, 0o644))),
        ("key", "others may write", Box::new(|_, key| mode(key, 0o660))),
        ("cert", "others may write", Box::new(|cert, _| mode(cert, 0o666))),
        (
            "cert",
            "is larger than 1 MiB",
            Box::new(move |cert, _| write(cert, &vec![b'x'; 1024 * 1024 + 1])),
        ),
        (
            "key",
            "is not a regular file",
            Box::new(|_, key| {
                std::fs::remove_file(key).unwrap();
                std::fs::create_dir(key).unwrap();
            }),
        ),
    ]
}

/// J1 and I12: each refusal names the file, says the cause and a remedy, and quotes nothing of a key.
#[test]
fn a_bad_pair_is_refused_with_its_file() {
    let other = rcgen::generate_simple_self_signed(vec!["other.example".to_owned()]).unwrap();
    let other_key = other.signing_key.serialize_pem();
    for (file, cause, break_it) in bad_pairs(&other_key) {
        let state = TempDir::new().unwrap();
        let (cert, key) = files(&state);
        write_foreign(&cert, &key);
        load(&state, &[], NOW).unwrap();
        let secret = std::fs::read_to_string(&key).unwrap();
        break_it(&cert, &key);
        let error = load(&state, &[], NOW).unwrap_err();
        assert_eq!(error.file, if file == "key" { key } else { cert }, "{cause}");
        assert!(error.cause.contains(cause), "{cause}: {error}");
        assert!(!error.hint().is_empty(), "{cause}");
        for line in secret.lines().chain(other_key.lines()).filter(|line| !line.starts_with('-')) {
            assert!(!format!("{error:?} {error}").contains(line), "{cause}");
        }
    }
}

fn mode(file: &Path, mode: u32) {
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn nothing_is_generated_where_it_is_not_wanted() {
    let state = TempDir::new().unwrap();
    let settings = gateway::Tls { enabled: true, auto_generate: false, ..gateway::Tls::default() };
    let error = Tls::load(&settings, state.path(), &[], NOW).unwrap_err();
    assert_eq!(error.file, files(&state).0);
    assert_eq!(std::fs::read_dir(state.path()).unwrap().count(), 0);
}

/// I12: connections stay, new ones get the new certificate.
#[tokio::test]
async fn a_reload_swaps_without_dropping_a_connection() {
    let state = TempDir::new().unwrap();
    let (cert, key) = files(&state);
    write_foreign(&cert, &key);
    let tls = load(&state, &[], NOW).unwrap();
    let old = tls.fingerprint();
    let mut before = connect(&tls, &old, &[]).await.unwrap();
    assert_eq!(tls.reload(NOW).await, Ok(Renewal::Unchanged));

    write_foreign(&cert, &key);
    assert_eq!(tls.reload(NOW).await, Ok(Renewal::Replaced));
    let new = tls.fingerprint();
    assert_ne!(old, new);
    echo(&mut before).await;
    assert!(connect(&tls, &old, &[]).await.is_err());
    echo(&mut connect(&tls, &new, &[]).await.unwrap()).await;
}

/// I12: a new certificate with the old key, or no files at all.
#[tokio::test]
async fn a_bad_reload_keeps_the_old_pair() {
    let state = TempDir::new().unwrap();
    let (cert, key) = files(&state);
    let tls = load(&state, &[], NOW).unwrap();
    let pin = tls.fingerprint();
    let other = rcgen::generate_simple_self_signed(vec!["other.example".to_owned()]).unwrap();
    std::fs::write(&cert, other.cert.pem()).unwrap();
    let error = tls.reload(NOW).await.unwrap_err();
    assert_eq!(error.file, key);
    echo(&mut connect(&tls, &pin, &[]).await.unwrap()).await;

    std::fs::remove_file(&cert).unwrap();
    std::fs::remove_file(&key).unwrap();
    assert!(tls.reload(NOW).await.is_err());
    assert!(!cert.exists(), "renewal never makes missing files");
    assert_eq!(tls.fingerprint(), pin);
    echo(&mut connect(&tls, &pin, &[]).await.unwrap()).await;
}

#[tokio::test]
async fn a_running_gateway_renews_what_it_made() {
    let state = TempDir::new().unwrap();
    let tls = load(&state, &[], NOW).unwrap();
    let (pin, end) = (tls.fingerprint(), tls.expires_at_ms());
    assert_eq!(tls.reload(end - 31 * DAY).await, Ok(Renewal::Unchanged));
    assert_eq!(tls.reload(end - 29 * DAY).await, Ok(Renewal::Replaced));
    assert_ne!(tls.fingerprint(), pin);
    assert!(tls.expires_at_ms() > end);
    echo(&mut connect(&tls, &tls.fingerprint(), &[]).await.unwrap()).await;
}

/// J11: a crash at any step of the renewal leaves a pair that starts.
#[test]
fn a_crash_while_renewing_leaves_a_whole_pair() {
    let new = |file: &Path| {
        file.with_file_name(format!("{}.openclaw-new", file.file_name().unwrap().to_str().unwrap()))
    };
    for step in 0..4 {
        let state = TempDir::new().unwrap();
        let (cert, key) = files(&state);
        let old = load(&state, &[], NOW).unwrap().fingerprint();
        let next = TempDir::new().unwrap();
        let wanted = load(&next, &[], NOW).unwrap().fingerprint();
        let (next_cert, next_key) = files(&next);
        // As `publish` does it, up to the crash.
        std::fs::copy(&next_key, new(&key)).unwrap();
        if step >= 1 {
            std::fs::copy(&next_cert, new(&cert)).unwrap();
        }
        if step >= 2 {
            std::fs::rename(new(&key), &key).unwrap();
        }
        if step >= 3 {
            std::fs::rename(new(&cert), &cert).unwrap();
        }
        let found = load(&state, &[], NOW).unwrap().fingerprint();
        assert_eq!(found, if step >= 2 { wanted } else { old }, "step {step}");
        assert_eq!(std::fs::read_dir(cert.parent().unwrap()).unwrap().count(), 2, "step {step}");
    }
}

/// Links are how certbot and projected volumes swap a pair.
#[tokio::test]
async fn configured_paths_may_be_links_and_the_chain_is_completed() {
    let state = TempDir::new().unwrap();
    let at = |name: &str| state.path().join(name);
    let authority = |name: &str| {
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        (params, rcgen::KeyPair::generate().unwrap())
    };
    let (root, root_key) = authority("root");
    let (middle, middle_key) = authority("middle");
    let root_cert = root.self_signed(&root_key).unwrap();
    let middle_cert = middle.signed_by(&middle_key, &rcgen::Issuer::new(root, root_key)).unwrap();
    let leaf_key = rcgen::KeyPair::generate().unwrap();
    let leaf = rcgen::CertificateParams::new(vec!["gw.example".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&leaf_key, &rcgen::Issuer::new(middle, middle_key)).unwrap();
    std::fs::write(at("leaf.1"), leaf.pem()).unwrap();
    std::fs::write(at("key.1"), leaf_key.serialize_pem()).unwrap();
    mode(&at("key.1"), 0o600);
    std::fs::write(at("ca"), root_cert.pem() + &middle_cert.pem()).unwrap();
    symlink("leaf.1", at("leaf")).unwrap();
    symlink("key.1", at("key")).unwrap();
    let settings = gateway::Tls {
        enabled: true,
        auto_generate: true,
        cert_path: Some(at("leaf")),
        key_path: Some(at("key")),
        ca_path: Some(at("ca")),
    };
    let tls = Tls::load(&settings, state.path(), &[], NOW).unwrap();
    let (client, _server) = connect(&tls, &tls.fingerprint(), &[]).await.unwrap();
    let sent = client.get_ref().1.peer_certificates().unwrap().to_vec();
    assert_eq!(sent, [leaf.der().clone(), middle_cert.der().clone()]);
    assert!(!state.path().join("gateway").exists());
}

#[test]
fn a_problem_reads_as_one_of_the_configuration() {
    let error = TlsError::new(Path::new("/x/key.pem"), "is empty", "fill it");
    let problem = Problem::from(error.clone());
    assert_eq!(error.to_string(), "gateway TLS: `/x/key.pem`: is empty");
    assert_eq!((problem.key.as_str(), problem.hint.as_deref()), ("gateway.tls", Some("fill it")));
}
