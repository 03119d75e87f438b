//! Devices and requests as SQLite rows. A row that cannot be read is an error, never skipped: a device
//! that silently vanished would have to be paired again by somebody who does not know why.

use std::{collections::HashMap, sync::Arc};

use openclaw_auth::{
    DeviceId, DeviceRecord, PublicKey, Role, RoleGrant, ScopeSet, pairing::request_digest,
};
use rusqlite::{OptionalExtension as _, Row, Transaction, params};
use serde::{Deserialize, Serialize};

use crate::clock::UnixMs;

use super::{
    Applicant,
    book::{Book, Device, Pending, RequestId, TokenTimes},
};

const GENERATIONS: &str = "device_generations";

pub(super) fn load(tx: &Transaction<'_>) -> rusqlite::Result<Book> {
    let generations = tx
        .query_row("SELECT value FROM meta WHERE key = ?1", [GENERATIONS], |row| {
            row.get::<_, String>(0)
        })
        .optional()?
        .map_or(Ok(0), |text| text.parse().map_err(|_why| unreadable("device_generations")))?;
    let mut roles = load_roles(tx)?;
    let mut devices = tx.prepare("SELECT * FROM devices")?;
    let devices: rusqlite::Result<Vec<Device>> =
        devices.query_map([], |row| device(row, &mut roles))?.collect();
    let mut pending = tx.prepare("SELECT * FROM pairing_requests ORDER BY created_at_ms")?;
    let pending: rusqlite::Result<Vec<Pending>> = pending.query_map([], read_pending)?.collect();
    Ok(Book::new(devices?, pending?, generations))
}

type Roles = HashMap<String, Vec<(RoleGrant, TokenTimes)>>;

fn load_roles(tx: &Transaction<'_>) -> rusqlite::Result<Roles> {
    let mut found: Roles = HashMap::new();
    let mut roles = tx.prepare("SELECT * FROM device_roles ORDER BY created_at_ms")?;
    let mut rows = roles.query([])?;
    while let Some(row) = rows.next()? {
        let role = role(&row.get::<_, String>("role")?)?;
        let revoked_at_ms: Option<i64> = row.get("revoked_at_ms")?;
        let grant = RoleGrant {
            role,
            scopes: scopes(&row.get::<_, String>("scopes")?)?,
            generation: row.get::<_, i64>("generation")?.cast_unsigned(),
            revoked: revoked_at_ms.is_some(),
        };
        let times = TokenTimes {
            role,
            created_at_ms: time(row, "created_at_ms")?,
            rotated_at_ms: row.get::<_, Option<i64>>("rotated_at_ms")?.map(i64::cast_unsigned),
            revoked_at_ms: revoked_at_ms.map(i64::cast_unsigned),
        };
        found.entry(row.get("device_id")?).or_default().push((grant, times));
    }
    Ok(found)
}

fn device(row: &Row<'_>, roles: &mut Roles) -> rusqlite::Result<Device> {
    let id: String = row.get("device_id")?;
    let (roles, tokens) = roles.remove(&id).unwrap_or_default().into_iter().unzip();
    let applicant = Applicant {
        display_name: row.get("display_name")?,
        platform: row.get("platform")?,
        device_family: row.get("device_family")?,
        client_id: row.get::<_, Option<String>>("client_id")?.unwrap_or_default(),
        client_mode: row.get::<_, Option<String>>("client_mode")?.unwrap_or_default(),
        remote_ip: row.get::<_, Option<String>>("remote_ip")?.and_then(|ip| ip.parse().ok()),
    };
    let record = DeviceRecord {
        id: DeviceId::parse(&id).ok_or_else(|| unreadable("device_id"))?,
        public_key: key(&row.get::<_, String>("public_key")?)?,
        platform: applicant.platform.as_deref().map(Into::into),
        device_family: applicant.device_family.as_deref().map(Into::into),
        roles,
    };
    Ok(Device {
        record: Arc::new(record),
        applicant,
        label: row.get("label")?,
        approved_via: row.get("approved_via")?,
        created_at_ms: time(row, "created_at_ms")?,
        approved_at_ms: time(row, "approved_at_ms")?,
        last_seen_at_ms: row.get::<_, Option<i64>>("last_seen_at_ms")?.map(i64::cast_unsigned),
        tokens,
    })
}

pub(super) fn save_device(
    tx: &Transaction<'_>,
    device: &Device,
    generations: u64,
) -> rusqlite::Result<()> {
    let (record, applicant) = (&device.record, &device.applicant);
    let id = record.id.as_str();
    tx.execute(
        "INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)",
        params![GENERATIONS, generations.to_string()],
    )?;
    tx.execute("DELETE FROM devices WHERE device_id = ?1", [id])?;
    tx.execute(
        "INSERT INTO devices (device_id, public_key, display_name, label, platform, device_family, client_id,
             client_mode, remote_ip, approved_via, created_at_ms, approved_at_ms, last_seen_at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        params![
            id,
            record.public_key.encode(),
            applicant.display_name,
            device.label,
            applicant.platform,
            applicant.device_family,
            applicant.client_id,
            applicant.client_mode,
            applicant.remote_ip.map(|ip| ip.to_string()),
            device.approved_via,
            device.created_at_ms.cast_signed(),
            device.approved_at_ms.cast_signed(),
            device.last_seen_at_ms.map(u64::cast_signed),
        ],
    )?;
    record.roles.iter().try_for_each(|grant| save_role(tx, id, grant, device.times(grant.role)))
}

