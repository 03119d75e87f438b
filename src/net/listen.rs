//! Binding: exactly the planned sockets, kept from the moment they are bound.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use openclaw_auth::Via;
use openclaw_bind::{Kind, Plan, Socket as Planned};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

use super::holder;

/// Connections that may wait for accept; a burst of clients after a restart fits.
const BACKLOG: i32 = 1024;

/// One bound socket.
#[derive(Debug)]
pub struct Listener {
    pub socket: TcpListener,
    pub local: SocketAddr,
    pub via: Via,
}

/// Why a planned socket could not be had.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    #[error("port {} is in use on `{}`{}", addr.port(), addr.ip(), holder.as_deref().map(|who| format!(" by {who}")).unwrap_or_default())]
    Busy { addr: SocketAddr, holder: Option<String> },
    #[error("port {} needs a privilege that this user does not have", addr.port())]
    Privileged { addr: SocketAddr },
    #[error("`{addr}` is not an address of this host")]
    NotHere { addr: SocketAddr },
    #[error("cannot listen on `{addr}`: {cause}")]
    Io { addr: SocketAddr, cause: io::Error },
}

impl ListenError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Busy { .. } => "stop that process, choose another `--port`, or pass `--force` to end an \
                 openclaw gateway of yours that holds it"
                .to_owned(),
            Self::Privileged { .. } => {
                "choose a port from 1024 up (`--port 18789`) and let a proxy or Tailscale Serve have port 443".to_owned()
            }
            Self::NotHere { .. } => "`ip addr` lists this host's addresses; set `gateway.customBindHost` to one of them".to_owned(),
            Self::Io { .. } => "`openclaw explain` prints the planned sockets and why each is there".to_owned(),
        }
    }
}

/// Binds every planned socket. A missing `[::1]` is only a warning (row A22); anything else is an error and
/// nothing stays bound (row A21). A planned port of 0 is chosen once and used for all.
///
/// # Errors
/// The first required socket that cannot be had, in words.
pub fn bind(plan: &Plan) -> Result<Vec<Listener>, ListenError> {
    let mut listeners: Vec<Listener> = Vec::new();
    for planned in &plan.sockets {
        let mut addr = planned.addr;
        if let Some(first) = listeners.first().filter(|_| addr.port() == 0) {
            addr.set_port(first.local.port());
        }
        match bind_one(planned, addr) {
            Ok(listener) => listeners.push(listener),
            Err(error) if !planned.required => {
                tracing::warn!(%error, "an optional socket is missing")
            }
            Err(error) => return Err(error),
        }
    }
    Ok(listeners)
}

fn bind_one(planned: &Planned, addr: SocketAddr) -> Result<Listener, ListenError> {
    let socket = open(planned, addr).map_err(|cause| explain(addr, cause))?;
    let socket: std::net::TcpListener = socket.into();
    let io = |cause| ListenError::Io { addr, cause };
    let local = socket.local_addr().map_err(io)?;
    let socket = TcpListener::from_std(socket).map_err(io)?;
    Ok(Listener { socket, local, via: via(planned.kind) })
}

fn open(planned: &Planned, addr: SocketAddr) -> io::Result<Socket> {
    let domain = if addr.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    if addr.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Linux refuses a second listener all the same; this only lets us start while old connections linger.
    socket.set_reuse_address(true)?;
    if let Some(device) = &planned.device {
        bind_device(&socket, device)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket)
}

/// Keeps packets of other interfaces out (row A17).
#[cfg(target_os = "linux")]
fn bind_device(socket: &Socket, device: &str) -> io::Result<()> {
    socket.bind_device(Some(device.as_bytes()))
}

#[cfg(not(target_os = "linux"))]
fn bind_device(_socket: &Socket, _device: &str) -> io::Result<()> {
    Ok(())
}

fn explain(addr: SocketAddr, cause: io::Error) -> ListenError {
    let kind = cause.kind();
    if kind == io::ErrorKind::AddrInUse {
        ListenError::Busy { addr, holder: holder::describe(addr.port()) }
    } else if kind == io::ErrorKind::PermissionDenied {
        ListenError::Privileged { addr }
    } else if kind == io::ErrorKind::AddrNotAvailable {
        ListenError::NotHere { addr }
    } else {
        ListenError::Io { addr, cause }
    }
}

const fn via(kind: Kind) -> Via {
    match kind {
        Kind::Loopback => Via::Loopback,
        Kind::Lan => Via::Lan,
        Kind::Tailnet => Via::Tailnet,
        Kind::Custom => Via::Custom,
    }
}

/// How a local client writes a listener's address.
#[must_use]
pub fn url(local: SocketAddr, scheme: &str) -> String {
    match local.ip() {
        IpAddr::V4(ip) => format!("{scheme}://{ip}:{}", local.port()),
        IpAddr::V6(ip) => format!("{scheme}://[{ip}]:{}", local.port()),
    }
}
