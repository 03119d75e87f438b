//! The method table, its gate, and the handlers.
//!
//! A method is one struct, one impl of [`Method`] and one line in its family's table. The dispatcher,
//! `hello-ok.features.methods`, the scope checks, the README table and the authorization-matrix test all
//! derive from [`FAMILIES`]. A name that is not in the table is an unknown method: nothing answers `ok`
//! for what it does not do.
//!
//! * `services`: what handlers work on
//! * `methods`: the handlers, a file per family

pub mod methods;
pub mod services;

use std::{future::Future, pin::Pin, sync::Arc};

use openclaw_auth::{Grant, Protocol, Role, Scope};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, value::RawValue};

use crate::protocol::{error::ErrorShape, fault, frame};

use self::services::Services;

/// Who is calling: everything a handler may know of the connection.
#[derive(Debug, Clone)]
pub struct Ctx {
    pub services: Arc<Services>,
    pub grant: Arc<Grant>,
    pub protocol: Protocol,
}

/// One gateway method.
pub trait Method {
    const NAME: &'static str;
    const GATE: Gate;
    /// Whether params that do not fit are an error. `health` and `status` take anything (protocol 2.2).
    const PARAMS: Params = Params::Strict;
    /// Whether the call writes configuration and falls under the write limit.
    const EFFECT: Effect = Effect::Ordinary;
    type Params: DeserializeOwned + Send;
    type Reply: Serialize + Send;

    fn call(
        ctx: Ctx,
        params: Self::Params,
    ) -> impl Future<Output = Result<Self::Reply, ErrorShape>> + Send;
}

/// Who may call a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Every role, every scope set.
    Anyone,
    /// Operators that hold the scope.
    Operator(Scope),
}

/// How params are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Params {
    Strict,
    Ignored,
}

/// What a call does to the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    Ordinary,
    /// Writes configuration: limited per client (protocol 2.3).
    ControlPlaneWrite,
}

/// An answer frame, and whether the caller was refused for lack of authority.
#[derive(Debug)]
pub struct Answer {
    pub frame: String,
    pub unauthorised: bool,
}

impl Answer {
    #[must_use]
    pub fn error(id: &str, error: &ErrorShape) -> Self {
        Self { frame: frame::response_error(&Value::from(id), error), unauthorised: false }
    }

    fn refused(id: &str, error: &ErrorShape) -> Self {
        Self { unauthorised: true, ..Self::error(id, error) }
    }
}

/// A call that runs; the connection's actor polls it.
pub type Job = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// A method with its types erased.
#[derive(Debug)]
pub struct Entry {
    pub name: &'static str,
    pub gate: Gate,
    pub effect: Effect,
    call: fn(Ctx, String, &str) -> Result<Job, Answer>,
}

impl Entry {
    #[must_use]
    pub const fn of<M: Method + 'static>() -> Self {
        Self { name: M::NAME, gate: M::GATE, effect: M::EFFECT, call: start::<M> }
    }

    /// What keeps `grant` from calling this, if anything.
    #[must_use]
    pub fn refusal(&self, grant: &Grant, protocol: Protocol) -> Option<ErrorShape> {
        match self.gate {
            Gate::Anyone => None,
            Gate::Operator(_) if grant.role() != Role::Operator => {
                Some(ErrorShape::unauthorised_role(grant.role().as_str()))
            }
            Gate::Operator(scope) if grant.allows(scope) => None,
            Gate::Operator(scope) => Some(ErrorShape::missing_scope(protocol, scope.as_str())),
        }
    }
}

/// The one place where types are erased.
fn start<M: Method + 'static>(ctx: Ctx, id: String, params: &str) -> Result<Job, Answer> {
    let params = match M::PARAMS {
        Params::Strict => params,
        Params::Ignored => "{}",
    };
    let params: M::Params = fault::read(params).map_err(|sentence| {
        Answer::error(&id, &ErrorShape::invalid(format!("invalid {} params: {sentence}", M::NAME)))
    })?;
    Ok(Box::pin(async move {
        match M::call(ctx, params).await {
            Ok(reply) => Answer { frame: frame::response_of(&id, &reply), unauthorised: false },
            Err(error) => Answer::error(&id, &error),
        }
    }))
}

/// Every method, by family.
pub const FAMILIES: &[&[Entry]] = &[
    methods::system::METHODS,
    methods::logs::METHODS,
    methods::channels::METHODS,
    methods::config::METHODS,
    methods::devices::METHODS,
];

/// Every method, in table order.
pub fn entries() -> impl Iterator<Item = &'static Entry> {
    FAMILIES.iter().flat_map(|family| family.iter())
}

/// The method of this exact name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Entry> {
    entries().find(|entry| entry.name == name)
}

/// Looks a request up, checks the gate, reads the params and starts the handler: role and scope, then the
/// write limit, then existence and params, as upstream orders them.
///
/// # Errors
/// The answer, when no handler was started.
pub fn dispatch(ctx: Ctx, request: &frame::Request<'_>) -> Result<Job, Answer> {
    let id = request.id.as_ref();
    if request.method == "connect" {
        return Err(Answer::error(
            id,
            &ErrorShape::invalid("connect is only valid as the first request"),
        ));
    }
    let Some(entry) = find(&request.method) else {
        return Err(Answer::error(id, &ErrorShape::unknown_method(&request.method)));
    };
    if let Some(error) = entry.refusal(&ctx.grant, ctx.protocol) {
        return Err(Answer::refused(id, &error));
    }
    if entry.effect == Effect::ControlPlaneWrite {
        ctx.services
            .writes
            .spend(&ctx.grant, entry.name, &ctx.services.clock)
            .map_err(|error| Answer::error(id, &error))?;
    }
    let params = request.params.map_or("{}", RawValue::get);
    (entry.call)(ctx, id.to_owned(), params)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_name_stands_twice() {
        let mut names = HashSet::new();
        for entry in entries() {
            assert!(names.insert(entry.name), "{} stands twice", entry.name);
        }
        assert!(names.len() > 15);
    }
}
