//! What the kernel says about the other end of an accepted socket.
//!
//! On Linux the owner of a loopback peer's socket is asked by `sock_diag`: one exact question, whatever
//! the number of sockets on the host. Elsewhere the owner is unknown.

use std::net::SocketAddr;

use openclaw_auth::{Owner, Peer, Userspace};

/// Describes an accepted peer. Only a loopback peer's owner is on this host, so only that one is asked for.
#[must_use]
pub fn describe(peer: SocketAddr, local: SocketAddr) -> Peer {
    let described =
        Peer { addr: Some(peer), owner: Owner::Unknown, userspace: Userspace::NotConfigured };
    if described.is_loopback() {
        Peer { owner: diag::owner(peer, local).map_or(Owner::Unknown, Owner::Uid), ..described }
    } else {
        described
    }
}

/// Whether this platform can tell who owns a peer socket.
pub const CAN_TELL_OWNERS: bool = cfg!(target_os = "linux");

#[cfg(target_os = "linux")]
mod diag {
    use std::{
        net::SocketAddr,
        sync::{Mutex, PoisonError},
    };

    use netlink_packet_core::{NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
    use netlink_packet_sock_diag::{
        SockDiagMessage,
        constants::{AF_INET, AF_INET6, IPPROTO_TCP},
        inet::{ExtensionFlags, InetRequest, SocketId, StateFlags},
    };
    use netlink_sys::{Socket, SocketAddr as NetlinkAddr, protocols::NETLINK_SOCK_DIAG};

    /// An answer to an exact question is about 100 bytes.
    const ANSWER: usize = 1024;

    /// One kernel socket for all questions: asking costs two system calls.
    static KERNEL: Mutex<Option<Socket>> = Mutex::new(None);

    /// The uid that owns the socket `peer -> local`, as its own end sees it.
    pub(super) fn owner(peer: SocketAddr, local: SocketAddr) -> Option<u32> {
        let mut kernel = KERNEL.lock().unwrap_or_else(PoisonError::into_inner);
        let socket = match kernel.take() {
            Some(socket) => socket,
            None => connect()?,
        };
        let mut answer = Vec::with_capacity(ANSWER);
        let asked =
            socket.send(&question(peer, local), 0).and_then(|_| socket.recv(&mut answer, 0));
        // A socket that failed may still owe an answer: the next question gets a new one.
        if asked.is_ok() {
            *kernel = Some(socket);
        }
        drop(kernel);
        asked.ok()?;
        let message = NetlinkMessage::<SockDiagMessage>::deserialize(&answer).ok()?;
        let NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(response)) = message.payload
        else {
            return None;
        };
        let id = &response.header.socket_id;
        // An exact question may be answered with a listener that would match: that is nobody's peer.
        let exact = id.source_port == peer.port() && id.destination_port == local.port();
        exact.then_some(response.header.uid)
    }

    fn connect() -> Option<Socket> {
        let mut socket = Socket::new(NETLINK_SOCK_DIAG).ok()?;
        socket.bind_auto().ok()?;
        socket.connect(&NetlinkAddr::new(0, 0)).ok()?;
        Some(socket)
    }

    fn question(peer: SocketAddr, local: SocketAddr) -> Vec<u8> {
        let socket_id = SocketId {
            source_port: peer.port(),
            destination_port: local.port(),
            source_address: peer.ip(),
            destination_address: local.ip(),
            interface_id: 0,
            cookie: [0xff; 8],
        };
        let request = InetRequest {
            family: if peer.is_ipv4() { AF_INET } else { AF_INET6 },
            protocol: IPPROTO_TCP,
            extensions: ExtensionFlags::empty(),
            states: StateFlags::all(),
            socket_id,
        };
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST;
        let mut message = NetlinkMessage::new(header, SockDiagMessage::InetRequest(request).into());
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        bytes
    }
}

#[cfg(not(target_os = "linux"))]
mod diag {
    use std::net::SocketAddr;

    pub(super) fn owner(_peer: SocketAddr, _local: SocketAddr) -> Option<u32> {
        None
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn the_owner_of_a_loopback_peer_is_us() {
        for host in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(host) else { continue };
            let local = listener.local_addr().expect("addr");
            let client = TcpStream::connect(local).expect("connect");
            let (_, peer) = listener.accept().expect("accept");
            let owner = describe(peer, local).owner;
            assert_eq!(owner, Owner::Uid(rustix::process::getuid().as_raw()), "{host}");
            drop(client);
        }
    }

    #[test]
    fn a_socket_that_is_not_there_has_no_owner() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        let local = listener.local_addr().expect("addr");
        let stranger = SocketAddr::from(([127, 0, 0, 1], 1));
        assert_eq!(describe(stranger, local).owner, Owner::Unknown);
    }
}
