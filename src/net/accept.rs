//! Accepting: one task per listener, never spinning, never ending because of a peer.

use std::{fs::File, io, net::SocketAddr, sync::Arc, time::Duration};

use openclaw_auth::Via;
use tokio::{
    net::TcpStream,
    time::{Instant, sleep, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::conn::serve::Door;

use super::{
    http,
    io::Io,
    listen::Listener,
    strangers::{Place, Strangers},
    tls::Tls,
};

/// A pause after accept failed for want of descriptors or memory.
const BREATHER: Duration = Duration::from_millis(100);

/// From accept to the end of the TLS handshake (row F27).
const TLS_TIMEOUT: Duration = Duration::from_secs(10);

/// What every listener shares.
#[derive(Debug, Clone)]
pub struct House {
    pub door: Arc<Door>,
    pub site: Arc<http::Site>,
    pub tls: Option<Arc<Tls>>,
    pub strangers: Strangers,
    /// Every connection task; the gateway waits for it when it stops.
    pub tracker: TaskTracker,
    /// Cancelled to stop accepting.
    pub closing: CancellationToken,
    /// Cancelled to end connections that did not end by themselves.
    pub stop: CancellationToken,
}

/// Accepts until the house closes.
pub async fn run(house: House, listener: Listener) {
    let mut reserve = File::open("/dev/null").ok();
    loop {
        let accepted = tokio::select! {
            biased;
            () = house.closing.cancelled() => return,
            accepted = listener.socket.accept() => accepted,
        };
        match accepted {
            Ok((socket, peer)) => admit(&house, &listener, socket, peer),
            Err(error) if is_peers_fault(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "accept failed; connections wait");
                shed(&listener, &mut reserve).await;
                sleep(BREATHER).await;
            }
        }
    }
}

fn is_peers_fault(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset)
}

/// Out of descriptors: the one held in reserve lets us close the waiting connection, so that its peer
/// learns instead of hanging (row F26).
async fn shed(listener: &Listener, reserve: &mut Option<File>) {
    drop(reserve.take());
    let waiting = tokio::time::timeout(BREATHER, listener.socket.accept()).await;
    drop(waiting);
    *reserve = File::open("/dev/null").ok();
}

fn admit(house: &House, listener: &Listener, socket: TcpStream, peer: SocketAddr) {
    // Loopback reached over another interface (`route_localnet`): closed without a byte (row A18).
    if listener.via == Via::Loopback && !peer.ip().to_canonical().is_loopback() {
        tracing::warn!(%peer, "a peer that is not on this host reached the loopback listener; closed");
        return;
    }
    let place = house.strangers.enter(peer.ip());
    let house = house.clone();
    let arrival = Arrival {
        local: socket.local_addr().unwrap_or(listener.local),
        via: listener.via,
        peer,
        place,
    };
    house.tracker.clone().spawn(serve(house, socket, arrival));
}

/// A connection that was just accepted.
#[derive(Debug)]
pub struct Arrival {
    pub peer: SocketAddr,
    pub local: SocketAddr,
    pub via: Via,
    pub place: Place,
}

async fn serve(house: House, socket: TcpStream, arrival: Arrival) {
    // Two small frames back to back wait 40 ms for each other without this.
    drop(socket.set_nodelay(true));
    let accepted = Instant::now();
    let io = match &house.tls {
        None => Io::Plain(socket),
        Some(tls) => {
            let handshake = timeout_at(accepted + TLS_TIMEOUT, tls.acceptor().accept(socket));
            let handshake = tokio::select! {
                biased;
                () = arrival.place.evicted.cancelled() => return,
                handshake = handshake => handshake,
            };
            match handshake {
                Ok(Ok(stream)) => Io::Tls(Box::new(stream)),
                Ok(Err(error)) => {
                    tracing::debug!(peer = %arrival.peer, %error, "no TLS handshake");
                    return;
                }
                Err(_late) => return,
            }
        }
    };
    http::serve(house, io, arrival, accepted).await;
}
