//! What a client must bring at all, before anything is compared (protocol 4.1, 4.5).

use super::Ask;
use crate::admit::Admitted;
use crate::denied::{Cause, Denied};
use crate::policy::{Mode, Policy};
use crate::role::Role;
use crate::secret::{MAX_CREDENTIAL_BYTES, Secret};

/// Client ids that exist only inside a browser page.
const BROWSER_IDS: [&str; 3] = ["openclaw-control-ui", "webchat", "webchat-ui"];

/// The client id says that a browser page speaks.
pub(super) fn is_browser_id(id: &str) -> bool {
    BROWSER_IDS.contains(&id)
}

pub(super) fn check(policy: &Policy, admitted: &Admitted, ask: &Ask) -> Result<(), Denied> {
    let deny = |cause| Err(Denied::new(cause));
    // E14: nothing longer than this is ever hashed, not even as part of a signed payload.
    let long = |secret: &Secret| secret.expose().len() > MAX_CREDENTIAL_BYTES;
    if [&ask.token, &ask.password, &ask.device_token].into_iter().flatten().any(long) {
        return deny(Cause::OversizeCredential);
    }
    if is_browser_id(&ask.client.id) && admitted.origin().is_none() {
        return deny(Cause::OriginMissing);
    }
    if ask.device.is_some() {
        return Ok(());
    }
    if &*ask.client.id == "openclaw-control-ui" {
        return deny(Cause::ControlUiDeviceIdentityRequired);
    }
    let may_bring_secret = match policy.mode {
        Mode::Token(_) | Mode::Password(_) => present(&ask.token) || present(&ask.password),
        Mode::None => true,
        // H9: a user that a proxy names has no scopes but those of an approved device.
        Mode::TrustedProxy(_) => {
            policy.local_password.is_some() && admitted.is_local() && present(&ask.password)
        }
    };
    // H16: a device token is nothing without the device.
    if ask.role == Role::Node || present(&ask.device_token) || !may_bring_secret {
        return deny(Cause::DeviceIdentityRequired);
    }
    Ok(())
}

/// Sent and not empty.
pub(super) fn present(secret: &Option<Secret>) -> bool {
    secret.as_ref().is_some_and(|secret| !secret.is_empty())
}
