//! Who listens on a port, read from `/proc` where there is one. A process of another user may be
//! recognisable only by its uid.

use std::{collections::HashSet, fs};

/// A process that listens on the port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    pub pid: i32,
    pub command: String,
}

/// A sentence for an error message, or nothing where the system does not tell.
#[must_use]
pub fn describe(port: u16) -> Option<String> {
    let sockets = listening(port);
    if let Some(holder) = processes(&sockets).first() {
        return Some(format!("pid {} (`{}`)", holder.pid, holder.command));
    }
    sockets.first().map(|socket| format!("a process of uid {}", socket.uid))
}

/// Processes that listen on the port and that we may look into.
#[must_use]
pub fn find(port: u16) -> Vec<Holder> {
    processes(&listening(port))
}

struct Listening {
    inode: String,
    uid: String,
}

/// Rows of `/proc/net/tcp` in state LISTEN (0A) on the port.
fn listening(port: u16) -> Vec<Listening> {
    let wanted = format!(":{port:04X}");
    let mut found = Vec::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let Ok(text) = fs::read_to_string(table) else { continue };
        for line in text.lines().skip(1) {
            let columns: Vec<&str> = line.split_whitespace().collect();
            if let [_, local, _, "0A", _, _, _, uid, _, inode, ..] = columns.as_slice()
                && local.ends_with(&wanted)
            {
                found.push(Listening { inode: (*inode).to_owned(), uid: (*uid).to_owned() });
            }
        }
    }
    found
}

fn processes(sockets: &[Listening]) -> Vec<Holder> {
    let links: HashSet<String> =
        sockets.iter().map(|socket| format!("socket:[{}]", socket.inode)).collect();
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries
        .filter_map(Result::ok)
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| holds(*pid, &links))
        .map(|pid| Holder { pid, command: command(pid) })
        .collect()
}

fn holds(pid: i32, links: &HashSet<String>) -> bool {
    let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    descriptors.filter_map(Result::ok).any(|descriptor| {
        fs::read_link(descriptor.path())
            .is_ok_and(|target| links.contains(target.to_string_lossy().as_ref()))
    })
}

/// The program's name only: arguments may hold secrets.
#[must_use]
pub fn command(pid: i32) -> String {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    name.trim().chars().filter(|c| !c.is_control()).collect()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn our_own_listener_is_found() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
        let port = socket.local_addr().expect("addr").port();
        let holders = find(port);
        assert!(
            holders.iter().any(|holder| holder.pid == std::process::id().cast_signed()),
            "{holders:?}"
        );
        assert!(describe(port).expect("told").contains("pid"));
        drop(socket);
        assert_eq!(describe(port), None);
    }
}
