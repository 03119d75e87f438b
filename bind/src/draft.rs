//! A plan in the making: one method per row of the table, each of which leaves a trace.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use ipnet::IpNet;

use crate::access::{Access, Secret, Serve, Token};
use crate::address::{is_ownable, is_public, is_shared, is_tailscale_range};
use crate::mode::{CustomHost, Mode};
use crate::note::{Note, Step, Waiting};
use crate::plan::{Exposure, Kind, Plan, Socket};
use crate::refusal::{Refusal, shown};
use crate::situation::{HostAddress, Situation, Tailnet};

const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

pub(crate) struct Draft<'a> {
    mode: &'a Mode,
    port: u16,
    situation: &'a Situation,
    sockets: Vec<Socket>,
    waiting: Option<Waiting>,
    notes: Vec<Note>,
    exposure: Exposure,
    trace: Vec<Step>,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(mode: &'a Mode, port: u16, situation: &'a Situation) -> Self {
        let mut draft = Self {
            mode,
            port,
            situation,
            sockets: Vec::new(),
            waiting: None,
            notes: Vec::new(),
            exposure: Exposure::Loopback,
            trace: Vec::new(),
        };
        draft.step("mode", format!("`bind={mode}`, port {port}"));
        draft
    }

    /// Both families of loopback, as far as the host has them; the second one may fail (`A22`).
    pub(crate) fn loopback(&mut self) -> Result<(), Refusal> {
        let families: Vec<IpAddr> =
            [V4, V6].into_iter().filter(|ip| self.has_loopback(*ip)).collect();
        if families.is_empty() {
            return Err(Refusal::NoLoopback { mode: self.mode.word() });
        }
        let mut required = true;
        for ip in families {
            self.push(SocketAddr::new(ip, self.port), Kind::Loopback);
            if let Some(socket) = self.sockets.last_mut() {
                socket.required = required;
            }
            required = false;
        }
        let found = self.sockets.iter().map(|socket| format!("`{}`", socket.addr.ip()));
        let found = found.collect::<Vec<_>>().join(" and ");
        self.step("loopback", format!("serve {found}"));
        Ok(())
    }

    /// Every IPv4 address of the host.
    pub(crate) fn wildcard(&mut self) {
        self.push(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), self.port), Kind::Lan);
        self.exposure = Exposure::Lan;
        let public: Vec<Note> = self
            .rows()
            .filter(|(ip, _)| ip.is_ipv4() && is_public(*ip))
            .map(|(ip, row)| Note::PublicAddress { ip, interface: row.interface.clone() })
            .collect();
        if !public.is_empty() {
            self.exposure = Exposure::Public;
        }
        self.step("lan", format!("serve every IPv4 address, {} of them public", public.len()));
        self.notes.extend(public);
    }

    /// Why `auto` may not be loopback: no caller could reach it there.
    pub(crate) fn reason_to_widen(&mut self, access: &Access) -> Option<String> {
        if !self.has_loopback(V4) && !self.has_loopback(V6) {
            return Some("this host has no loopback".into());
        }
        match &self.situation.container {
            Some(evidence) if access.explicit_auto => {
                Some(format!("`auto` was asked for inside a container ({evidence})"))
            }
            Some(evidence) => {
                self.step(
                    "auto",
                    format!("loopback: in a container ({evidence}), but `auto` was not written"),
                );
                None
            }
            None => {
                self.step("auto", "loopback: the host has it, and this is not a container".into());
                None
            }
        }
    }

    pub(crate) fn widen(&mut self, because: String) {
        self.step("auto", format!("every IPv4 address: {because}"));
        self.notes.push(Note::AutoWidened { because });
        self.wildcard();
    }

    /// Loopback, and what tailscaled owns; whatever else holds a likely address is only named.
    pub(crate) fn tailnet(&mut self) -> Result<(), Refusal> {
        let situation = self.situation;
        if situation.tailnet == Tailnet::Userspace {
            return Err(Refusal::UserspaceTailnet);
        }
        self.loopback()?;
        if let Tailnet::Up { addresses, device } = &situation.tailnet {
            self.owned(addresses, device.as_deref());
        }
        self.note_shared();
        if !self.sockets.iter().any(|socket| socket.kind == Kind::Tailnet) {
            let waiting = wait_for(&situation.tailnet);
            self.step("tailnet", format!("loopback only for now: {}", waiting.reason));
            self.waiting = Some(waiting);
        }
        Ok(())
    }

    fn owned(&mut self, addresses: &[IpAddr], device: Option<&str>) {
        for ip in addresses.iter().map(IpAddr::to_canonical) {
            let addr = SocketAddr::new(ip, self.port);
            if self.sockets.iter().any(|socket| socket.addr == addr) {
                continue;
            }
            if !is_ownable(ip) {
                self.notes.push(Note::TailnetAddressUnusable { ip });
                continue;
            }
            let Some(row) = self.tunnel(ip, device) else {
                let note = self.stray(ip);
                self.notes.push(note);
                continue;
            };
            self.push(addr, Kind::Tailnet);
            if let Some(socket) = self.sockets.last_mut() {
                socket.device = Some(row.interface.clone());
            }
            self.exposure = Exposure::Tailnet;
            self.step(
                "tailnet",
                format!("serve `{ip}` on `{}`: tailscaled owns it", row.interface),
            );
            if !is_tailscale_range(ip) {
                self.notes.push(Note::NonStandardRange { ip });
            }
        }
    }

    /// The row of `ip` on the named device, else on a tunnel: the LAN may hold the same address (`A17`).
    fn tunnel(&self, ip: IpAddr, device: Option<&str>) -> Option<&'a HostAddress> {
        let on_tunnel = |row: &HostAddress| match device {
            Some(device) => row.interface == device,
            None => row.point_to_point && !row.loopback,
        };
        self.rows().find(|(addr, row)| *addr == ip && on_tunnel(row)).map(|(_, row)| row)
    }

    fn stray(&self, ip: IpAddr) -> Note {
        match self.rows().find(|(addr, _)| *addr == ip) {
            Some((_, row)) => Note::NotTheTunnel { ip, interface: row.interface.clone() },
            None => Note::TailnetAddressMissing { ip },
        }
    }

    /// The address that the user named, and loopback.
    pub(crate) fn custom(&mut self, host: &CustomHost) -> Result<(), Refusal> {
        let ip = host.ip();
        self.loopback()?;
        if let Some(socket) = self.sockets.iter_mut().find(|socket| socket.addr.ip() == ip) {
            socket.required = true;
            return Ok(());
        }
        if ip.is_loopback() && self.has_loopback(ip) {
            self.push(SocketAddr::new(ip, self.port), Kind::Loopback);
            self.step("custom", format!("serve `{host}`, which is loopback"));
            return Ok(());
        }
        let found = self.rows().find(|(addr, row)| *addr == ip && in_scope(row, host));
        let Some((_, row)) = found else {
            return Err(Refusal::CustomHostAbsent { host: host.clone(), present: self.present() });
        };
        let addr = match (ip, host.scope()) {
            (IpAddr::V6(v6), Some(_)) => SocketAddrV6::new(v6, self.port, 0, row.index).into(),
            (ip, _) => SocketAddr::new(ip, self.port),
        };
        self.push(addr, Kind::Custom);
        self.exposure = exposure_of(ip);
        let interface = row.interface.clone();
        self.step("custom", format!("serve `{host}`, which is on `{interface}`"));
        if self.exposure == Exposure::Public {
            self.notes.push(Note::PublicAddress { ip, interface });
        } else if is_shared(ip) && !self.owns(ip) {
            self.notes.push(Note::SharedRange { ip, interface });
        }
        Ok(())
    }

    /// A container's loopback is rarely what its owner wants, but only they may widen it.
    pub(crate) fn note_container(&mut self) {
        if let (Exposure::Loopback, Some(evidence)) = (self.exposure, &self.situation.container) {
            self.notes.push(Note::LoopbackInContainer { evidence: evidence.clone() });
        }
    }

    pub(crate) fn trace_access(&mut self, access: &Access) {
        let secret = match access.secret {
            Secret::None => "no authentication: nothing but loopback, and no way around it",
            Secret::Token(Token::Generated) => "a generated token: enough for loopback",
            Secret::Token(Token::Configured) => "a configured token",
            Secret::Password(_) => "a configured password",
            Secret::TrustedProxy => "a trusted proxy",
        };
        self.step("secret", secret.into());
        match access.serve {
            Serve::Off => {}
            Serve::Serve => self.step("serve", "Serve reaches the gateway on loopback".into()),
            Serve::Funnel => self.step("serve", "Funnel reaches the gateway on loopback".into()),
        }
    }

    pub(crate) fn finish(self) -> Plan {
        let dial = self.dial();
        Plan {
            dial,
            ceiling: self.mode.ceiling(&self.situation.tailnet),
            mode: self.mode.word(),
            sockets: self.sockets,
            waiting: self.waiting,
            notes: self.notes,
            exposure: self.exposure,
            trace: self.trace,
        }
    }

    fn dial(&self) -> SocketAddr {
        let first = self.sockets.first().map(|socket| socket.addr);
        match first {
            Some(addr) if !addr.ip().is_unspecified() => addr,
            Some(_) | None => SocketAddr::new(self.own_v4(), self.port),
        }
    }

    /// The address by which this host reaches its own wildcard socket.
    fn own_v4(&self) -> IpAddr {
        let v4 = self.rows().map(|(ip, _)| ip).find(|ip| ip.is_ipv4() && is_ownable(*ip));
        if self.has_loopback(V4) { V4 } else { v4.unwrap_or(V4) }
    }

    /// Linux serves all of `127.0.0.0/8` from the one address on its loopback interface.
    fn has_loopback(&self, wanted: IpAddr) -> bool {
        let unknown = self.situation.interfaces.is_empty() && (wanted == V4 || wanted == V6);
        unknown
            || self.rows().any(|(ip, row)| {
                let net = IpNet::new(ip, row.prefix).is_ok_and(|net| net.contains(&wanted));
                ip == wanted || (row.loopback && ip.is_loopback() && net)
            })
    }

    fn owns(&self, ip: IpAddr) -> bool {
        match &self.situation.tailnet {
            Tailnet::Up { addresses, .. } => addresses.iter().any(|own| own.to_canonical() == ip),
            Tailnet::NotAsked
            | Tailnet::Unavailable { .. }
            | Tailnet::Pending { .. }
            | Tailnet::Userspace => false,
        }
    }

    /// Names what a guess by address range would have taken for the tailnet (`A14`, `A15`).
    fn note_shared(&mut self) {
        let notes: Vec<Note> = self
            .rows()
            .filter(|(ip, _)| is_shared(*ip) && !self.owns(*ip))
            .map(|(ip, row)| Note::SharedRange { ip, interface: row.interface.clone() })
            .collect();
        self.notes.extend(notes);
    }

    fn present(&self) -> Vec<IpAddr> {
        self.rows().map(|(ip, _)| ip).filter(|ip| is_ownable(*ip)).collect()
    }

    fn rows(&self) -> impl Iterator<Item = (IpAddr, &'a HostAddress)> + use<'a> {
        self.situation.interfaces.iter().map(|row| (row.addr.to_canonical(), row))
    }

    fn push(&mut self, addr: SocketAddr, kind: Kind) {
        self.sockets.push(Socket { addr, kind, device: None, required: true });
    }

    fn step(&mut self, rule: &'static str, outcome: String) {
        self.trace.push(Step { rule, outcome });
    }
}

