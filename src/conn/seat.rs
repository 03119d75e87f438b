//! What an authenticated connection holds. Dropping the seat is leaving: the mailbox goes, presence is told.

use std::sync::Arc;

use openclaw_auth::Grant;

use crate::{
    events::{SeatId, mailbox::Mailbox, presence},
    protocol::connect::Client,
    rpc::services::Services,
};

/// A place in the hub, and perhaps on the presence board.
#[derive(Debug)]
pub struct Seat {
    services: Arc<Services>,
    id: SeatId,
    pub mailbox: Arc<Mailbox>,
    listed: Option<presence::Key>,
}

impl Seat {
    /// Takes a seat. Short-lived command-line clients and backends are not listed (protocol page 9).
    #[must_use]
    pub fn take(
        services: &Arc<Services>,
        grant: &Arc<Grant>,
        client: &Client,
        ip: Option<String>,
    ) -> Self {
        let (id, mailbox) = services.hub.enter(Arc::clone(grant));
        let listed = is_listed(&client.mode).then(|| {
            let device = grant.device().map(|device| device.id().as_str().to_owned());
            let name = device.or_else(|| client.instance_id.clone());
            let key = presence::Key::new(name.unwrap_or_else(|| format!("{id:?}")));
            services.presence.arrive(key.clone(), entry(services, grant, client, ip));
            services.presence_bell.notify_one();
            key
        });
        Self { services: Arc::clone(services), id, mailbox, listed }
    }
}

fn is_listed(mode: &str) -> bool {
    !matches!(mode, "cli" | "backend" | "probe")
}

fn entry(
    services: &Services,
    grant: &Grant,
    client: &Client,
    ip: Option<String>,
) -> presence::Entry {
    let host = client.display_name.clone().unwrap_or_else(|| client.id.clone());
    let now = services.clock.now_ms();
    presence::Entry {
        text: format!("Node: {host} · mode {}", client.mode),
        host,
        client_id: Some(client.id.clone()),
        ip,
        version: Some(client.version.clone()),
        platform: Some(client.platform.clone()),
        device_family: client.device_family.clone(),
        model_identifier: client.model_identifier.clone(),
        time_zone: client.time_zone.clone(),
        mode: client.mode.clone(),
        reason: "connect".to_owned(),
        ts: now,
        online_since: Some(now),
        instance_id: client.instance_id.clone(),
        device_id: grant.device().map(|device| device.id().as_str().to_owned()),
        roles: vec![grant.role().as_str().to_owned()],
        scopes: grant.scopes().words().map(str::to_owned).collect(),
        ..presence::Entry::default()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.services.hub.leave(self.id);
        if let Some(key) = &self.listed
            && self.services.presence.depart(key, self.services.clock.now_ms())
        {
            self.services.presence_bell.notify_one();
        }
    }
}
