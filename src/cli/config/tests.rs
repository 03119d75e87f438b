//! The file as the commands read, change and refuse to change it.

use serde_json::{Value, json};

use crate::cli::{
    args::ConfigCommand,
    config,
    failure::{Exit, Failure},
    testing::Home,
};

fn configure(home: &mut Home, command: &ConfigCommand) -> Result<String, Failure> {
    let before = home.captured.out().len();
    config::run(&mut home.context, command)?;
    Ok(home.captured.out().split_off(before))
}

#[test]
fn config_is_read_changed_and_checked() {
    let mut home = Home::new(&[]);
    let path = home.context.paths.config.clone();
    let text =
        "// kept\n{ gateway: { port: 18790, auth: { token: 'canary-0123456789abcdef0123' } } }\n";
    crate::store::private_file::write(&path, text).expect("write");
    let get = |path: &str| ConfigCommand::Get { path: path.to_owned(), json: false };
    let set = |path: &str, value: &str| ConfigCommand::Set {
        path: path.to_owned(),
        value: value.to_owned(),
        strict_json: false,
        dry_run: false,
    };
    let file = configure(&mut home, &ConfigCommand::File { json: false }).expect("file");
    assert_eq!(file.trim(), path.display().to_string());
    assert_eq!(configure(&mut home, &get("gateway.port")).expect("get"), "18790\n");
    let secret = configure(&mut home, &get("gateway.auth")).expect("get");
    assert!(!secret.contains("canary"), "{secret}");
    let failure = configure(&mut home, &get("gateway.bind")).expect_err("unset");
    assert_eq!((failure.kind, failure.exit), ("config_path_unset", Exit::User));
    assert_eq!(failure.hints, ["its default applies: `\"loopback\"`"]);

    configure(&mut home, &set("gateway.port", "18791")).expect("set");
    let written = std::fs::read_to_string(&path).expect("read");
    assert!(written.starts_with("// kept") && written.contains("18791"), "{written}");
    let failure = configure(&mut home, &set("gateway.prot", "1")).expect_err("unknown");
    assert_eq!(failure.exit, Exit::Config);
    assert!(failure.message.contains("did you mean `gateway.port`?"), "{}", failure.message);
    assert_eq!(std::fs::read_to_string(&path).expect("read"), written, "nothing was written");

    let unset = ConfigCommand::Unset { path: "gateway.port".to_owned(), dry_run: true };
    assert!(configure(&mut home, &unset).expect("unset").contains("would change"));
    assert_eq!(std::fs::read_to_string(&path).expect("read"), written);
    let valid = configure(&mut home, &ConfigCommand::Validate { json: true }).expect("validate");
    let valid: Value = serde_json::from_str(&valid).expect("json");
    assert_eq!(valid["valid"], json!(true));

    std::fs::write(&path, "{ gateway: { prot: 1, bind: 'everywhere' } }").expect("write");
    let failure =
        configure(&mut home, &ConfigCommand::Validate { json: false }).expect_err("wrong");
    assert_eq!(failure.exit, Exit::Config);
    let shown = home.captured.out();
    assert!(shown.contains("2 problems") && shown.contains("`gateway.bind`"), "{shown}");
}

#[test]
fn a_managed_configuration_is_not_changed() {
    let mut home = Home::new(&[("OPENCLAW_CONFIG_READONLY", "1")]);
    let set = ConfigCommand::Set {
        path: "gateway.port".to_owned(),
        value: "5".to_owned(),
        strict_json: false,
        dry_run: false,
    };
    let failure = configure(&mut home, &set).expect_err("read-only");
    assert_eq!(failure.exit, Exit::Config);
    assert!(!home.context.paths.config.exists());
}
