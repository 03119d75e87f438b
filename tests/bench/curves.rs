//! Growth: the same figure over the size of what it depends on, and its slope. Nothing that a client can
//! cause may grow faster than linearly.

use serde_json::{Value, json};

use crate::{
    Outcome,
    contender::{Contender, Kind},
    load, procfs,
    rows::{
        many,
        start::{kilobytes, known, settled, whole},
    },
    run::Bench,
};

/// One figure of one server over a size.
#[derive(Debug)]
pub(crate) struct Curve {
    /// File name of the plot; curves of one name share it.
    pub(crate) name: &'static str,
    pub(crate) over: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) kind: Kind,
    pub(crate) points: Vec<(f64, f64)>,
}

impl Curve {
    fn new(name: &'static str, over: &'static str, unit: &'static str, kind: Kind) -> Self {
        Self { name, over, unit, kind, points: Vec::new() }
    }

    /// Least squares: units per one more of `over`.
    pub(crate) fn slope(&self) -> f64 {
        slope(self.points.iter().copied())
    }

    /// The power of `over` that the figure grows with in its upper half: 1 is linear. `None` for less than
    /// three points with something to grow.
    pub(crate) fn power(&self) -> Option<f64> {
        let logs: Vec<(f64, f64)> = self
            .points
            .iter()
            .skip(self.points.len() / 2)
            .filter(|(x, y)| *x > 0.0 && *y > 0.0)
            .map(|(x, y)| (x.ln(), y.ln()))
            .collect();
        (logs.len() >= 3).then(|| slope(logs.into_iter()))
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "name": self.name, "server": self.kind.name(), "over": self.over, "unit": self.unit,
            "points": self.points, "slope": self.slope(), "power": self.power(),
        })
    }
}

fn slope(points: impl Iterator<Item = (f64, f64)> + Clone) -> f64 {
    let count = whole(points.clone().count());
    let (x, y) = points.clone().fold((0.0, 0.0), |sum, point| (sum.0 + point.0, sum.1 + point.1));
    let (x, y) = (x / count, y / count);
    let (above, below) = points.fold((0.0, 0.0), |sum, point| {
        let away = point.0 - x;
        (sum.0 + away * (point.1 - y), sum.1 + away * away)
    });
    if below == 0.0 { 0.0 } else { above / below }
}

/// Every curve of one server; each needs a process of its own.
pub(crate) async fn measure(
    bench: &Bench,
    contender: &Contender,
    curves: &mut Vec<Curve>,
) -> Outcome<()> {
    curves.extend(connections(bench, contender).await?);
    curves.extend(subscribers(bench, contender).await?);
    match contender.kind {
        Kind::Limit => {}
        Kind::Gateway | Kind::Official => curves.extend(crowds(bench, contender).await?),
    }
    Ok(())
}

/// Memory, and the cost of a call, over idle connections.
async fn connections(bench: &Bench, contender: &Contender) -> Outcome<[Curve; 2]> {
    let over = "idle connections";
    let mut memory = Curve::new("memory", over, "KB", contender.kind);
    let mut cost = Curve::new("health-cpu", over, "us CPU per call", contender.kind);
    let server = contender.start_ready().await?;
    let before = settled(bench, &server).await?;
    let mut sockets = Vec::new();
    for size in sizes(bench.sizes.growth) {
        let more = size.saturating_sub(sockets.len());
        sockets.extend(load::open_devices(&server, known(bench), more).await?);
        tokio::time::sleep(bench.sizes.settle).await;
        let grown = procfs::resident(server.pid)?.saturating_sub(before);
        memory.points.push((whole(size), kilobytes(grown)));
        let rate = load::calls(&server, &bench.sizes, load::AT_ONCE, "health").await?;
        cost.points.push((whole(size), rate.cpu_us));
    }
    drop(sockets);
    server.stop().await;
    Ok([memory, cost])
}

/// Last delivery of one event, and its cost, over subscribers.
async fn subscribers(bench: &Bench, contender: &Contender) -> Outcome<[Curve; 2]> {
    let over = "subscribers";
    let mut last = Curve::new("fan-out", over, "ms to the last", contender.kind);
    let mut cost = Curve::new("fan-out-cpu", over, "us CPU per event", contender.kind);
    let server = contender.start_ready().await?;
    for size in sizes(bench.sizes.growth.min(2000)) {
        let sample = many::fan_out(&server, &bench.sizes, size).await?;
        last.points.push((whole(size), sample.value));
        let each = sample.cpu_us.unwrap_or(f64::NAN);
        cost.points.push((whole(size), each * whole(size)));
    }
    server.stop().await;
    Ok([last, cost])
}

/// Opening clients that appear in presence, over how many they are.
async fn crowds(bench: &Bench, contender: &Contender) -> Outcome<[Curve; 2]> {
    let over = "clients in presence";
    let mut time = Curve::new("crowd", over, "s to the last hello", contender.kind);
    let mut cost = Curve::new("crowd-cpu", over, "us CPU for all", contender.kind);
    for size in sizes(bench.identities.len()) {
        let server = contender.start_ready().await?;
        drop(many::crowd(bench, &server, size).await?);
        let sample = many::crowd(bench, &server, size).await?;
        time.points.push((whole(size), sample.value));
        cost.points.push((whole(size), sample.cpu_us.unwrap_or(f64::NAN) * whole(size)));
        server.stop().await;
    }
    Ok([time, cost])
}

/// 1, 2, 5, 10, … up to and with `most`.
fn sizes(most: usize) -> Vec<usize> {
    let decades = std::iter::successors(Some(1usize), |decade| decade.checked_mul(10));
    let steps = decades.take(5).flat_map(|decade| [1, 2, 5].map(|step| step * decade));
    steps.take_while(|size| *size < most).chain([most]).collect()
}