fn save_role(
    tx: &Transaction<'_>,
    id: &str,
    grant: &RoleGrant,
    times: Option<&TokenTimes>,
) -> rusqlite::Result<()> {
    let words: Vec<&str> = grant.scopes.words().collect();
    let time = |pick: fn(&TokenTimes) -> Option<UnixMs>| times.and_then(pick).map(u64::cast_signed);
    tx.execute(
        "INSERT INTO device_roles
             (device_id, role, scopes, generation, created_at_ms, rotated_at_ms, revoked_at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            id,
            grant.role.as_str(),
            words.join(" "),
            grant.generation.cast_signed(),
            time(|times| Some(times.created_at_ms)).unwrap_or_default(),
            time(|times| times.rotated_at_ms),
            time(|times| times.revoked_at_ms),
        ],
    )
    .map(drop)
}

pub(super) fn remove(tx: &Transaction<'_>, id: &DeviceId) -> rusqlite::Result<()> {
    tx.execute("DELETE FROM devices WHERE device_id = ?1", [id.as_str()])?;
    tx.execute("DELETE FROM pairing_requests WHERE device_id = ?1", [id.as_str()]).map(drop)
}

pub(super) fn save_seen(
    tx: &Transaction<'_>,
    seen: &HashMap<DeviceId, UnixMs>,
) -> rusqlite::Result<()> {
    let mut update = tx.prepare("UPDATE devices SET last_seen_at_ms = ?2 WHERE device_id = ?1")?;
    seen.iter()
        .try_for_each(|(id, at)| update.execute(params![id.as_str(), at.cast_signed()]).map(drop))
}

/// The part of a request that only we read, as JSON.
#[derive(Serialize, Deserialize)]
struct Asked {
    public_key: String,
    applicant: Applicant,
    role: String,
    scopes: String,
    is_repair: bool,
}

pub(super) fn save_pending(
    tx: &Transaction<'_>,
    pending: &Pending,
    gone: &[RequestId],
) -> rusqlite::Result<()> {
    gone.iter().try_for_each(|id| drop_pending(tx, id))?;
    let words: Vec<&str> = pending.scopes.words().collect();
    let asked = Asked {
        public_key: pending.public_key.encode(),
        applicant: pending.applicant.clone(),
        role: pending.role.as_str().to_owned(),
        scopes: words.join(" "),
        is_repair: pending.is_repair,
    };
    tx.execute(
        "INSERT OR REPLACE INTO pairing_requests (request_id, device_id, request, created_at_ms)
         VALUES (?1, ?2, ?3, ?4)",
        params![
            pending.request_id.0,
            pending.device_id.as_str(),
            crate::protocol::frame::to_text(&asked),
            pending.created_at_ms.cast_signed()
        ],
    )
    .map(drop)
}

pub(super) fn drop_pending(tx: &Transaction<'_>, id: &RequestId) -> rusqlite::Result<()> {
    tx.execute("DELETE FROM pairing_requests WHERE request_id = ?1", [&id.0]).map(drop)
}

fn read_pending(row: &Row<'_>) -> rusqlite::Result<Pending> {
    let asked: Asked = serde_json::from_str(&row.get::<_, String>("request")?)
        .map_err(|_why| unreadable("request"))?;
    let (public_key, role, scopes) =
        (key(&asked.public_key)?, role(&asked.role)?, scopes(&asked.scopes)?);
    let id: String = row.get("device_id")?;
    Ok(Pending {
        request_id: RequestId(row.get("request_id")?),
        device_id: DeviceId::parse(&id).ok_or_else(|| unreadable("device_id"))?,
        digest: request_digest(&public_key, role, &scopes),
        public_key,
        applicant: asked.applicant,
        role,
        scopes,
        is_repair: asked.is_repair,
        created_at_ms: time(row, "created_at_ms")?,
    })
}

fn time(row: &Row<'_>, column: &str) -> rusqlite::Result<UnixMs> {
    row.get::<_, i64>(column).map(i64::cast_unsigned)
}

fn role(word: &str) -> rusqlite::Result<Role> {
    Role::parse(Some(word)).map_err(|_why| unreadable("role"))
}

fn key(text: &str) -> rusqlite::Result<PublicKey> {
    PublicKey::parse(text).ok_or_else(|| unreadable("public_key"))
}

fn scopes(words: &str) -> rusqlite::Result<ScopeSet> {
    ScopeSet::from_sent(words.split_ascii_whitespace()).map_err(|_why| unreadable("scopes"))
}

fn unreadable(column: &str) -> rusqlite::Error {
    rusqlite::Error::InvalidColumnName(format!("unreadable {column}"))
}
