//! The page for a gateway that has no Control UI folder: what this is and how to go on. No script, nothing loaded.

use std::sync::LazyLock;

use crate::ui::files::Miss;
use crate::ui::index;

/// The page; `{{style}}`, `{{version}}` and `{{root}}` are filled in.
const TEMPLATE: &str = include_str!("builtin.html");

const STYLE: &str = include_str!("builtin.css");

/// Why the page is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Root {
    /// `gateway.controlUi.root` is not set.
    NotSet,
    /// It is set, and cannot be served.
    Unusable(Miss),
}

pub(crate) fn page(version: &str, root: &Root) -> String {
    let notice = match root {
        Root::NotSet => String::new(),
        // The folder's path stays in the log: this page is for anyone.
        Root::Unusable(miss) => format!(
            "<p class=\"notice\" role=\"status\"><code>gateway.controlUi.root</code> is set, but {}. The \
             gateway's log names it.</p>",
            index::escape(miss.as_str())
        ),
    };
    TEMPLATE
        .replace("{{style}}", STYLE)
        .replace("{{version}}", &index::escape(version))
        .replace("{{root}}", &notice)
}

/// `sha256-…` of the page's style.
pub(crate) fn style_hash() -> &'static str {
    static HASH: LazyLock<String> = LazyLock::new(|| index::hash(STYLE));
    &HASH
}
