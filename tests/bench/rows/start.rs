//! Figures of a process of its own: how soon it answers, and what it keeps in memory.

use crate::{
    Outcome,
    client::Identity,
    contender::{Contender, Server},
    load,
    procfs::{self, Cpu},
    rows::Sample,
    run::Bench,
};

/// Connections that were open once before memory per connection is read: what a server allocates for its
/// first clients is not per connection.
const BEFORE: usize = 16;

pub(crate) async fn live(contender: &Contender) -> Outcome<Sample> {
    let mut server = contender.start()?;
    let took = server.until_live().await?;
    server.stop().await;
    Ok((took.as_secs_f64() * 1e3).into())
}

pub(crate) async fn ready(contender: &Contender) -> Outcome<Sample> {
    let mut server = contender.start()?;
    let took = server.until_health().await?;
    let cpu = Cpu::of(server.pid)?.total();
    server.stop().await;
    let note = Some(format!("{:.2} s CPU", cpu.as_secs_f64()));
    Ok(Sample { value: took.as_secs_f64() * 1e3, cpu_us: None, note })
}

pub(crate) async fn idle(bench: &Bench, contender: &Contender) -> Outcome<Sample> {
    let server = contender.start_ready().await?;
    tokio::time::sleep(bench.sizes.settle).await;
    let bytes = procfs::resident(server.pid)?;
    server.stop().await;
    Ok(megabytes(bytes).into())
}

pub(crate) async fn per_connection(bench: &Bench, contender: &Contender) -> Outcome<Sample> {
    let server = contender.start_ready().await?;
    let before = settled(bench, &server).await?;
    let sockets = load::open_devices(&server, known(bench), bench.sizes.connections).await?;
    tokio::time::sleep(bench.sizes.settle).await;
    let after = procfs::resident(server.pid)?;
    let each = kilobytes(after.saturating_sub(before)) / whole(sockets.len());
    drop(sockets);
    server.stop().await;
    Ok(each.into())
}

/// The devices that a process of its own knows after [`settled`]: the first approval of one is another figure.
pub(crate) fn known(bench: &Bench) -> &[Identity] {
    bench.identities.get(..BEFORE).unwrap_or(&bench.identities)
}

/// Resident bytes after a few clients came and went.
pub(crate) async fn settled(bench: &Bench, server: &Server) -> Outcome<u64> {
    drop(load::open_devices(server, known(bench), BEFORE).await?);
    tokio::time::sleep(bench.sizes.settle).await;
    procfs::resident(server.pid)
}

pub(crate) fn megabytes(bytes: u64) -> f64 {
    kilobytes(bytes) / 1024.0
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53 bytes")]
pub(crate) fn kilobytes(bytes: u64) -> f64 {
    bytes as f64 / 1024.0
}

#[expect(clippy::cast_precision_loss, reason = "a count of connections")]
pub(crate) fn whole(count: usize) -> f64 {
    count as f64
}
