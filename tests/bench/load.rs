//! Many clients at once: opening them, and asking as fast as the answers come.

use std::{net::SocketAddr, sync::Arc, time::Instant};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::{
    task::JoinSet,
    time::{Duration, timeout},
};

use crate::{
    Outcome,
    client::{self, Ask, Identity},
    contender::Server,
    options::Sizes,
    procfs::Cpu,
    wire::{PATIENCE, Socket, Stream, get, masked_text},
};

/// Connections that are being opened at once.
pub(crate) const AT_ONCE: usize = 16;

/// Answers per second, and what one cost the server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    pub(crate) per_second: f64,
    pub(crate) cpu_us: f64,
}

/// Opens `count` connections of the command line, which presence does not list.
pub(crate) async fn open(server: &Server, count: usize) -> Outcome<Vec<Socket>> {
    let ask = Ask::cli(&server.token);
    let connects = stream::iter(0..count).map(|_| client::connect(server.addr, ask));
    connects.buffer_unordered(AT_ONCE).try_collect().await
}

/// As [`open`], each with the signature of one of these devices.
pub(crate) async fn open_devices(
    server: &Server,
    identities: &[Identity],
    count: usize,
) -> Outcome<Vec<Socket>> {
    let connects = stream::iter(identities.iter().cycle().take(count))
        .map(|identity| client::connect(server.addr, Ask::device(&server.token, identity)));
    connects.buffer_unordered(AT_ONCE).try_collect().await
}

/// What one worker repeats.
#[derive(Debug, Clone)]
enum Task {
    /// One call on an open connection, made before.
    Call(Arc<Vec<u8>>),
    /// One GET on an open connection.
    Get(Arc<String>),
}

enum Worker {
    Call(Socket, Arc<Vec<u8>>),
    Get(Stream, Arc<String>),
}

impl Worker {
    async fn once(&mut self) -> Outcome<()> {
        match self {
            Self::Call(socket, frame) => {
                socket.send_raw(frame).await?;
                client::answer(socket).await?;
                if client::is_ok(socket.text()) {
                    Ok(())
                } else {
                    Err(format!("a call was answered {}", socket.text()).into())
                }
            }
            Self::Get(stream, request) => {
                stream.send(request.as_bytes()).await?;
                match stream.response().await? {
                    200 => Ok(()),
                    status => Err(format!("a GET was answered {status}").into()),
                }
            }
        }
    }
}

/// `method` without parameters, on `connections` connections.
pub(crate) async fn calls(
    server: &Server,
    sizes: &Sizes,
    connections: usize,
    method: &str,
) -> Outcome<Rate> {
    let request = serde_json::json!({ "type": "req", "id": "3", "method": method });
    let task = Task::Call(Arc::new(masked_text(&request.to_string())));
    repeat(server, sizes, connections, task).await
}

/// `path` over kept-alive connections.
pub(crate) async fn gets(
    server: &Server,
    sizes: &Sizes,
    connections: usize,
    path: &str,
) -> Outcome<Rate> {
    repeat(server, sizes, connections, Task::Get(Arc::new(get(server.addr, path)))).await
}

async fn repeat(server: &Server, sizes: &Sizes, connections: usize, task: Task) -> Outcome<Rate> {
    let mut workers = Vec::with_capacity(connections);
    match task {
        Task::Call(frame) => {
            let sockets = open(server, connections).await?.into_iter();
            workers.extend(sockets.map(|socket| Worker::Call(socket, Arc::clone(&frame))));
        }
        Task::Get(request) => {
            for _ in 0..connections {
                // The first request at once: a gateway may close who stays silent beside many others.
                let mut worker =
                    Worker::Get(Stream::dial(server.addr).await?, Arc::clone(&request));
                worker.once().await?;
                workers.push(worker);
            }
        }
    }
    let workers = round(workers, sizes.warm_up).await?.0;
    let (before, started) = (Cpu::of(server.pid)?, Instant::now());
    let (_workers, count) = round(workers, sizes.rate).await?;
    let (spent, took) = (Cpu::of(server.pid)?.since(&before), started.elapsed());
    Ok(rate(count, took, spent))
}

/// Every worker repeats its task for this long.
async fn round(workers: Vec<Worker>, time: Duration) -> Outcome<(Vec<Worker>, u32)> {
    let until = Instant::now() + time;
    let mut running = JoinSet::new();
    for mut worker in workers {
        drop(running.spawn(async move {
            let mut count = 0u32;
            while Instant::now() < until {
                worker.once().await?;
                count += 1;
            }
            Outcome::Ok((worker, count))
        }));
    }
    let (mut done, mut total) = (Vec::new(), 0);
    while let Some(worker) = timeout(time + PATIENCE, running.join_next()).await? {
        let (worker, count) = worker??;
        done.push(worker);
        total += count;
    }
    Ok((done, total))
}

pub(crate) fn rate(count: u32, took: Duration, spent: Duration) -> Rate {
    let count = f64::from(count);
    Rate { per_second: count / took.as_secs_f64(), cpu_us: spent.as_secs_f64() * 1e6 / count }
}

/// Connect, hello-ok, gone; `AT_ONCE` at a time, each worker with a device of its own.
pub(crate) async fn connects(
    server: &Server,
    sizes: &Sizes,
    identities: &[Identity],
) -> Outcome<Rate> {
    connect_for(server, identities, sizes.warm_up).await?;
    let (before, started) = (Cpu::of(server.pid)?, Instant::now());
    let count = connect_for(server, identities, sizes.rate).await?;
    let (spent, took) = (Cpu::of(server.pid)?.since(&before), started.elapsed());
    Ok(rate(count, took, spent))
}

async fn connect_for(server: &Server, identities: &[Identity], time: Duration) -> Outcome<u32> {
    let until = Instant::now() + time;
    let addr: SocketAddr = server.addr;
    let worker = |identity| async move {
        let mut count = 0u32;
        while Instant::now() < until {
            drop(client::connect(addr, Ask::device(&server.token, identity)).await?);
            count += 1;
        }
        Outcome::Ok(count)
    };
    let workers = stream::iter(identities.iter().take(AT_ONCE)).map(worker);
    let counts: Vec<u32> = workers.buffer_unordered(AT_ONCE).try_collect().await?;
    Ok(counts.iter().sum())
}
