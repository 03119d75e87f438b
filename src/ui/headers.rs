//! What every browser is told, whatever the answer.
//!
//! The policy follows what the official bundle needs (inline styles, `data:` and `blob:` images, hashed inline
//! scripts, a worker and a service worker of its own) and stops there: `D13`, `D15`, `D16`.

use std::fmt::Write as _;

/// Ask again every time, reuse what has not changed.
pub const NO_CACHE: &str = "no-cache";

/// Keep nothing: errors and answers to one client.
pub const NO_STORE: &str = "no-store";

/// A year: the file's name holds the hash of its content.
pub const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// Who reads the answer decides what it may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum For<'a> {
    /// JSON, text, errors: nothing may run or load.
    Data,
    /// The built-in page: one inline style and a `data:` icon.
    BuiltIn {
        /// `sha256-…` of the style.
        style: &'a str,
    },
    /// The Control UI's own page and files.
    Page {
        /// The `Host` of the request, already checked.
        host: Option<&'a str>,
        /// `sha256-…` of each inline script.
        scripts: &'a [String],
    },
}

/// The security headers of one answer; names in lower case. `hsts` is sent exactly when it is configured.
#[must_use]
pub fn security(told: &For<'_>, hsts: Option<&str>) -> Vec<(&'static str, String)> {
    let mut headers = vec![
        ("content-security-policy", policy(told)),
        ("x-frame-options", "DENY".to_owned()),
        ("x-content-type-options", "nosniff".to_owned()),
        ("referrer-policy", "no-referrer".to_owned()),
        ("permissions-policy", permissions(told).to_owned()),
        ("cross-origin-opener-policy", "same-origin".to_owned()),
        ("cross-origin-resource-policy", "same-origin".to_owned()),
    ];
    if let Some(hsts) = hsts {
        headers.push(("strict-transport-security", hsts.to_owned()));
    }
    headers
}

/// The UI's voice input, camera and location of its own pages; nothing for frames of other sites.
fn permissions(told: &For<'_>) -> &'static str {
    match told {
        For::Data | For::BuiltIn { .. } => {
            "camera=(), microphone=(), geolocation=(), payment=(), usb=(), serial=()"
        }
        For::Page { .. } => {
            "camera=(self), microphone=(self), geolocation=(self), clipboard-write=(self), payment=(), usb=(), \
             serial=()"
        }
    }
}

fn policy(told: &For<'_>) -> String {
    match told {
        For::Data => {
            "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
                .to_owned()
        }
        For::BuiltIn { style } => format!(
            "default-src 'none'; style-src '{style}'; img-src data:; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'"
        ),
        For::Page { host, scripts } => page_policy(*host, scripts),
    }
}

fn page_policy(host: Option<&str>, scripts: &[String]) -> String {
    let mut policy =
        "default-src 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'; \
                      form-action 'self'; frame-src 'self'; script-src 'self'"
            .to_owned();
    for hash in scripts {
        // Writing to a String cannot fail.
        let _ = write!(policy, " '{hash}'");
    }
    policy.push_str(
        "; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' data: blob:; \
         font-src 'self' data:; worker-src 'self'; manifest-src 'self'; connect-src 'self' data: blob:",
    );
    if let Some(host) = host.filter(|host| is_source(host)) {
        let _ = write!(policy, " ws://{host} wss://{host}");
    }
    policy
}

/// A host that cannot break out of the policy. A bracketed IPv6 literal is no valid source there; `'self'` covers it.
fn is_source(host: &str) -> bool {
    !host.is_empty()
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte))
}
