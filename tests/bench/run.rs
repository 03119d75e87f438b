//! One run of everything: servers side by side, each figure's runs interleaved, medians kept.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use futures_util::future::join_all;
use serde_json::value::RawValue;
use tempfile::TempDir;

use crate::{
    Outcome,
    client::{Ask, Identity, call, connect},
    contender::{Contender, Kind, Server},
    curves::{self, Curve},
    limit::Script,
    load,
    options::{Options, Sizes},
    procfs,
    rows::{ROWS, Row, Sample, patience},
};

/// Devices of the crowd; every other figure takes some of them.
const DEVICES: usize = 500;

/// What every figure may use.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) sizes: Sizes,
    pub(crate) identities: Vec<Identity>,
}

/// A figure of each server, or why there is none.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) row: Row,
    pub(crate) cells: BTreeMap<Kind, Result<Sample, String>>,
}

#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) machine: String,
    pub(crate) runs: u32,
    pub(crate) lines: Vec<Line>,
    pub(crate) curves: Vec<Curve>,
}

/// Measures everything that was asked for.
pub(crate) async fn run(options: &Options) -> Outcome<Report> {
    let (sizes, load) = (options.sizes(), procfs::load());
    let identities = (0..DEVICES / sizes.shrink).map(|_| Identity::fresh());
    let bench = Bench { sizes, identities: identities.collect::<Outcome<_>>()? };
    let folder = TempDir::new()?;
    let contenders = contenders(options, &folder).await?;
    let mut lines = Vec::new();
    {
        let mut servers = Vec::new();
        for contender in &contenders {
            eprintln!("starting the {}", contender.kind.name());
            let server = contender.start_ready().await?;
            pair(&bench, &server).await?;
            servers.push(server);
        }
        let wanted: Vec<&Row> = ROWS.iter().filter(|row| is_wanted(row, options, &sizes)).collect();
        for row in wanted.iter().filter(|row| row.stall().is_none()) {
            eprintln!("{}", row.name);
            lines.push(line(&bench, row, &contenders, &servers).await);
        }
        lines.extend(stalled_lines(&bench, &wanted, &servers).await);
        for server in servers {
            server.stop().await;
        }
    }
    let mut curves = Vec::new();
    if options.wants_curves() {
        for contender in contenders.iter().filter(|one| one.kind != Kind::Official) {
            eprintln!("growth of the {}", contender.kind.name());
            curves::measure(&bench, contender, &mut curves).await?;
        }
    }
    let machine = format!("{}, load {load} before", procfs::machine());
    Ok(Report { machine, runs: sizes.runs, lines, curves })
}

fn is_wanted(row: &Row, options: &Options, sizes: &Sizes) -> bool {
    let named = options.only.as_ref().is_none_or(|part| row.name.contains(part.as_str()));
    named && (sizes.half_open > 0 || row.stall().is_none())
}

/// Every kind of stalled connection at the same time: each waits for a deadline of its server.
async fn stalled_lines(bench: &Bench, rows: &[&Row], servers: &[Server]) -> Vec<Line> {
    let stalled = rows.iter().filter_map(|row| Some((*row, row.stall()?)));
    let lines = stalled.map(|(row, stall)| async move {
        eprintln!("{}", row.name);
        let mut cells = BTreeMap::new();
        for server in servers.iter().filter(|server| row.applies_to(server.kind)) {
            let sample = patience::stalled(server, stall, bench.sizes.half_open).await;
            drop(cells.insert(server.kind, sample.map_err(|error| error.to_string())));
        }
        Line { row: *row, cells }
    });
    join_all(lines).await
}

