//! `openclaw gateway call`: one method, one answer.

use serde_json::Value;

use crate::{
    cli::{
        args::CallArgs,
        context::Context,
        failure::Failure,
        session::{PATIENCE, Session},
    },
    client::{
        credentials::{ConnectAs, Who},
        scopes,
    },
};

/// Runs the command.
///
/// # Errors
/// Params that are no object, no connection, or the gateway's refusal.
pub async fn run(context: &mut Context, args: &CallArgs) -> Result<(), Failure> {
    let params = params(&args.params)?;
    let session = Session::open(context, &args.dial, PATIENCE)?;
    let spinner = context.printer.spinner(&format!("calling {}", args.method));
    let connect_as = ConnectAs::new(Who::Cli, scopes::of_method(&args.method));
    let mut connection = session.connect(&connect_as).await?;
    let answer = match args.expect_final {
        true => connection.call_final(&args.method, Some(&params)).await,
        false => connection.call(&args.method, Some(&params)).await,
    };
    connection.close().await;
    drop(spinner);
    let answer = answer?;
    if !args.json {
        context.printer.note(&format!("`{}` answered:", args.method));
    }
    context.printer.json(&answer)
}

fn params(text: &str) -> Result<Value, Failure> {
    let refuse = |why: String| {
        Failure::usage(format!("`--params` is not a JSON object: {why}"))
            .hint(r#"quote it for the shell, as in --params '{"limit": 5}'"#)
    };
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(Value::Object(object)),
        Ok(_) => Err(refuse("it is another kind of value".to_owned())),
        Err(error) => Err(refuse(error.to_string())),
    }
}
