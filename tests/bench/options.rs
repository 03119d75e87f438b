//! The command line and the sizes that follow from it.

use std::{path::PathBuf, time::Duration};

use clap::Parser;

/// Measures the gateway beside a bare server of the same shape.
#[derive(Debug, Parser)]
#[command(name = "gateway-bench")]
pub(crate) struct Options {
    /// The gateway under test.
    #[arg(long, value_name = "PATH", default_value = env!("CARGO_BIN_EXE_openclaw"))]
    pub(crate) gateway: PathBuf,
    /// An official gateway beside it: its Node and its `openclaw.mjs`.
    #[arg(long, num_args = 2, value_names = ["NODE", "MJS"])]
    pub(crate) official: Vec<PathBuf>,
    /// Write the table as JSON, too.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Measure growth curves and write them as SVG.
    #[arg(long, value_name = "DIR")]
    pub(crate) plot: Option<PathBuf>,
    /// Tiny counts: checks that every figure is a number, nothing else.
    #[arg(long, conflicts_with = "full")]
    pub(crate) smoke: bool,
    /// Add half-open connections and growth up to 10,000 connections.
    #[arg(long)]
    pub(crate) full: bool,
    /// Only figures whose name contains this.
    #[arg(long, value_name = "TEXT")]
    pub(crate) only: Option<String>,
    /// Idle connections of the memory figure.
    #[arg(long, value_name = "N")]
    pub(crate) connections: Option<usize>,
    /// Runs of each figure; the median counts.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=9))]
    pub(crate) runs: Option<u32>,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
    /// Be the bare server, answering from this script.
    #[arg(long, hide = true, value_name = "FILE", requires = "port")]
    pub(crate) limit_server: Option<PathBuf>,
    #[arg(long, hide = true, default_value_t = 0)]
    pub(crate) port: u16,
}

/// How much of everything.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) runs: u32,
    /// How long a rate is measured.
    pub(crate) rate: Duration,
    /// The same, before it counts.
    pub(crate) warm_up: Duration,
    /// What a fresh process gets before its memory is read.
    pub(crate) settle: Duration,
    /// Idle connections of the memory figure.
    pub(crate) connections: usize,
    /// Wrong tokens at once; each is held back for up to 5 s by design.
    pub(crate) guesses: usize,
    /// Events per fan-out run.
    pub(crate) events: usize,
    /// Part of the subscribers and of the crowd that a row's name promises: 1 of this many.
    pub(crate) shrink: usize,
    /// Half-open connections of each kind; none: the rows are left out.
    pub(crate) half_open: usize,
    /// The largest size of a growth curve.
    pub(crate) growth: usize,
}

impl Options {
    pub(crate) fn sizes(&self) -> Sizes {
        let mut sizes = if self.smoke { Sizes::SMOKE } else { Sizes::USUAL };
        if self.full {
            sizes.half_open = 100;
            sizes.growth = 10_000;
        }
        sizes.runs = self.runs.unwrap_or(sizes.runs);
        sizes.connections = self.connections.unwrap_or(sizes.connections).clamp(1, 10_000);
        sizes
    }

    /// Growth curves take minutes: only when somebody wants to see them.
    pub(crate) fn wants_curves(&self) -> bool {
        self.plot.is_some() || self.full || self.smoke
    }
}

impl Sizes {
    const USUAL: Self = Self {
        runs: 3,
        rate: Duration::from_millis(1500),
        warm_up: Duration::from_millis(300),
        settle: Duration::from_millis(1500),
        connections: 2000,
        guesses: 400,
        events: 30,
        shrink: 1,
        half_open: 0,
        growth: 2000,
    };

    const SMOKE: Self = Self {
        runs: 1,
        rate: Duration::from_millis(80),
        warm_up: Duration::from_millis(20),
        settle: Duration::from_millis(100),
        connections: 20,
        guesses: 4,
        events: 2,
        shrink: 10,
        half_open: 2,
        growth: 20,
    };
}
