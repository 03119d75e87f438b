//! `openclaw config`: the file, read, checked and changed. Nothing here talks to a gateway.
//!
//! `get` shows what is written, secrets hidden; `set` and `unset` keep comments and refuse a change that
//! would bring a new problem. Exit 78 when the configuration is wrong.

use serde_json::{Value, json};

use crate::{
    cli::{
        args::ConfigCommand,
        context::Context,
        failure::{Exit, Failure},
        printer::{Span, Style},
        sources, words,
    },
    config::{
        document,
        edit::{self, Change, Edit},
        env,
        keys::{self, ReloadClass, Standing},
        layers::Flags,
        load::{self, Loaded, Request},
        problem::{Problem, Problems},
        redact, schema,
    },
};

/// Runs the command.
///
/// # Errors
/// A key that is not there, a change that is refused, a configuration that is wrong.
pub fn run(context: &mut Context, command: &ConfigCommand) -> Result<(), Failure> {
    match command {
        ConfigCommand::File { json } => file(context, Form::from(*json)),
        ConfigCommand::Get { path, json } => get(context, path, Form::from(*json)),
        ConfigCommand::Set { path, value, strict_json, dry_run } => {
            let value = match strict_json {
                true => strict(value)?,
                false => edit::argument(value),
            };
            let edit = Edit::Set(document::segments(path).map_err(Problems::from)?, value);
            change(context, path, edit, Write::from(*dry_run))
        }
        ConfigCommand::Unset { path, dry_run } => {
            let edit = Edit::Unset(document::segments(path).map_err(Problems::from)?);
            change(context, path, edit, Write::from(*dry_run))
        }
        ConfigCommand::Validate { json } => validate(context, Form::from(*json)),
        ConfigCommand::Schema { json: _ } => context.printer.json(&schema::schema()),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Json,
}

impl From<bool> for Form {
    fn from(json: bool) -> Self {
        if json { Self::Json } else { Self::Text }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Write {
    ToDisk,
    DryRun,
}

impl From<bool> for Write {
    fn from(dry_run: bool) -> Self {
        if dry_run { Self::DryRun } else { Self::ToDisk }
    }
}

fn strict(text: &str) -> Result<Value, Failure> {
    serde_json::from_str(text).map_err(|error| {
        Failure::usage(format!("the value is not JSON: {error}"))
            .hint("quote texts twice, as in '\"lan\"', or leave `--strict-json` out")
    })
}

fn file(context: &mut Context, form: Form) -> Result<(), Failure> {
    let path = context.paths.config.clone();
    match form {
        Form::Json => context.printer.json(&json!({ "path": path, "exists": path.exists() })),
        Form::Text => context.printer.line(&path.display().to_string()),
    }
}

fn get(context: &mut Context, path: &str, form: Form) -> Result<(), Failure> {
    let segments = document::segments(path).map_err(Problems::from)?;
    let written = redact::redact(&written(context)?);
    let Some(value) = redact::at(&written, &segments) else { return Err(unset(path)) };
    match (form, value) {
        (Form::Text, Value::String(text)) => context.printer.line(text),
        (Form::Text | Form::Json, value) => context.printer.json(value),
    }
}

/// The file with its includes; of a file that has problems, the file alone.
fn written(context: &Context) -> Result<Value, Failure> {
    if let Ok(loaded) = sources::loaded(context) {
        return Ok(loaded.tree.value);
    }
    let document = load::read(&context.paths.config)?;
    Ok(document.map_or_else(|| json!({}), |document| document.value))
}

fn unset(path: &str) -> Failure {
    let failure = Failure::user("config_path_unset", format!("`{path}` is not set"));
    match (keys::standing(path), keys::find(path), keys::nearest(path)) {
        (Standing::Unknown, _, Some(near)) => failure.hint(format!("did you mean `{near}`?")),
        (_, Some(key), _) => match key.default_value() {
            Some(value) => failure.hint(format!("its default applies: `{value}`")),
            None => failure.hint(key.about),
        },
        (_, None, _) => failure.hint("`openclaw config schema` lists the keys"),
    }
}

fn change(context: &mut Context, path: &str, edit: Edit, write: Write) -> Result<(), Failure> {
    if context.env.is_on(&env::CONFIG_READONLY) {
        let name = env::CONFIG_READONLY.name;
        return Err(Failure::from(Problems::from(
            Problem::new(name, "the configuration is managed elsewhere")
                .hint(format!("change it there, or unset `{name}`")),
        )));
    }
    let flags = Flags::default();
    let request = Request { paths: &context.paths, env: &context.env, flags: &flags };
    let change = match write {
        Write::ToDisk => edit::save(&request, &[edit])?,
        Write::DryRun => {
            let current = load::read(&context.paths.config)?;
            edit::prepare(&request, current.as_ref(), &[edit])?
        }
    };
    tell(context, path, &change, write)
}

fn tell(context: &mut Context, path: &str, change: &Change, write: Write) -> Result<(), Failure> {
    let file = context.paths.config.display().to_string();
    let text = match (change.differs, write) {
        (false, _) => format!("`{path}` is already so"),
        (true, Write::DryRun) => format!("`{path}` would change in {file}"),
        (true, Write::ToDisk) => format!("`{path}` changed in {file}"),
    };
    context.printer.line(&text)?;
    let restart = keys::find(path).is_some_and(|key| key.reload == ReloadClass::Restart);
    if change.differs && write == Write::ToDisk && restart {
        context.printer.hint("it applies when the gateway starts again");
    }
    for problem in &change.remaining {
        context.printer.warn(&problem.to_string());
    }
    Ok(())
}

fn validate(context: &mut Context, form: Form) -> Result<(), Failure> {
    let result = sources::loaded(context);
    match form {
        Form::Json => {
            let report = report(context, result.as_ref());
            context.printer.json(&report)?;
        }
        Form::Text => print(context, result.as_ref())?,
    }
    match result {
        Ok(_) => Ok(()),
        Err(_) => Err(Failure::told(Exit::Config)),
    }
}

fn report(context: &Context, result: Result<&Loaded, &Problems>) -> Value {
    let path = &context.paths.config;
    json!({
        "valid": result.is_ok(),
        "path": path,
        "exists": path.exists(),
        "problems": result.err().map(|problems| problems.list.as_slice()).unwrap_or_default(),
        "warnings": result.ok().map(|loaded| loaded.warnings.as_slice()).unwrap_or_default(),
        "unread": result.ok().map(|loaded| loaded.unread.as_slice()).unwrap_or_default(),
    })
}

fn print(context: &mut Context, result: Result<&Loaded, &Problems>) -> Result<(), Failure> {
    let path = context.paths.config.display().to_string();
    match result {
        Err(problems) => {
            let count = u64::try_from(problems.list.len()).unwrap_or(u64::MAX);
            let words = words::count(count, "problem");
            context.printer.spans(&[format!("{path}: ").into(), Span(Style::Bad, words)])?;
            for problem in &problems.list {
                context.printer.line(&problem.to_string())?;
            }
        }
        Ok(loaded) => {
            let state =
                if context.paths.config.exists() { "valid" } else { "no file, defaults apply" };
            context
                .printer
                .spans(&[format!("{path}: ").into(), Span(Style::Good, state.to_owned())])?;
            for warning in &loaded.warnings {
                context.printer.warning(warning);
            }
            if !loaded.unread.is_empty() {
                let list = loaded.unread.join("`, `");
                context.printer.note(&format!("kept, but not read by this gateway: `{list}`"));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
