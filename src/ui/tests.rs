//! Rows D13, D15-D17 and G9 of the attack table, and what a browser expects of a file server.

use std::os::unix::fs::symlink;

use tempfile::TempDir;

use super::*;
use crate::ui::index::hash;

const INDEX_HTML: &str = "<!doctype html>\n<html lang=\"en\">\n<head>\n<link rel=\"icon\" href=\"./favicon.svg\" />\n\
<script>\nvar keep = 'href=\"./nothing\"';\n</script>\n\
<script type=\"module\" crossorigin src=\"./assets/index-DsEuFQRE.js\"></script>\n\
<link rel=\"stylesheet\" href=\"./assets/core-2cJmD3kZ.css\">\n</head>\n<body></body>\n</html>\n";

fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    let put = |name: &str, content: &[u8]| {
        let path = folder.path().join("ui").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    };
    put("index.html", INDEX_HTML.as_bytes());
    put("favicon.svg", b"<svg/>");
    put("sw.js", b"//sw");
    put("assets/index-DsEuFQRE.js", b"export{}");
    put("assets/index-DsEuFQRE.js.br", b"brotli");
    put("assets/index-DsEuFQRE.js.gz", b"gzipped");
    put("assets/agents-settings.js", b"plain name");
    put("assets/notes.bin", b"no type");
    put(".env.json", b"{\"secret\":1}");
    put(".git/config.json", b"{}");
    std::fs::write(folder.path().join("outside.json"), b"{\"outside\":1}").unwrap();
    folder
}

fn settings(folder: &TempDir) -> Settings {
    let root = Some(folder.path().join("ui"));
    Settings { enabled: true, root, version: "1.2.3", ..Settings::default() }
}

async fn get(ui: &Ui, path: &str) -> Reply {
    ui.respond(&Request { method: "GET", path, ..Request::default() }).await
}

fn text(reply: &Reply) -> &str {
    std::str::from_utf8(&reply.body).unwrap()
}

/// G9: what must not lead out of the folder, or to a file that is none of the page's.
#[tokio::test]
async fn nothing_outside_the_folder_is_served() {
    let folder = folder();
    let ui = Ui::new(settings(&folder));
    symlink(folder.path().join("outside.json"), folder.path().join("ui/link.json")).unwrap();
    symlink(folder.path(), folder.path().join("ui/up")).unwrap();
    symlink("favicon.svg", folder.path().join("ui/inner.svg")).unwrap();
    std::fs::create_dir(folder.path().join("ui/folder.json")).unwrap();
    for path in [
        "/../outside.json",
        "/assets/../../outside.json",
        "/./favicon.svg",
        "//favicon.svg",
        "/assets//index-DsEuFQRE.js",
        "/%2e%2e/outside.json",
        "/..\\outside.json",
        "/favicon.svg\0",
        "/favicon.svg\n",
        "/.env.json",
        "/.git/config.json",
        "/link.json",
        "/up/outside.json",
        "/inner.svg",
        "/folder.json",
        "/favicon.svg/x.json",
        "/assets/index-DsEuFQRE.js.br",
        "/assets/missing-AAAAAAA1.js",
        "/favicon.ico",
    ] {
        let reply = get(&ui, path).await;
        assert_eq!(reply.status, 404, "{path}");
        assert_eq!(text(&reply), "Not Found", "{path}");
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{path}");
    }
}

#[tokio::test]
async fn a_pipe_does_not_hold_the_request() {
    let folder = folder();
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    let path = folder.path().join("ui/pipe.json");
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    assert_eq!(get(&Ui::new(settings(&folder)), "/pipe.json").await.status, 404);
}

#[tokio::test]
async fn files_have_their_type_and_their_caching() {
    let folder = folder();
    let ui = Ui::new(settings(&folder));
    for (path, mime, caching, body) in [
        ("/favicon.svg", "image/svg+xml", NO_CACHE, "<svg/>"),
        ("/sw.js", "text/javascript; charset=utf-8", NO_CACHE, "//sw"),
        (
            "/assets/index-DsEuFQRE.js",
            "text/javascript; charset=utf-8",
            headers::IMMUTABLE,
            "export{}",
        ),
        // A word is no hash: the file may change under its name.
        ("/assets/agents-settings.js", "text/javascript; charset=utf-8", NO_CACHE, "plain name"),
    ] {
        let reply = get(&ui, path).await;
        assert_eq!(reply.status, 200, "{path}");
        assert_eq!(reply.header("content-type"), Some(mime), "{path}");
        assert_eq!(reply.header("cache-control"), Some(caching), "{path}");
        assert_eq!(reply.header("content-length"), Some(body.len().to_string().as_str()), "{path}");
        assert_eq!(text(&reply), body, "{path}");
    }
}

