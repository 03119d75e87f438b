//! The list of figures: name, unit, target, and what measures it. Everything else derives from it.
//!
//! * `start`: processes of their own: time to ready, memory
//! * `many`: one event to many, many who appear at once, wrong tokens
//! * `patience`: connections that never become clients

pub(crate) mod many;
pub(crate) mod patience;
pub(crate) mod start;

use crate::{
    Outcome,
    contender::{Contender, Kind, Server},
    load::{self, Rate},
    rows::patience::Stall,
    run::Bench,
};

/// What a target is compared with.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target {
    /// At most this, in the row's unit.
    AtMost(f64),
    /// At least this part of the limit.
    PartOfLimit(f64),
    /// At most this many times the limit.
    TimesLimit(f64),
    /// No target: the figure is only shown.
    Shown,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum What {
    Live,
    Ready,
    Idle,
    PerConnection,
    Connects,
    Refusals,
    Calls { method: &'static str, connections: usize },
    FanOut { clients: usize },
    Crowd { clients: usize },
    Gets { connections: usize },
    GoodAmongSilent,
    Stalled(Stall),
}

/// One line of the table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) what: What,
    pub(crate) target: Target,
    /// Microseconds of the server's CPU per operation, at most.
    pub(crate) cpu: Option<f64>,
}

const fn row(name: &'static str, unit: &'static str, what: What, target: Target) -> Row {
    Row { name, unit, what, target, cpu: None }
}

const fn costs(row: Row, microseconds: f64) -> Row {
    Row { cpu: Some(microseconds), ..row }
}

const fn health(name: &'static str, connections: usize, part: f64) -> Row {
    let what = What::Calls { method: "health", connections };
    row(name, "/s", what, Target::PartOfLimit(part))
}

const fn fan_out(name: &'static str, clients: usize, times: f64) -> Row {
    costs(row(name, "ms", What::FanOut { clients }, Target::TimesLimit(times)), 13.0)
}

const fn gets(name: &'static str, connections: usize) -> Row {
    row(name, "/s", What::Gets { connections }, Target::PartOfLimit(0.7))
}

const fn stalled(name: &'static str, stall: Stall) -> Row {
    row(name, "s", What::Stalled(stall), Target::AtMost(15.5))
}

/// Every figure, in the order of the table.
pub(crate) const ROWS: &[Row] = &[
    row("process start to first 200 on /healthz", "ms", What::Live, Target::AtMost(30.0)),
    row("process start to first authenticated `health`", "ms", What::Ready, Target::AtMost(50.0)),
    row("resident memory idle", "MB", What::Idle, Target::AtMost(12.0)),
    row("resident memory per idle connection", "KB", What::PerConnection, Target::AtMost(12.0)),
    costs(
        row("connect + signature + hello-ok, c=16", "/s", What::Connects, Target::PartOfLimit(0.6)),
        150.0,
    ),
    costs(row("refused wrong token", "/s", What::Refusals, Target::Shown), 100.0),
    costs(health("`health` c=1", 1, 0.7), 15.0),
    costs(health("`health` c=16", 16, 0.5), 15.0),
    costs(health("`health` c=64", 64, 0.5), 15.0),
    row(
        "`system-presence` c=16",
        "/s",
        What::Calls { method: "system-presence", connections: 16 },
        Target::PartOfLimit(0.5),
    ),
    fan_out("one event to 100 clients, last delivery p50", 100, 1.2),
    fan_out("one event to 500 clients, last delivery p50", 500, 1.15),
    row(
        "opening 500 clients that appear in presence",
        "s",
        What::Crowd { clients: 500 },
        Target::AtMost(0.5),
    ),
    gets("/healthz keep-alive c=16", 16),
    gets("/healthz keep-alive c=64", 64),
    row(
        "a good client beside 64 that never connect, worst",
        "ms",
        What::GoodAmongSilent,
        Target::AtMost(50.0),
    ),
    stalled("silent TCP closed within", Stall::Silent),
    stalled("partial headers closed within", Stall::Partial),
    stalled("dripping headers closed within", Stall::Drip),
    stalled("upgrade without connect closed within", Stall::Upgraded),
];

/// One measurement.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sample {
    pub(crate) value: f64,
    pub(crate) cpu_us: Option<f64>,
    pub(crate) note: Option<String>,
}

impl From<f64> for Sample {
    fn from(value: f64) -> Self {
        Self { value, ..Self::default() }
    }
}

impl From<Rate> for Sample {
    fn from(rate: Rate) -> Self {
        Self { value: rate.per_second, cpu_us: Some(rate.cpu_us), note: None }
    }
}

impl Row {
    /// The limit has no presence board and closes nobody.
    pub(crate) fn applies_to(&self, kind: Kind) -> bool {
        match (self.what, kind) {
            (What::Crowd { .. } | What::GoodAmongSilent | What::Stalled(_), Kind::Limit) => false,
            (_, Kind::Gateway | Kind::Limit | Kind::Official) => true,
        }
    }

    /// How this row's connections stall: all of them wait for their deadline at the same time, once.
    pub(crate) fn stall(&self) -> Option<Stall> {
        match self.what {
            What::Stalled(stall) => Some(stall),
            What::Live
            | What::Ready
            | What::Idle
            | What::PerConnection
            | What::Connects
            | What::Refusals
            | What::Calls { .. }
            | What::FanOut { .. }
            | What::Crowd { .. }
            | What::Gets { .. }
            | What::GoodAmongSilent => None,
        }
    }

    /// These start processes of their own.
    pub(crate) fn is_fresh(&self) -> bool {
        matches!(self.what, What::Live | What::Ready | What::Idle | What::PerConnection)
    }

    /// Measures with a new process.
    pub(crate) async fn measure_fresh(
        &self,
        bench: &Bench,
        contender: &Contender,
    ) -> Outcome<Sample> {
        match self.what {
            What::Live => start::live(contender).await,
            What::Ready => start::ready(contender).await,
            What::Idle => start::idle(bench, contender).await,
            What::PerConnection => start::per_connection(bench, contender).await,
            What::Connects
            | What::Refusals
            | What::Calls { .. }
            | What::FanOut { .. }
            | What::Crowd { .. }
            | What::Gets { .. }
            | What::GoodAmongSilent
            | What::Stalled(_) => Err("this figure needs a running server".into()),
        }
    }

    /// Measures with a server that runs.
    pub(crate) async fn measure(&self, bench: &Bench, server: &Server) -> Outcome<Sample> {
        let sizes = &bench.sizes;
        match self.what {
            What::Live | What::Ready | What::Idle | What::PerConnection => {
                Err("this figure needs a process of its own".into())
            }
            What::Connects => Ok(load::connects(server, sizes, &bench.identities).await?.into()),
            What::Refusals => many::refusals(server, sizes).await,
            What::Calls { method, connections } => {
                Ok(load::calls(server, sizes, connections, method).await?.into())
            }
            What::FanOut { clients } => many::fan_out(server, sizes, clients / sizes.shrink).await,
            What::Crowd { clients } => many::crowd(bench, server, clients / sizes.shrink).await,
            What::Gets { connections } => {
                Ok(load::gets(server, sizes, connections, "/healthz").await?.into())
            }
            What::GoodAmongSilent => patience::good_among_silent(bench, server).await,
            What::Stalled(_) => Err("stalled connections are measured all at once".into()),
        }
    }
}
