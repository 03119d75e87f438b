//! From a target to an open WebSocket.
//!
//! The address that was checked is the address that is dialled: a name is resolved once. Nothing is sent
//! before the certificate is accepted, and nothing but a WebSocket upgrade is asked for: any other answer,
//! a redirect above all, ends the attempt (`I8`). Environment proxies are not read (`I13`).

use std::{io, net::SocketAddr};

use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, lookup_host},
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{
        Error,
        client::IntoClientRequest,
        http::{Response, StatusCode},
        protocol::WebSocketConfig,
    },
};

use crate::{
    client::{
        error::{ClientError, Kind},
        target::{Endpoint, Host, Reach, Route, Scheme, Target},
        tls,
    },
    protocol::limits,
};

/// A byte stream, plain or encrypted.
pub trait Io: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

pub type Socket = WebSocketStream<Box<dyn Io>>;

/// The library reserves its read buffer at once; 8 KiB holds every answer but a log or a history.
const READ_BUFFER: usize = 8 * 1024;

/// An open WebSocket and where it ends.
pub struct Dialled {
    pub socket: Socket,
    pub peer: SocketAddr,
    pub reached: Reached,
}

/// Whether the other end is this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    Loopback,
    Elsewhere,
}

impl Reached {
    fn of(peer: SocketAddr) -> Self {
        match peer.ip().to_canonical().is_loopback() {
            true => Self::Loopback,
            false => Self::Elsewhere,
        }
    }
}

/// Dials `target`.
///
/// # Errors
/// The address may not be dialled, cannot be reached, shows a wrong certificate or is no WebSocket server.
pub async fn dial(target: &Target) -> Result<Dialled, ClientError> {
    let endpoint = &target.endpoint;
    let stream = connect(endpoint, &addresses(target).await?).await?;
    stream.set_nodelay(true).map_err(|error| unreachable(endpoint, &error))?;
    let peer = stream.peer_addr().map_err(|error| unreachable(endpoint, &error))?;
    let stream: Box<dyn Io> = match endpoint.scheme {
        Scheme::Ws => Box::new(stream),
        Scheme::Wss => Box::new(encrypt(target, stream).await?),
    };
    let socket = upgrade(endpoint, stream).await?;
    Ok(Dialled { socket, peer, reached: Reached::of(peer) })
}

async fn addresses(target: &Target) -> Result<Vec<SocketAddr>, ClientError> {
    let (name, port, reach) = match target.route()? {
        Route::Address(address) => return Ok(vec![address]),
        Route::Name(name, port, reach) => (name, port, reach),
    };
    let found: Vec<SocketAddr> = lookup_host((name.as_str(), port))
        .await
        .map_err(|error| {
            ClientError::transport(format!("`{name}` has no address: {error}"))
                .hint("check the spelling, and that this machine can resolve the name")
        })?
        .collect();
    match found.iter().all(|address| reach.admits(address.ip())) {
        true if found.is_empty() => Err(ClientError::transport(format!("`{name}` has no address"))),
        true => Ok(found),
        false if reach == Reach::Loopback => Err(target.plaintext_refused().hint(format!(
            "`{name}` is not this machine: for the local gateway write `ws://127.0.0.1:{port}`"
        ))),
        false => Err(target.plaintext_refused()),
    }
}

/// The first address that answers.
async fn connect(endpoint: &Endpoint, addresses: &[SocketAddr]) -> Result<TcpStream, ClientError> {
    let mut last = None;
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Some(error),
        }
    }
    let error = last.unwrap_or_else(|| io::Error::other("no address"));
    Err(unreachable(endpoint, &error))
}

fn unreachable(endpoint: &Endpoint, error: &io::Error) -> ClientError {
    let why = match error.kind() == io::ErrorKind::ConnectionRefused {
        true => "nothing listens there".to_owned(),
        false => error.to_string(),
    };
    let made = ClientError::transport(format!("cannot reach `{endpoint}`: {why}"));
    let local = match &endpoint.host {
        Host::Ip(ip) => ip.to_canonical().is_loopback(),
        Host::Name(name) => name == "localhost",
    };
    match local {
        true => {
            made.hint("start the gateway with `openclaw gateway`, or see `openclaw gateway status`")
        }
        false => made.hint(
            "check that the gateway runs, listens on that address and is not behind a firewall",
        ),
    }
}

async fn encrypt(target: &Target, stream: TcpStream) -> Result<TlsStream<TcpStream>, ClientError> {
    let config = tls::config(target.pin)
        .map_err(|error| ClientError::new(Kind::Tls, format!("TLS is unusable: {error}")))?;
    let name = match &target.endpoint.host {
        Host::Ip(ip) => ServerName::IpAddress((*ip).into()),
        Host::Name(name) => ServerName::try_from(name.clone()).map_err(|error| {
            ClientError::new(Kind::Target, format!("`{name}` is not a host name: {error}"))
        })?,
    };
    TlsConnector::from(config).connect(name, stream).await.map_err(|error| tls::explain(&error))
}

async fn upgrade(endpoint: &Endpoint, stream: Box<dyn Io>) -> Result<Socket, ClientError> {
    let Endpoint { scheme, host, port, path } = endpoint;
    let request = format!("{scheme}://{host}:{port}{path}")
        .into_client_request()
        .map_err(|error| ClientError::new(Kind::Target, format!("not a gateway URL: {error}")))?;
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .max_message_size(Some(limits::MAX_PAYLOAD))
        .max_frame_size(Some(limits::MAX_PAYLOAD));
    match client_async_with_config(request, stream, Some(config)).await {
        Ok((socket, _response)) => Ok(socket),
        Err(Error::Http(response)) => Err(answered(endpoint, &response)),
        Err(error) => Err(ClientError::transport(format!(
            "`{endpoint}` did not upgrade to WebSocket: {error}"
        ))
        .hint("something else than a gateway may listen there, or it wants `wss://`")),
    }
}

/// An HTTP answer in place of the upgrade.
fn answered(endpoint: &Endpoint, response: &Response<Option<Vec<u8>>>) -> ClientError {
    let status = response.status();
    let body = response.body().as_deref().unwrap_or_default();
    let body = String::from_utf8_lossy(body);
    let made = ClientError::transport(format!("`{endpoint}` answered HTTP {status}"));
    if status.is_redirection() {
        return made.hint("redirects are not followed: write the gateway's own URL");
    }
    if body.contains("proxy_attribution_required") {
        return ClientError { kind: Kind::Auth, ..made }.hint(
            "a proxy on the way is not known to the gateway: add its address to `gateway.trustedProxies`, or dial the gateway directly",
        );
    }
    match status {
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => made.hint(
            "the gateway has too many unauthenticated connections from here; try again in a moment",
        ),
        StatusCode::FORBIDDEN => ClientError { kind: Kind::Auth, ..made }
            .hint("the gateway or a proxy before it refuses this address"),
        _ => made.hint("the URL is not that of a gateway's WebSocket"),
    }
}
