//! From files, environment and flags to what this start was asked for.

use crate::config::{
    gateway::Mode,
    load::{self, Loaded, Request},
    problem::Problem,
    resolve::{self, Credentials},
};

use super::{Failure, Options, Unconfigured};

/// A configuration that may start a gateway, and its secrets.
#[derive(Debug)]
pub struct Settings {
    pub loaded: Loaded,
    pub credentials: Credentials,
}

/// Loads the configuration and refuses what must not start.
///
/// # Errors
/// Everything that is wrong, at once where it comes from the files.
pub fn load(options: &Options) -> Result<Settings, Failure> {
    let request = Request { paths: &options.paths, env: &options.env, flags: &options.flags };
    let loaded = load::load(&request)?;
    check_mode(&loaded, options.unconfigured)?;
    let credentials = resolve::credentials(&loaded)?;
    Ok(Settings { loaded, credentials })
}

fn check_mode(loaded: &Loaded, unconfigured: Unconfigured) -> Result<(), Problem> {
    let gateway = &loaded.config.gateway;
    if gateway.mode == Mode::Remote {
        let message =
            "this host is configured as a client of a remote gateway and runs none itself";
        return Err(Problem::new("gateway.mode", message)
            .hint("`openclaw config set gateway.mode local` makes this host run the gateway")
            .at(loaded.sources.place("gateway.mode")));
    }
    let silent = loaded.document.is_some() && !gateway.mode_written;
    if silent && unconfigured == Unconfigured::Refuse {
        let message = "the configuration file does not say whether this host runs a gateway";
        return Err(Problem::new("gateway.mode", message).hint(
            "`openclaw config set gateway.mode local`, or start once with `--allow-unconfigured`",
        ));
    }
    Ok(())
}