fn in_scope(row: &HostAddress, host: &CustomHost) -> bool {
    host.scope().is_none_or(|scope| {
        let named = row.interface == scope || row.index.to_string() == scope;
        named && row.index != 0
    })
}

fn exposure_of(ip: IpAddr) -> Exposure {
    if is_public(ip) { Exposure::Public } else { Exposure::Lan }
}

fn wait_for(tailnet: &Tailnet) -> Waiting {
    let (code, reason, hint) = match tailnet {
        Tailnet::Unavailable { reason } => (
            "tailnet_unavailable",
            format!("tailscaled cannot be asked: {reason}"),
            "start tailscaled, or set `bind=loopback`",
        ),
        Tailnet::NotAsked => (
            "tailnet_pending",
            "tailscaled has not answered yet".to_owned(),
            "wait for its first answer",
        ),
        Tailnet::Pending { state } => {
            ("tailnet_pending", format!("tailscaled is in state `{}`", shown(state)), remedy(state))
        }
        Tailnet::Up { .. } | Tailnet::Userspace => (
            "tailnet_pending",
            "tailscaled runs, but its tunnel device holds none of our addresses yet".to_owned(),
            "look at `tailscale status`",
        ),
    };
    Waiting { code, reason, hint: hint.into() }
}

/// The command that ends a `BackendState`; some end by themselves.
fn remedy(state: &str) -> &'static str {
    match state {
        "NeedsLogin" | "Stopped" => "run `tailscale up`",
        "NeedsMachineAuth" => "approve this machine in the admin console of the tailnet",
        "InUseOtherUser" => "another user of this host runs Tailscale; log them out",
        _ => "wait, or look at `tailscale status`",
    }
}
