//! Figures of connections that never become clients: how soon they are closed, and whether a good client
//! still gets in beside them.

use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use tokio::time::{sleep, timeout};

use crate::{
    Outcome,
    client::{self, Ask},
    contender::Server,
    rows::Sample,
    run::Bench,
    wire::{Socket, Stream},
};

/// Twice what the official gateway lets one address have.
const SILENT: usize = 64;

/// Good clients that try to get in, one after the other.
const GOOD: usize = 30;

/// After this an open connection counts as never closed; the official gateway takes up to 89 s.
const GIVE_UP: Duration = Duration::from_secs(120);

/// Where a connection stops making progress.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stall {
    /// Not a byte.
    Silent,
    /// A request line and one header.
    Partial,
    /// A header line each second, never the last.
    Drip,
    /// A WebSocket that never sends `connect`.
    Upgraded,
}

/// The worst time that a good client needs for its hello while others hold their connections.
pub(crate) async fn good_among_silent(bench: &Bench, server: &Server) -> Outcome<Sample> {
    let mut silent = Vec::with_capacity(SILENT);
    for _ in 0..SILENT {
        // Being refused here is one of the answers that a gateway may give.
        silent.extend(Socket::open(server.addr).await.ok());
    }
    let (mut worst, mut refused) = (Duration::ZERO, 0);
    for identity in bench.identities.iter().cycle().take(GOOD) {
        let started = Instant::now();
        match client::connect(server.addr, Ask::device(&server.token, identity)).await {
            Ok(_) => worst = worst.max(started.elapsed()),
            Err(_) => refused += 1,
        }
    }
    drop(silent);
    if refused > 0 {
        return Err(format!("{refused} of {GOOD} shut out").into());
    }
    Ok((worst.as_secs_f64() * 1e3).into())
}

/// The worst time until a stalled connection is closed.
pub(crate) async fn stalled(server: &Server, stall: Stall, count: usize) -> Outcome<Sample> {
    let started = Instant::now();
    let waiting: FuturesUnordered<_> = (0..count).map(|_| one(server, stall)).collect();
    let Ok(closed) = timeout(GIVE_UP, waiting.collect::<Vec<Outcome<()>>>()).await else {
        return Err(format!("not closed after {} s", GIVE_UP.as_secs()).into());
    };
    let took = started.elapsed();
    let refused = closed.iter().filter(|end| end.is_err()).count();
    let note = (refused > 0).then(|| format!("{refused} of {count} refused"));
    Ok(Sample { value: took.as_secs_f64(), cpu_us: None, note })
}

async fn one(server: &Server, stall: Stall) -> Outcome<()> {
    match stall {
        Stall::Silent => Stream::dial(server.addr).await?.closed().await,
        Stall::Partial => {
            let mut stream = Stream::dial(server.addr).await?;
            stream.send(format!("GET / HTTP/1.1\r\nHost: {}\r\n", server.addr).as_bytes()).await?;
            stream.closed().await;
        }
        Stall::Drip => drip(Stream::dial(server.addr).await?).await?,
        Stall::Upgraded => Socket::open(server.addr).await?.closed().await,
    }
    Ok(())
}

/// Sends until it cannot: the server's close shows at the second write after it.
async fn drip(mut stream: Stream) -> Outcome<()> {
    stream.send(b"GET / HTTP/1.1\r\n").await?;
    while stream.send(b"x: y\r\n").await.is_ok() {
        sleep(Duration::from_secs(1)).await;
    }
    Ok(())
}
