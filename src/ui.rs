//! The Control UI over HTTP, without sockets: a path in, a whole answer out.
//!
//! `headers` says what every browser is told (`D13`, `D15`, `D16`), `files` reads below the root folder and
//! nowhere else (`G9`), `index` fits an official `index.html` to our base path, `builtin` is the page that we show
//! when there is no folder, `bootstrap` is what the official UI asks for before it connects.
//! `net` authenticates the bootstrap and avatar paths and calls [`Ui::respond`] for what nothing else answers.
//!
//! Differences from the official gateway, all narrower: no symbolic link below the root is followed, pages may
//! reach only the host they came from (no `https:` images, fonts or voice services), WebAssembly is off because the
//! terminal that needs it is, and a root that cannot be read gives the built-in page in place of a 503.

pub mod bootstrap;
mod builtin;
mod files;
pub mod headers;
mod index;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;

use crate::ui::files::{Miss, Wanted};
use crate::ui::headers::{For, NO_CACHE, NO_STORE};

/// What the configuration says about the Control UI.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// `gateway.controlUi.enabled`.
    pub enabled: bool,
    /// `gateway.controlUi.basePath`: empty, or `/x` without a trailing slash.
    pub base_path: String,
    /// `gateway.controlUi.root`: a folder that holds an official Control UI.
    pub root: Option<PathBuf>,
    /// `gateway.http.securityHeaders.strictTransportSecurity`, sent as it is.
    pub hsts: Option<String>,
    /// The version that the built-in page and the bootstrap name.
    pub version: &'static str,
}

/// One HTTP request, as far as the Control UI cares.
#[derive(Debug, Clone, Copy, Default)]
pub struct Request<'a> {
    /// The method, upper case.
    pub method: &'a str,
    /// The canonical path, decoded once, without the query.
    pub path: &'a str,
    /// `If-None-Match`.
    pub if_none_match: Option<&'a str>,
    /// `Accept-Encoding`; `None` = only plain bytes.
    pub accept_encoding: Option<&'a str>,
    /// `Host` after its own check; names the WebSocket in `connect-src` for browsers whose `'self'` does not cover it.
    pub host: Option<&'a str>,
}

/// A whole answer. `Content-Length` is among the headers, so that HEAD says the same as GET.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Header names in lower case, each at most once.
    pub headers: Vec<(&'static str, String)>,
    /// The body; empty for HEAD and 304.
    pub body: Bytes,
}

impl Reply {
    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str())
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// The Control UI of one gateway.
#[derive(Debug)]
pub struct Ui {
    settings: Settings,
    /// The log hears once about a root that cannot be used, not once per request (`J14`).
    complained: AtomicBool,
}

impl Ui {
    /// Nothing is read yet: a folder that appears later is found later.
    #[must_use]
    pub fn new(mut settings: Settings) -> Self {
        let base = settings.base_path.trim_end_matches('/').len();
        settings.base_path.truncate(base);
        Self { settings, complained: AtomicBool::new(false) }
    }

    /// Whether the Control UI is served at all.
    #[must_use]
    pub fn enabled(&self) -> bool {
        self.settings.enabled
    }

    /// The mount point: empty, or `/x`.
    #[must_use]
    pub fn base_path(&self) -> &str {
        &self.settings.base_path
    }

    /// The security headers of every answer that is not a page: JSON, text, errors. To be added where absent.
    #[must_use]
    pub fn security_headers(&self) -> Vec<(&'static str, String)> {
        headers::security(&For::Data, self.settings.hsts.as_deref())
    }

    /// Answers any request that no other route of the gateway answered. Never fails: what is not there is a 404.
    pub async fn respond(&self, request: &Request<'_>) -> Reply {
        let reply = self.route(request).await;
        let length = reply.body.len().to_string();
        let mut reply =
            if reply.status == 304 { reply } else { reply.with("content-length", length) };
        if request.method == "HEAD" {
            reply.body = Bytes::new();
        }
        reply
    }

    async fn route(&self, request: &Request<'_>) -> Reply {
        let Some(path) = self.below_base(request.path) else { return self.not_found() };
        if !self.settings.enabled {
            return self.not_found();
        }
        if !matches!(request.method, "GET" | "HEAD") {
            return self.plain(405, "Method Not Allowed").with("allow", "GET, HEAD");
        }
        if path.is_empty() && !self.settings.base_path.is_empty() {
            let location = format!("{}/", self.settings.base_path);
            return self.plain(302, "Found").with("location", location);
        }
        let relative = path.strip_prefix('/').unwrap_or(path);
        if !files::is_safe(relative) || is_api(relative) {
            return self.not_found();
        }
        match &self.settings.root {
            None => self.builtin(request, relative, builtin::Root::NotSet),
            Some(root) => self.below_root(request, root, relative).await,
        }
    }

