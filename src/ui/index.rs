//! Fits an official `index.html` to the place where we serve it.
//!
//! Its links are relative (`./assets/…`), which breaks on nested routes; they become absolute below the base
//! path. `<html>` learns the base path, as upstream does. Inline scripts stay as they are and are hashed for the policy.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest as _, Sha256};

/// A page that is ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) html: String,
    /// `sha256-…` of each inline script.
    pub(crate) scripts: Vec<String>,
}

pub(crate) fn fit(html: &str, base: &str) -> Page {
    let base = escape(base);
    let mut page = Page { html: String::with_capacity(html.len() + 256), scripts: Vec::new() };
    let mut rest = html;
    while let Some((before, tag, script, after)) = next_script(rest) {
        page.html.push_str(&absolute(before, &base));
        page.html.push_str(&absolute(tag, &base));
        page.html.push_str(script);
        if !script.is_empty() && !has_src(tag) {
            page.scripts.push(hash(script));
        }
        rest = after;
    }
    page.html.push_str(&absolute(rest, &base));
    page.html = mark(&page.html, &base);
    page
}

/// `sha256-…` of inline content, as a policy names it. The browser sees line feeds only.
pub(crate) fn hash(content: &str) -> String {
    let seen = content.replace("\r\n", "\n");
    format!("sha256-{}", STANDARD.encode(Sha256::digest(seen)))
}

pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Splits at the next `<script …>`: what stands before it, its tag, its content, and the rest from `</script` on.
fn next_script(html: &str) -> Option<(&str, &str, &str, &str)> {
    let (before, from_tag) = html.split_at_checked(find(html, "<script")?)?;
    let (tag, inside) = from_tag.split_at_checked(from_tag.find('>')? + 1)?;
    let (script, after) = inside.split_at_checked(find(inside, "</script")?)?;
    Some((before, tag, script, after))
}

/// Where `needle` (lower case) begins, whatever the letter case of `text`.
fn find(text: &str, needle: &str) -> Option<usize> {
    text.as_bytes()
        .windows(needle.len())
        .position(|part| part.eq_ignore_ascii_case(needle.as_bytes()))
}

fn has_src(tag: &str) -> bool {
    tag.split_ascii_whitespace().any(|part| {
        let name = part.split(['=', '>']).next().unwrap_or_default();
        name.eq_ignore_ascii_case("src")
    })
}

fn absolute(markup: &str, base: &str) -> String {
    markup.replace("=\"./", &format!("=\"{base}/")).replace("='./", &format!("='{base}/"))
}

/// Tells the UI where it is mounted, and that there is no terminal.
fn mark(html: &str, base: &str) -> String {
    let Some((before, after)) = find(html, "<html").and_then(|at| html.split_at_checked(at + 5))
    else {
        return html.to_owned();
    };
    format!(
        "{before} data-openclaw-control-ui-base-path=\"{base}\" data-openclaw-terminal-enabled=\"false\"{after}"
    )
}