#[tokio::test]
async fn hashed_files_come_compressed_where_the_client_takes_it() {
    let folder = folder();
    let ui = Ui::new(settings(&folder));
    for (accept, encoding, body) in [
        (Some("gzip, deflate, br, zstd"), Some("br"), "brotli"),
        (Some("gzip"), Some("gzip"), "gzipped"),
        (Some("br;q=0, gzip;q=0.5"), Some("gzip"), "gzipped"),
        (Some("br;q=0.0"), None, "export{}"),
        (Some("identity"), None, "export{}"),
        (None, None, "export{}"),
    ] {
        let path = "/assets/index-DsEuFQRE.js";
        let request =
            Request { method: "GET", path, accept_encoding: accept, ..Request::default() };
        let reply = ui.respond(&request).await;
        assert_eq!(reply.header("content-encoding"), encoding, "{accept:?}");
        assert_eq!(
            reply.header("content-type"),
            Some("text/javascript; charset=utf-8"),
            "{accept:?}"
        );
        assert_eq!(reply.header("vary"), Some("accept-encoding"), "{accept:?}");
        assert_eq!(text(&reply), body, "{accept:?}");
    }
}

#[tokio::test]
async fn a_known_tag_is_answered_304_without_a_body() {
    let folder = folder();
    let built_in = Ui::new(Settings { enabled: true, ..Settings::default() });
    let ui = Ui::new(settings(&folder));
    for (ui, path) in
        [(&ui, "/"), (&ui, "/favicon.svg"), (&ui, "/assets/index-DsEuFQRE.js"), (&built_in, "/")]
    {
        let etag = get(ui, path).await.header("etag").unwrap().to_owned();
        for (seen, status) in [
            (etag.clone(), 304),
            (format!("\"other\", {etag}"), 304),
            (etag.trim_start_matches("W/").to_owned(), 304),
            ("*".to_owned(), 304),
            ("\"other\"".to_owned(), 200),
            (String::new(), 200),
        ] {
            let request =
                Request { method: "GET", path, if_none_match: Some(&seen), ..Request::default() };
            let reply = ui.respond(&request).await;
            assert_eq!(reply.status, status, "{path} {seen}");
            assert_eq!(reply.body.is_empty(), status == 304, "{path} {seen}");
            assert_eq!(reply.header("etag"), Some(etag.as_str()), "{path} {seen}");
            assert!(reply.header("content-security-policy").is_some(), "{path} {seen}");
            assert_eq!(reply.header("content-length").is_none(), status == 304, "{path} {seen}");
        }
    }
}

#[tokio::test]
async fn a_changed_file_has_another_tag() {
    let folder = folder();
    let ui = Ui::new(settings(&folder));
    let before = get(&ui, "/favicon.svg").await.header("etag").unwrap().to_owned();
    std::fs::write(folder.path().join("ui/favicon.svg"), b"<svg></svg>").unwrap();
    let after = get(&ui, "/favicon.svg").await;
    assert_eq!(text(&after), "<svg></svg>");
    assert_ne!(after.header("etag").unwrap(), before);
}

#[tokio::test]
async fn head_says_what_get_says() {
    let folder = folder();
    let ui = Ui::new(settings(&folder));
    for path in ["/", "/chat", "/favicon.svg", "/assets/index-DsEuFQRE.js", "/missing.js", "/api/x"]
    {
        let get = get(&ui, path).await;
        let head = ui.respond(&Request { method: "HEAD", path, ..Request::default() }).await;
        assert!(head.body.is_empty(), "{path}");
        assert_eq!((head.status, &head.headers), (get.status, &get.headers), "{path}");
    }
}

/// D17: a preflight learns nothing.
#[tokio::test]
async fn other_methods_are_refused() {
    let folder = folder();
    let ui = Ui::new(settings(&folder));
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "get", ""] {
        let reply = ui.respond(&Request { method, path: "/", ..Request::default() }).await;
        assert_eq!((reply.status, reply.header("allow")), (405, Some("GET, HEAD")), "{method}");
        assert!(
            !reply.headers.iter().any(|(name, _)| name.starts_with("access-control")),
            "{method}"
        );
    }
}

