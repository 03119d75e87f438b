//! `$include`: merging, boundaries, circles, and the right file in a problem.

use std::fs;

use serde_json::json;

use super::*;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self(folder)
    }

    fn expand(&self, roots: &[PathBuf]) -> Result<Tree, Problems> {
        let file = self.0.path().join("c/openclaw.json");
        let document = Document::parse(&file, &fs::read_to_string(&file).unwrap())?;
        expand(document, roots, &|path| {
            fs::read_to_string(path).map_err(|error| Problem::new("", error.to_string()))
        })
    }
}

#[test]
fn files_are_merged_in_order_and_siblings_win() {
    let folder = Folder::new(&[
        (
            "c/openclaw.json",
            "{ gateway: { $include: ['./a.json5', 'sub/b.json5'], port: 3 }, list: { $include: './l.json' } }",
        ),
        ("c/a.json5", "{ port: 1, bind: 'lan', auth: { mode: 'token', token: 'a' } }"),
        ("c/sub/b.json5", "{ port: 2, auth: { $include: '../auth.json' } }"),
        ("c/auth.json", "{\n token: 'b' }"),
        ("c/l.json", "{ x: [1] }"),
    ]);
    let tree = folder.expand(&[]).unwrap();
    assert_eq!(
        tree.value,
        json!({ "gateway": { "bind": "lan", "auth": { "mode": "token", "token": "b" }, "port": 3 }, "list": { "x": [1] } })
    );
    let place = tree.place_of("gateway.auth.token").unwrap();
    assert!(place.file.ends_with("auth.json"), "{place}");
    assert_eq!((place.line, place.column), (2, 9));
    assert!(tree.place_of("gateway.bind").unwrap().file.ends_with("a.json5"));
    assert!(tree.place_of("gateway.port").unwrap().file.ends_with("openclaw.json"));
    assert_eq!(tree.included_files().len(), 4);
}

#[test]
fn refusals_name_the_line_of_the_include() {
    for (main, said) in [
        ("{\n a: { $include: './none.json' } }", "not found"),
        ("{\n a: { $include: '../secret.json' } }", "leaves"),
        ("{\n a: { $include: '/etc/hostname' } }", "leaves"),
        ("{\n a: { $include: './link.json' } }", "leaves"),
        ("{\n a: { $include: './round.json' } }", "circle"),
        ("{\n a: { $include: './openclaw.json' } }", "circle"),
        ("{\n a: { $include: 7 } }", "takes a path"),
        ("{\n a: { $include: '' } }", "no usable path"),
        ("{\n a: { $include: './list.json', b: 1 } }", "does not hold an object"),
    ] {
        let folder = Folder::new(&[
            ("c/openclaw.json", main),
            ("secret.json", "{}"),
            ("c/round.json", "{ x: { $include: './round.json' } }"),
            ("c/list.json", "[1, { x: 2 }]"),
        ]);
        std::os::unix::fs::symlink(
            folder.0.path().join("secret.json"),
            folder.0.path().join("c/link.json"),
        )
        .unwrap();
        let problems = folder.expand(&[]).expect_err(main);
        assert!(problems.to_string().contains(said), "{main}: {problems}");
        assert!(problems.list[0].place.is_some(), "{main}");
    }
}

#[test]
fn a_part_may_be_a_list() {
    let folder = Folder::new(&[
        ("c/openclaw.json", "{ a: { $include: './list.json' } }"),
        ("c/list.json", "[1, { x: 2 }]"),
    ]);
    let tree = folder.expand(&[]).unwrap();
    assert_eq!(tree.value, json!({ "a": [1, { "x": 2 }] }));
    assert!(tree.place_of("a.1.x").unwrap().file.ends_with("list.json"));
}

#[test]
fn roots_are_opened_by_name_only() {
    let folder = Folder::new(&[
        ("c/openclaw.json", "{ a: { $include: '../more/x.json' } }"),
        ("more/x.json", "{ y: 1 }"),
    ]);
    assert!(folder.expand(&[]).is_err());
    assert_eq!(
        folder.expand(&[folder.0.path().join("more")]).unwrap().value,
        json!({ "a": { "y": 1 } })
    );
}

#[test]
fn levels_and_files_are_counted() {
    let names: Vec<String> = (0..12).map(|level| format!("c/l{level}.json")).collect();
    let texts: Vec<String> =
        (0..12).map(|level| format!("{{ x: {{ $include: './l{}.json' }} }}", level + 1)).collect();
    let mut files: Vec<(&str, &str)> =
        names.iter().zip(&texts).map(|(name, text)| (name.as_str(), text.as_str())).collect();
    files.push(("c/openclaw.json", "{ x: { $include: './l0.json' } }"));
    files.push(("c/l12.json", "{}"));
    assert!(Folder::new(&files).expand(&[]).unwrap_err().to_string().contains("10 levels"));

    let many = format!("{{ x: {{ $include: [{}] }} }}", "'./e.json',".repeat(70));
    let folder = Folder::new(&[("c/openclaw.json", &many), ("c/e.json", "{}")]);
    assert!(folder.expand(&[]).unwrap_err().to_string().contains("64 files"));
}
