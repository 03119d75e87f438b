//! A self-signed pair of our own: made once, kept while it is good, renewed before it ends.
//!
//! Two files cannot be replaced in one step. Key and certificate are written next to the old ones, then the key is
//! renamed, then the certificate; a certificate that waits alone tells [`finish`] that a crash came between.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use jiff::{Timestamp, tz::TimeZone};
use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, SerialNumber, date_time_ymd,
};
use zeroize::Zeroizing;

use crate::clock::UnixMs;
use crate::config::guard;
use crate::net::tls::pair::Pair;
use crate::net::tls::{Source, TlsError};

/// The organization in the subject of what we made: nothing else is ever overwritten.
pub(super) const MARK: &str = "OpenClaw gateway, self-signed";

/// The common name, as upstream's.
const COMMON_NAME: &str = "openclaw-gateway";

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// The longest life that Apple's platforms accept is 825 days; some room for the day before.
const LIFE_MS: u64 = 820 * DAY_MS;

/// When a renewal is due, so that a gateway that restarts monthly never serves an ended one.
const RENEW_BEFORE_MS: u64 = 30 * DAY_MS;

/// A client's clock may be behind ours.
const EARLIER_MS: u64 = DAY_MS;

/// 127 bits: positive in DER and never seen before (`I11`).
const SERIAL_LEN: usize = 16;

/// The names that a certificate speaks for: lower-case host names and canonical addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Names(BTreeSet<String>);

impl Names {
    /// `own` without what no certificate can hold, and this host's loopback.
    pub(super) fn new(own: &[String]) -> Self {
        let loopback = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
        own.iter().cloned().chain(loopback).collect()
    }
}

impl FromIterator<String> for Names {
    fn from_iter<T: IntoIterator<Item = String>>(names: T) -> Self {
        Self(names.into_iter().filter_map(|name| canonical(&name)).collect())
    }
}

fn canonical(name: &str) -> Option<String> {
    let name = name
        .trim()
        .trim_start_matches('[')
        .trim_end_matches(']')
        .trim_end_matches('.')
        .to_ascii_lowercase();
    if let Ok(address) = name.parse::<IpAddr>() {
        return (!address.is_unspecified()).then(|| address.to_string());
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    (!name.is_empty() && name.bytes().all(plain)).then_some(name)
}

/// Whether a pair of our own ends soon or speaks for other names than it should.
pub(super) fn is_due(pair: &Pair, names: &Names, now_ms: UnixMs) -> bool {
    let ends_soon = pair.not_after_ms < now_ms.saturating_add(RENEW_BEFORE_MS);
    pair.ours && (ends_soon || pair.names != *names)
}

/// Completes or takes back what a crash left behind.
pub(super) fn finish(source: &Source) -> Result<(), TlsError> {
    let (cert, key) = (waiting(&source.cert), waiting(&source.key));
    if key.exists() {
        // Nothing was renamed yet: the old pair is whole. The certificate goes first, see `publish`.
        return remove(&cert).and_then(|()| remove(&key)).map_err(|error| unwritable(&key, &error));
    }
    if cert.exists() {
        return rename(&cert, &source.cert).map_err(|error| unwritable(&source.cert, &error));
    }
    Ok(())
}

/// Makes a pair and puts it in place.
pub(super) fn publish(source: &Source, now_ms: UnixMs) -> Result<(), TlsError> {
    let made = make(&source.names, now_ms).map_err(|cause| {
        TlsError::new(
            &source.cert,
            format!("cannot be generated: {cause}"),
            "set `gateway.tls.certPath` and `keyPath`",
        )
    })?;
    for file in [&source.key, &source.cert] {
        let folder = file.parent().unwrap_or_else(|| Path::new("/"));
        guard::create_private(folder).map_err(|problem| TlsError::guarded(file, &problem))?;
    }
    let (cert, key) = (waiting(&source.cert), waiting(&source.key));
    let result = write(&key, made.key.as_bytes())
        .and_then(|()| write(&cert, made.cert.as_bytes()))
        .map_err(|error| unwritable(&source.key, &error));
    if result.is_err() {
        // The order that `finish` reads; what stays is taken back at the next start.
        drop(remove(&cert));
        drop(remove(&key));
        return result;
    }
    rename(&key, &source.key).map_err(|error| unwritable(&source.key, &error))?;
    rename(&cert, &source.cert).map_err(|error| unwritable(&source.cert, &error))
}

struct Made {
    cert: String,
    key: Zeroizing<String>,
}

fn make(names: &Names, now_ms: UnixMs) -> Result<Made, String> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|error| error.to_string())?;
    let names: Vec<String> = names.0.iter().cloned().collect();
    let mut params = CertificateParams::new(names).map_err(|error| error.to_string())?;
    let (first, last) =
        (day(now_ms.saturating_sub(EARLIER_MS))?, day(now_ms.saturating_add(LIFE_MS))?);
    params.not_before = date_time_ymd(first.0, first.1, first.2);
    params.not_after = date_time_ymd(last.0, last.1, last.2);
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, COMMON_NAME);
    params.distinguished_name.push(DnType::OrganizationName, MARK);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.serial_number = Some(serial()?);
    let cert = params.self_signed(&key).map_err(|error| error.to_string())?;
    Ok(Made { cert: cert.pem(), key: Zeroizing::new(key.serialize_pem()) })
}

fn serial() -> Result<SerialNumber, String> {
    let mut bytes = [0_u8; SERIAL_LEN];
    getrandom::fill(&mut bytes).map_err(|error| error.to_string())?;
    if let Some(first) = bytes.first_mut() {
        *first = *first & 0x3f | 0x40;
    }
    Ok(SerialNumber::from_slice(&bytes))
}

/// Year, month and day in UTC, as the generator takes them.
fn day(at: UnixMs) -> Result<(i32, u8, u8), String> {
    let ms = i64::try_from(at).map_err(|error| error.to_string())?;
    let instant = Timestamp::from_millisecond(ms).map_err(|error| error.to_string())?;
    let date = instant.to_zoned(TimeZone::UTC).date();
    let part = |value: i8| u8::try_from(value).map_err(|error| error.to_string());
    Ok((i32::from(date.year()), part(date.month())?, part(date.day())?))
}

fn waiting(file: &Path) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".openclaw-new");
    file.with_file_name(name)
}

/// The mode comes before the content.
fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

fn rename(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::rename(from, to)?;
    File::open(to.parent().unwrap_or_else(|| Path::new("/")))?.sync_all()
}

fn remove(path: &Path) -> io::Result<()> {
    std::fs::remove_file(path)
        .or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

fn unwritable(path: &Path, error: &io::Error) -> TlsError {
    TlsError::new(
        path,
        format!("cannot be written: {}", error.kind()),
        "let this user write the folder, or set `gateway.tls.autoGenerate: false` and bring your own pair",
    )
}
