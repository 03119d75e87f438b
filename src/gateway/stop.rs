//! The end: stop accepting, say goodbye, give calls a moment, go. A second signal goes at once.

use std::time::Duration;

use serde_json::json;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::timeout,
};

use crate::{
    events::kinds,
    protocol::{close::Close, frame},
};

use super::{notify, start::Running};

/// For connections to read the goodbye and close (row K14: bounded).
const CLOSE: Duration = Duration::from_secs(5);

/// For those that did not.
const END: Duration = Duration::from_secs(2);

/// Serves until SIGTERM or SIGINT; SIGHUP reloads.
pub async fn serve_until_signalled(running: Running) {
    let (Ok(mut term), Ok(mut int), Ok(mut hup)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
        signal(SignalKind::hangup()),
    ) else {
        tracing::error!("signals cannot be heard; stopping");
        return shutdown(running).await;
    };
    loop {
        tokio::select! {
            _ = term.recv() => break,
            _ = int.recv() => break,
            _ = hup.recv() => running.upkeep.reload().await,
        }
    }
    tracing::info!("stopping");
    tokio::select! {
        () = shutdown(running) => {}
        () = again(&mut term, &mut int) => tracing::warn!("second signal: stopping at once"),
    }
}

async fn again(term: &mut Signal, int: &mut Signal) {
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
}

/// Ends a running gateway in order.
pub async fn shutdown(running: Running) {
    let Running { house, runtime_file, state, logs, .. } = running;
    notify::stopping();
    house.closing.cancel();
    drop(runtime_file);
    let services = &house.door.services;
    let payload = json!({ "reason": "gateway stopping", "restartExpectedMs": null });
    services.hub.publish(&kinds::SHUTDOWN, frame::to_json(&payload), None);
    services.hub.close_all_after_events(&Close::new(Close::SERVICE_RESTART, "service restart"));
    house.tracker.close();
    if timeout(CLOSE, house.tracker.wait()).await.is_err() {
        house.stop.cancel();
        drop(timeout(END, house.tracker.wait()).await);
    }
    if let Err(error) = services.devices.save_seen().await {
        tracing::error!(%error, "device times could not be written");
    }
    tracing::info!("stopped");
    logs.flush();
    drop(state);
}