    /// The part of `path` below the mount point, with its leading slash; `None` where the path is not ours.
    fn below_base<'a>(&self, path: &'a str) -> Option<&'a str> {
        let rest = path.strip_prefix(self.settings.base_path.as_str())?;
        (rest.starts_with('/') || (rest.is_empty() && !self.settings.base_path.is_empty()))
            .then_some(rest)
    }

    async fn below_root(&self, request: &Request<'_>, root: &Path, relative: &str) -> Reply {
        if !relative.is_empty() && relative != files::INDEX {
            match files::read(root, Wanted::new(relative, request)).await {
                Ok(found) => return self.file(request, found),
                Err(Miss::TooLarge) => return self.plain(404, "Not Found: larger than 32 MiB"),
                // A root that cannot be used is told by the index below, which it lacks as well.
                Err(Miss::Absent | Miss::NoRoot(_)) if files::is_asset(relative) => {
                    return self.not_found();
                }
                Err(Miss::Absent | Miss::NoRoot(_)) => {}
            }
        }
        match files::read(root, Wanted::whole(files::INDEX)).await {
            Ok(found) => {
                let html = String::from_utf8_lossy(&found.bytes);
                let page = index::fit(&html, &self.settings.base_path);
                let told = For::Page { host: request.host, scripts: &page.scripts };
                self.html(request, told, page.html.into())
            }
            Err(miss) => {
                self.complain(root, &miss);
                self.builtin(request, relative, builtin::Root::Unusable(miss))
            }
        }
    }

    fn complain(&self, root: &Path, miss: &Miss) {
        if !self.complained.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                root = %root.display(),
                cause = miss.as_str(),
                "`gateway.controlUi.root` cannot be served; hint: name the folder that holds the Control UI's `index.html`"
            );
        }
    }

    fn file(&self, request: &Request<'_>, found: files::Found) -> Reply {
        let told = For::Page { host: request.host, scripts: &[] };
        let mut reply = self
            .reply(200, &told, found.bytes)
            .with("content-type", found.mime)
            .with("cache-control", found.caching)
            .with("vary", "accept-encoding")
            .with("etag", found.etag);
        if let Some(encoding) = found.encoding {
            reply = reply.with("content-encoding", encoding);
        }
        if found.unchanged { unchanged(reply) } else { reply }
    }

    fn builtin(&self, request: &Request<'_>, relative: &str, root: builtin::Root) -> Reply {
        if files::is_asset(relative) {
            return self.not_found();
        }
        let html = builtin::page(self.settings.version, &root);
        self.html(request, For::BuiltIn { style: builtin::style_hash() }, html.into())
    }

    fn html(&self, request: &Request<'_>, told: For<'_>, body: Bytes) -> Reply {
        let etag = files::etag_of(&body);
        let matches = request.if_none_match.is_some_and(|seen| files::matches(seen, &etag));
        let reply = self
            .reply(200, &told, body)
            .with("content-type", "text/html; charset=utf-8")
            .with("cache-control", NO_CACHE)
            .with("etag", etag);
        if matches { unchanged(reply) } else { reply }
    }

    fn not_found(&self) -> Reply {
        self.plain(404, "Not Found")
    }

    fn plain(&self, status: u16, text: &'static str) -> Reply {
        self.reply(status, &For::Data, Bytes::from_static(text.as_bytes()))
            .with("content-type", "text/plain; charset=utf-8")
            .with("cache-control", NO_STORE)
    }

    fn reply(&self, status: u16, told: &For<'_>, body: Bytes) -> Reply {
        Reply { status, headers: headers::security(told, self.settings.hsts.as_deref()), body }
    }
}

fn unchanged(mut reply: Reply) -> Reply {
    reply.status = 304;
    reply.body = Bytes::new();
    reply.headers.retain(|(name, _)| !matches!(*name, "content-type" | "content-encoding"));
    reply
}

/// First segments that belong to programs: an unknown path below them is a 404, never a page.
const API: [&str; 7] = ["api", "v1", "j", "tools", "avatar", "__openclaw", "__openclaw__"];

fn is_api(relative: &str) -> bool {
    let first = relative.split('/').next().unwrap_or_default();
    API.contains(&first)
}
