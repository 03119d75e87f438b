//! The rows of the house and its size caps. A module imports only from rows below it; the domain never
//! imports `rpc`, `conn` or `net`.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot read the tree fails"
)]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Rows from the top. Modules of one row may use each other only where they are listed together on
/// purpose (the ground).
const ROWS: &[&[&str]] = &[
    &["cli"],
    &["gateway", "client"],
    &["net"],
    &["conn"],
    &["rpc"],
    &["devices", "events", "ui"],
    &["config", "store", "protocol", "logs", "clock"],
];

/// What the table of design decisions allows besides "from rows below".
const EXCEPTIONS: &[(&str, &str)] = &[
    // One ground: config errors, log lines and the wire share types.
    ("config", "protocol"),
    ("logs", "protocol"),
    ("logs", "clock"),
    ("store", "protocol"),
];

const FILE_LINES: usize = 600;
const FUNCTION_LINES: usize = 70;
const LOOP_LINES: usize = 80;

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("directory") {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn under(directory: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join(directory), &mut found);
    assert!(!found.is_empty(), "{directory} holds sources");
    found
}

fn module_of(path: &Path) -> String {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let relative = path.strip_prefix(source).expect("below src");
    let first = relative
        .components()
        .next()
        .expect("a component")
        .as_os_str()
        .to_string_lossy()
        .into_owned();
    first.trim_end_matches(".rs").to_owned()
}

fn row(module: &str) -> Option<usize> {
    ROWS.iter().position(|row| row.contains(&module))
}

/// Names that follow `crate::`, also inside one level of braces.
fn imports(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0usize;
            let mut word = String::new();
            for c in group.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => found.push(std::mem::take(&mut word)),
                    _ if depth == 0 => word.push(c),
                    _ => {}
                }
            }
            found.push(word);
        } else {
            found.push(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        }
    }
    let first =
        |name: &String| name.trim().split("::").next().unwrap_or_default().trim().to_owned();
    found.iter().map(first).filter(|name| !name.is_empty()).collect()
}

#[test]
fn a_module_imports_only_from_rows_below() {
    let mut wrong = Vec::new();
    for path in under("src") {
        let module = module_of(&path);
        if matches!(module.as_str(), "lib" | "main") {
            continue;
        }
        let own = row(&module).unwrap_or_else(|| panic!("`{module}` stands in no row"));
        for import in imports(&fs::read_to_string(&path).expect("text")) {
            let Some(theirs) = row(&import) else { continue };
            let allowed =
                import == module || theirs > own || EXCEPTIONS.contains(&(&module, &import));
            if !allowed {
                wrong.push(format!("{}: `{module}` imports `{import}`", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_crates_below_know_nothing_of_ours() {
    for (package, other) in [("bind", "openclaw_auth"), ("auth", "openclaw_bind")] {
        for path in under(&format!("{package}/src")) {
            let text = fs::read_to_string(&path).expect("text");
            for name in [
                other,
                "openclaw::",
                "tokio",
                "std::fs",
                "std::env",
                "SystemTime::now",
                "Instant::now",
            ] {
                let used = text
                    .lines()
                    .filter(|line| !line.trim_start().starts_with("//"))
                    .any(|line| line.contains(name));
                assert!(!used, "{}: a pure crate uses `{name}`", path.display());
            }
        }
        let root = fs::read_to_string(
            Path::new(env!("CARGO_MANIFEST_DIR")).join(package).join("src/lib.rs"),
        );
        assert!(root.expect("lib.rs").contains("#![forbid(unsafe_code)]"), "{package}");
    }
}

#[test]
fn files_and_functions_stay_small() {
    let mut wrong = Vec::new();
    for path in ["src", "auth/src", "bind/src", "tests"].into_iter().flat_map(under) {
        let text = fs::read_to_string(&path).expect("text");
        let lines = text.lines().count();
        if lines > FILE_LINES {
            wrong.push(format!("{}: {lines} lines", path.display()));
        }
        // A table of a test is data: only its file is bounded.
        let table = path
            .components()
            .any(|part| matches!(part.as_os_str().to_str(), Some("tests" | "attack" | "tests.rs")));
        for (name, lines) in functions(&text).into_iter().filter(|_| !table) {
            let cap = if name == "serve" { LOOP_LINES } else { FUNCTION_LINES };
            if lines > cap {
                wrong.push(format!("{}: `{name}` has {lines} lines", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Names and line counts of functions, by the indentation that rustfmt gives them.
fn functions(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let trimmed = line.trim_start();
        let indent = line.len() - trimmed.len();
        let starts = [
            "fn ",
            "pub fn ",
            "async fn ",
            "pub async fn ",
            "pub(super) fn ",
            "pub(crate) fn ",
            "pub const fn ",
            "const fn ",
        ];
        let Some(prefix) = starts.iter().find(|prefix| trimmed.starts_with(**prefix)) else {
            continue;
        };
        let name: String = trimmed[prefix.len()..]
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect();
        let close = format!("{}}}", " ".repeat(indent));
        if let Some(length) = lines[start..].iter().position(|line| *line == close) {
            found.push((name, length + 1));
        }
    }
    found
}

#[test]
fn the_lock_file_stays_small() {
    let lock =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock")).expect("lock");
    let packages = lock.matches("\nname = ").count();
    assert!(packages <= 350, "{packages} packages");
}

#[test]
fn every_dependency_says_why() {
    for manifest in ["Cargo.toml", "auth/Cargo.toml", "bind/Cargo.toml"] {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(manifest))
            .expect("manifest");
        let mut in_dependencies = false;
        for line in text.lines() {
            if line.starts_with('[') {
                in_dependencies = line.contains("dependencies");
            } else if in_dependencies && line.contains('=') && !line.starts_with("netlink-") {
                assert!(line.contains('#'), "{manifest}: `{line}` does not say why");
            }
        }
    }
}

#[test]
fn the_checks_see_what_they_should() {
    assert_eq!(imports("use crate::{net::a, rpc::{b, c}, ui};"), ["net", "rpc", "ui"]);
    assert_eq!(imports("crate::conn::serve::Door"), ["conn"]);
    let long = format!("fn big() {{\n{}}}\n", "    x();\n".repeat(80));
    assert_eq!(functions(&long), [("big".to_owned(), 82)]);
}

/// The rows that the method table of the README must have.
fn method_rows() -> String {
    use openclaw::rpc::{Gate, entries};
    let mut rows = String::from("| method | who may call it |\n|---|---|\n");
    for entry in entries() {
        let who = match entry.gate {
            Gate::Anyone => "every connection".to_owned(),
            Gate::Operator(scope) => format!("operators with `{}`", scope.as_str()),
        };
        rows.push_str(&format!("| `{}` | {who} |\n", entry.name));
    }
    rows
}

#[test]
fn the_readme_lists_the_method_table() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md"))
        .expect("README");
    let start = readme
        .find("<!-- methods")
        .and_then(|at| Some(at + readme[at..].find("-->\n")? + 4))
        .expect("start mark");
    let end = readme.find("<!-- end of methods -->").expect("end mark");
    let wanted = method_rows();
    assert_eq!(readme[start..end].trim(), wanted.trim(), "put this into README.md:\n{wanted}");
}