/// The gateway first: what it answers becomes the script of the limit.
async fn contenders(options: &Options, folder: &TempDir) -> Outcome<Vec<Contender>> {
    let token = uuid::Uuid::new_v4().to_string();
    let gateway = Contender {
        kind: Kind::Gateway,
        // Servers run in a home of their own: a relative path would not be found from there.
        program: absolute(&options.gateway)?,
        arguments: Vec::new(),
        token: token.clone(),
    };
    let script = folder.path().join("script.json");
    std::fs::write(&script, serde_json::to_vec(&record(&gateway).await?)?)?;
    let limit = Contender {
        kind: Kind::Limit,
        program: std::env::current_exe()?,
        arguments: vec![PathBuf::from("--limit-server"), script],
        token: token.clone(),
    };
    let mut all = vec![gateway, limit];
    if let [node, mjs] = options.official.as_slice() {
        all.push(Contender {
            kind: Kind::Official,
            program: absolute(node)?,
            arguments: vec![absolute(mjs)?],
            token,
        });
    }
    Ok(all)
}

fn absolute(path: &Path) -> Outcome<PathBuf> {
    Ok(path.canonicalize().map_err(|error| format!("`{}`: {error}", path.display()))?)
}

/// What this gateway says to a client.
async fn record(contender: &Contender) -> Outcome<Script> {
    let server = contender.start_ready().await?;
    let mut socket = connect(server.addr, Ask::cli(&server.token)).await?;
    let hello: serde_json::Value = serde_json::from_str(socket.text())?;
    let hello = hello.get("payload").ok_or("a hello without payload")?.to_string();
    let params = serde_json::json!({});
    let health = call(&mut socket, "health", params.clone()).await?.to_string();
    let presence = call(&mut socket, "system-presence", params).await?.to_string();
    let token = server.token.clone();
    server.stop().await;
    Ok(Script {
        token,
        hello: serde_json::from_str(&hello)?,
        health: RawValue::from_string(health)?,
        presence: RawValue::from_string(presence)?,
    })
}

/// Lets every device in once, so that no figure pays for its first approval.
async fn pair(bench: &Bench, server: &Server) -> Outcome<()> {
    drop(load::open_devices(server, &bench.identities, bench.identities.len()).await?);
    Ok(())
}

async fn line(bench: &Bench, row: &Row, contenders: &[Contender], servers: &[Server]) -> Line {
    let mut samples: BTreeMap<Kind, Result<Vec<Sample>, String>> = BTreeMap::new();
    for _ in 0..bench.sizes.runs {
        for (contender, server) in contenders.iter().zip(servers) {
            let kind = contender.kind;
            let Ok(so_far) = samples.entry(kind).or_insert_with(|| Ok(Vec::new())) else {
                continue;
            };
            if !row.applies_to(kind) {
                continue;
            }
            let measured = if row.is_fresh() {
                row.measure_fresh(bench, contender).await
            } else {
                row.measure(bench, server).await
            };
            match measured {
                Ok(sample) => so_far.push(sample),
                Err(error) => drop(samples.insert(kind, Err(error.to_string()))),
            }
        }
    }
    samples.retain(|_, runs| runs.as_ref().map_or(true, |runs| !runs.is_empty()));
    let cells = samples.into_iter().map(|(kind, runs)| (kind, runs.map(|runs| middle(&runs))));
    Line { row: *row, cells: cells.collect() }
}

/// The median of each figure; the note is the last run's.
fn middle(runs: &[Sample]) -> Sample {
    let mut values: Vec<f64> = runs.iter().map(|run| run.value).collect();
    let mut costs: Vec<f64> = runs.iter().filter_map(|run| run.cpu_us).collect();
    Sample {
        value: median(&mut values),
        cpu_us: (!costs.is_empty()).then(|| median(&mut costs)),
        note: runs.last().and_then(|run| run.note.clone()),
    }
}

/// The middle one, or the mean of the two in the middle.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    let upper = values.get(half).copied().unwrap_or(f64::NAN);
    if values.len() % 2 == 1 {
        return upper;
    }
    let lower = half.checked_sub(1).and_then(|at| values.get(at)).copied().unwrap_or(upper);
    f64::midpoint(lower, upper)
}
