//! Figures of many clients at once: one event to everyone, a crowd that appears in presence, wrong tokens.

use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, TryStreamExt as _, stream, stream::FuturesUnordered};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    Outcome,
    client::{self, Answer, Ask},
    contender::{Kind, Server},
    load::{self, AT_ONCE},
    options::Sizes,
    procfs::Cpu,
    rows::{
        Sample,
        start::{megabytes, whole},
    },
    run::{self, Bench},
    wire::{PATIENCE, Socket},
};

/// Between two events: a gateway may gather what comes at once.
const APART: Duration = Duration::from_millis(150);

/// How long a crowd is listened to after its last hello.
const LISTEN: Duration = Duration::from_millis(1500);

/// Between two guesses: time for the secret to be compared before newcomers push the guess out.
const PACE: Duration = Duration::from_millis(2);

/// What upstream lets wait unauthenticated from one address, less a little.
const OFFICIAL_GUESSES: usize = 24;

/// A report of one node: the same node each time, so that the board does not grow.
const REPORT: &str = "Node: bench";

const PRESENCE: &str = r#"{"type":"event","event":"presence""#;

/// From the call that causes it to the last client that has it; CPU is per delivery.
pub(crate) async fn fan_out(server: &Server, sizes: &Sizes, clients: usize) -> Outcome<Sample> {
    let mut admin = client::connect(server.addr, Ask::admin(&server.token)).await?;
    let mut sockets = load::open(server, clients).await?;
    // The first event may still carry what the opening changed.
    one_event(&mut admin, &mut sockets).await?;
    let before = Cpu::of(server.pid)?;
    let mut times = Vec::with_capacity(sizes.events);
    for _ in 0..sizes.events {
        sleep(APART).await;
        times.push(one_event(&mut admin, &mut sockets).await?.as_secs_f64() * 1e3);
    }
    let spent = Cpu::of(server.pid)?.since(&before).as_secs_f64() * 1e6;
    let each = spent / whole(sizes.events) / whole(clients);
    Ok(Sample { value: run::median(&mut times), cpu_us: Some(each), note: None })
}

async fn one_event(admin: &mut Socket, sockets: &mut [Socket]) -> Outcome<Duration> {
    let waiting: FuturesUnordered<_> =
        sockets.iter_mut().map(|socket| client::event(socket, PRESENCE)).collect();
    let params = serde_json::json!({ "text": REPORT, "deviceId": "bench" });
    let started = Instant::now();
    let cause = client::call(admin, "system-event", params);
    let arrivals = waiting.try_for_each(|()| async { Ok(()) });
    let both = async { tokio::try_join!(cause, arrivals) };
    drop(timeout(PATIENCE, both).await??);
    Ok(started.elapsed())
}

/// Until the last of a crowd has its hello; everyone keeps reading what presence sends.
pub(crate) async fn crowd(bench: &Bench, server: &Server, clients: usize) -> Outcome<Sample> {
    let token = server.token.as_str();
    let (stop, mut readers) = (CancellationToken::new(), JoinSet::new());
    let (before, started) = (Cpu::of(server.pid)?, Instant::now());
    let people = stream::iter(bench.identities.iter().take(clients))
        .map(|identity| client::connect(server.addr, Ask::person(token, identity)));
    let mut arriving = people.buffer_unordered(AT_ONCE);
    while let Some(socket) = arriving.next().await {
        drop(readers.spawn(read_all(socket?, stop.clone())));
    }
    let took = started.elapsed();
    sleep(LISTEN.min(bench.sizes.settle)).await;
    let spent = Cpu::of(server.pid)?.since(&before).as_secs_f64() * 1e6;
    stop.cancel();
    let mut bytes = 0;
    while let Some(read) = readers.join_next().await {
        bytes += read??;
    }
    let note = Some(format!("{:.1} MB of frames", megabytes(bytes)));
    Ok(Sample { value: took.as_secs_f64(), cpu_us: Some(spent / whole(clients)), note })
}

/// Payload bytes after the hello, until told to stop.
async fn read_all(mut socket: Socket, stop: CancellationToken) -> Outcome<u64> {
    let hello = socket.received;
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(socket.received - hello),
            read = socket.next() => read?,
        }
    }
}

/// Wrong tokens, one after the other without waiting for answers. Gateways hold answers to guesses from this
/// host back, so the rate says nothing; the CPU does. A connection that is closed without an answer counts:
/// it was turned away.
pub(crate) async fn refusals(server: &Server, sizes: &Sizes) -> Outcome<Sample> {
    let count = match server.kind {
        Kind::Gateway | Kind::Limit => sizes.guesses,
        Kind::Official => sizes.guesses.min(OFFICIAL_GUESSES),
    };
    let ask = Ask::cli("not-the-token");
    let (before, started) = (Cpu::of(server.pid)?, Instant::now());
    let guesses: FuturesUnordered<_> = (0..count)
        .map(|place| async move {
            sleep(PACE.mul_f64(whole(place))).await;
            client::knock(server.addr, ask).await
        })
        .collect();
    let answers: Vec<Outcome<Answer>> = guesses.collect().await;
    let spent = Cpu::of(server.pid)?.since(&before).as_secs_f64() * 1e6;
    let took = started.elapsed();
    let told = answers.iter().filter(|answer| matches!(answer, Ok(Answer::Refused(_)))).count();
    if answers.iter().any(|answer| matches!(answer, Ok(Answer::Welcome(_)))) {
        return Err("a wrong token was let in".into());
    }
    if told == 0 {
        return Err("no wrong token was answered".into());
    }
    let note = (told < count).then(|| format!("{told} of {count} answered"));
    let value = whole(count) / took.as_secs_f64();
    Ok(Sample { value, cpu_us: Some(spent / whole(count)), note })
}