#[tokio::test]
async fn every_other_path_is_the_page() {
    let folder = folder();
    let ui = Ui::new(settings(&folder));
    let index = get(&ui, "/").await;
    assert_eq!(index.header("cache-control"), Some("no-cache"));
    assert_eq!(index.header("content-type"), Some("text/html; charset=utf-8"));
    for path in [
        "/index.html",
        "/chat",
        "/settings/devices",
        "/settings/devices/",
        "/chat/agent:main:1.2",
        "/a b",
    ] {
        assert_eq!(get(&ui, path).await, index, "{path}");
    }
    for path in [
        "/api",
        "/api/users/x/avatar",
        "/v1/models",
        "/tools/invoke",
        "/__openclaw__/cap/x",
        "/avatar/main",
    ] {
        assert_eq!(get(&ui, path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn the_page_is_fitted_to_its_place() {
    let folder = folder();
    for base in ["", "/claw"] {
        let ui = Ui::new(Settings { base_path: base.to_owned(), ..settings(&folder) });
        let reply = get(&ui, &format!("{base}/settings/devices")).await;
        let expected = INDEX_HTML
            .replace("href=\"./favicon.svg\"", &format!("href=\"{base}/favicon.svg\""))
            .replace("\"./assets/", &format!("\"{base}/assets/"))
            .replace(
                "<html lang",
                &format!(
                    "<html data-openclaw-control-ui-base-path=\"{base}\" data-openclaw-terminal-enabled=\"false\" lang"
                ),
            );
        assert_eq!(text(&reply), expected, "{base}");
        let policy = reply.header("content-security-policy").unwrap();
        // The script is sent as it was, and only it may run inline.
        let inline = "\nvar keep = 'href=\"./nothing\"';\n";
        assert!(policy.contains(&format!("script-src 'self' '{}';", hash(inline))), "{policy}");
    }
}

#[tokio::test]
async fn a_base_path_is_the_whole_world() {
    let folder = folder();
    // A trailing slash in the setting means the same.
    for written in ["/claw", "/claw/"] {
        let ui = Ui::new(Settings { base_path: written.to_owned(), ..settings(&folder) });
        let redirect = get(&ui, "/claw").await;
        assert_eq!((redirect.status, redirect.header("location")), (302, Some("/claw/")));
        assert_eq!(get(&ui, "/claw/").await.status, 200);
        assert_eq!(text(&get(&ui, "/claw/favicon.svg").await), "<svg/>");
        for path in [
            "/",
            "/favicon.svg",
            "/clawx",
            "/clawx/favicon.svg",
            "claw/",
            "",
            "/claw/../favicon.svg",
        ] {
            assert_eq!(get(&ui, path).await.status, 404, "{path}");
        }
    }
}

#[tokio::test]
async fn switched_off_means_nothing_there() {
    let folder = folder();
    let ui = Ui::new(Settings { enabled: false, ..settings(&folder) });
    for path in ["/", "/chat", "/favicon.svg", "/control-ui-config.json"] {
        assert_eq!(get(&ui, path).await.status, 404, "{path}");
        assert!(!ui.is_bootstrap_path(path), "{path}");
    }
    assert_eq!(ui.avatar_agent("/avatar/main"), None);
    let post = ui.respond(&Request { method: "POST", path: "/", ..Request::default() }).await;
    assert_eq!(post.status, 404);
}

/// D13, D15, D16: on every kind of answer.
#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let folder = folder();
    let with = Settings { hsts: Some("max-age=31536000".to_owned()), ..settings(&folder) };
    let ui = Ui::new(with.clone());
    let plain = Ui::new(settings(&folder));
    let built_in = Ui::new(Settings { root: None, ..with.clone() });
    let off = Ui::new(Settings { enabled: false, ..with.clone() });
    let mounted = Ui::new(Settings { base_path: "/x".to_owned(), ..with });
    let mut replies = Vec::new();
    for (ui, path) in [
        (&ui, "/"),
        (&ui, "/chat"),
        (&ui, "/favicon.svg"),
        (&ui, "/missing.js"),
        (&ui, "/../x"),
        (&ui, "/api"),
        (&built_in, "/"),
        (&off, "/"),
        (&mounted, "/x"),
    ] {
        for method in ["GET", "HEAD", "POST"] {
            let request = Request { method, path, if_none_match: None, ..Request::default() };
            replies.push((format!("{method} {path}"), ui.respond(&request).await.headers));
            let again = Request { if_none_match: Some("*"), ..request };
            replies.push((format!("{method} {path} 304"), ui.respond(&again).await.headers));
        }
    }
    replies.push(("other routes".to_owned(), ui.security_headers()));
    for (what, headers) in replies {
        let value = |name: &str| {
            let mut found = headers.iter().filter(|(key, _)| *key == name);
            let value = found.next().map(|(_, value)| value.as_str()).unwrap_or_default();
            assert!(found.next().is_none(), "{what}: {name} twice");
            value
        };
        assert!(value("content-security-policy").contains("frame-ancestors 'none'"), "{what}");
        assert!(value("content-security-policy").starts_with("default-src "), "{what}");
        assert!(!value("content-security-policy").contains("https:"), "{what}");
        assert_eq!(value("x-frame-options"), "DENY", "{what}");
        assert_eq!(value("x-content-type-options"), "nosniff", "{what}");
        assert_eq!(value("referrer-policy"), "no-referrer", "{what}");
        assert_eq!(value("cross-origin-opener-policy"), "same-origin", "{what}");
        assert!(value("permissions-policy").contains("camera="), "{what}");
        assert_eq!(value("strict-transport-security"), "max-age=31536000", "{what}");
    }
    assert_eq!(get(&plain, "/").await.header("strict-transport-security"), None);
}

/// D13: the page reaches the host that it came from, and a crafted host adds nothing.
#[tokio::test]
async fn the_websocket_of_the_same_host_is_allowed() {
    let folder = folder();
    let ui = Ui::new(settings(&folder));
    for (host, expected) in [
        (Some("gw.tail1234.ts.net"), " ws://gw.tail1234.ts.net wss://gw.tail1234.ts.net"),
        (Some("127.0.0.1:18789"), " ws://127.0.0.1:18789 wss://127.0.0.1:18789"),
        (Some("evil.example; script-src *"), ""),
        (Some("evil.example *"), ""),
        (Some("a,b"), ""),
        (Some("*"), ""),
        (Some(""), ""),
        (Some("[::1]:18789"), ""),
        (None, ""),
    ] {
        let reply =
            ui.respond(&Request { method: "GET", path: "/", host, ..Request::default() }).await;
        let policy = reply.header("content-security-policy").unwrap().to_owned();
        let connect = policy.split("; ").find(|part| part.starts_with("connect-src")).unwrap();
        assert_eq!(connect, format!("connect-src 'self' data: blob:{expected}"), "{host:?}");
        assert_eq!(policy.matches("script-src").count(), 1, "{host:?}");
    }
}

#[tokio::test]
async fn without_a_folder_a_page_says_how_to_go_on() {
    let folder = folder();
    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    for (root, line) in [
        (None, None),
        (Some(folder.path().join("gone")), Some("the folder does not exist")),
        (Some(folder.path().join("outside.json")), Some("it is not a folder")),
        (Some(empty), Some("the folder has no readable index.html")),
    ] {
        let ui = Ui::new(Settings { root: root.clone(), version: "1.2.3<b>", ..settings(&folder) });
        for path in ["/", "/chat"] {
            let reply = get(&ui, path).await;
            let html = text(&reply);
            assert_eq!((reply.status, reply.header("cache-control")), (200, Some("no-cache")));
            assert_eq!(html.contains("class=\"notice\""), line.is_some(), "{root:?}");
            assert!(line.is_none_or(|line| html.contains(line)), "{root:?}");
            assert!(html.contains("Version 1.2.3&lt;b&gt;"), "{root:?}");
            for command in ["openclaw status", "gateway.controlUi.root", "openclaw devices approve"]
            {
                assert!(html.contains(command), "{command}");
            }
            // Nothing runs, nothing loads, no path of this machine.
            assert!(!html.contains("<script") && !html.contains("{{"), "{root:?}");
            assert!(!html.contains("src=") && !html.contains("url("), "{root:?}");
            assert!(!html.contains(folder.path().to_str().unwrap()), "{root:?}");
            let style = html.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
            let policy = reply.header("content-security-policy").unwrap();
            assert!(policy.contains(&format!("style-src '{}';", hash(style))), "{policy}");
        }
        assert_eq!(get(&ui, "/assets/index-DsEuFQRE.js").await.status, 404);
    }
}

#[tokio::test]
async fn a_folder_that_appears_is_served() {
    let folder = folder();
    let late = folder.path().join("late");
    let ui = Ui::new(Settings { root: Some(late.clone()), ..settings(&folder) });
    assert!(text(&get(&ui, "/").await).contains("OpenClaw Gateway"));
    std::fs::rename(folder.path().join("ui"), &late).unwrap();
    assert!(text(&get(&ui, "/").await).contains("index-DsEuFQRE.js"));
}

#[tokio::test]
async fn a_root_may_itself_be_a_link() {
    let folder = folder();
    let link = folder.path().join("current");
    symlink("ui", &link).unwrap();
    let ui = Ui::new(Settings { root: Some(link), ..settings(&folder) });
    assert_eq!(get(&ui, "/favicon.svg").await.status, 200);
}

#[tokio::test]
async fn a_file_beyond_the_cap_is_not_read() {
    let folder = folder();
    let file = std::fs::File::create(folder.path().join("ui/huge.json")).unwrap();
    file.set_len(32 * 1024 * 1024 + 1).unwrap();
    let reply = get(&Ui::new(settings(&folder)), "/huge.json").await;
    assert_eq!((reply.status, text(&reply)), (404, "Not Found: larger than 32 MiB"));
}

#[test]
fn bootstrap_has_the_keys_of_both_generations() {
    let ui = Ui::new(Settings {
        enabled: true,
        base_path: "/claw".to_owned(),
        version: "1.2.3",
        ..Settings::default()
    });
    for (path, expected) in [
        ("/claw/control-ui-config.json", true),
        ("/claw/__openclaw/control-ui-config.json", true),
        ("/control-ui-config.json", false),
        ("/claw/control-ui-config.json/", false),
        ("/clawcontrol-ui-config.json", false),
    ] {
        assert_eq!(ui.is_bootstrap_path(path), expected, "{path}");
    }
    let expected = r#"{"basePath":"/claw","assistantName":"Assistant","assistantAvatar":"A","assistantAvatarSource":null,"assistantAvatarStatus":null,"assistantAvatarReason":null,"assistantAgentId":"main","serverVersion":"1.2.3","serverBuildId":null,"embedSandbox":"scripts","allowExternalEmbedUrls":false,"automaticallyFetchFavicons":false,"communityInvite":false,"terminalEnabled":false,"cliAgentsEnabled":false,"pluginAssetsRequireAuth":true,"pluginFrameGrants":[]}"#;
    assert_eq!(ui.bootstrap().to_string(), expected);
}

#[test]
fn avatars_are_asked_by_agent() {
    let ui = Ui::new(Settings { enabled: true, ..Settings::default() });
    for (path, agent) in [
        ("/avatar/main", Some("main")),
        ("/avatar/a-B_9", Some("a-B_9")),
        ("/avatar/", None),
        ("/avatar/-x", None),
        ("/avatar/a/b", None),
        ("/avatar/..", None),
        ("/avatar/a%20b", None),
        ("/other/main", None),
    ] {
        assert_eq!(ui.avatar_agent(path), agent, "{path}");
    }
    assert_eq!(
        bootstrap::avatar_meta().to_string(),
        r#"{"avatarUrl":null,"avatarSource":null,"avatarStatus":null,"avatarReason":null}"#
    );
}

#[test]
fn inline_scripts_are_found_however_they_are_written() {
    for (html, scripts) in [
        ("<SCRIPT>a</SCRIPT >", vec!["a"]),
        ("<script data-src='x'>a</script><script defer>b</script>", vec!["a", "b"]),
        ("<script SRC=x></script>", vec![]),
        ("<script src = \"./x\">ignored</script>", vec![]),
        ("<script></script>", vec![]),
        ("<script>never closed", vec![]),
        ("<script>a\r\nb</script>", vec!["a\nb"]),
    ] {
        let expected: Vec<String> = scripts.into_iter().map(hash).collect();
        assert_eq!(index::fit(html, "").scripts, expected, "{html}");
    }
    // Known answer: the empty string's SHA-256.
    assert_eq!(hash(""), "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
}
