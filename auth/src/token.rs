//! Device tokens: derived, never stored (design, "Auth").
//!
//! A token is an HMAC of a server key over device, role and generation, so the same token can be repeated at every
//! connect, a new generation makes every older one wrong, and a stolen database holds no bearer.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::device::DeviceId;
use crate::role::Role;
use crate::secret::Secret;

/// Separates these tokens from anything else ever derived with the key.
const LABEL: &str = "openclaw device token v1";

/// The 32-byte server key, kept 0600 in the state directory.
pub struct TokenKey(Zeroizing<[u8; 32]>);

impl TokenKey {
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The token of one generation: 32 bytes, base64url without padding.
    #[must_use]
    pub fn derive(&self, device: &DeviceId, role: Role, generation: u64) -> Secret {
        Secret::new(URL_SAFE_NO_PAD.encode(self.mac(device, role, generation)))
    }

    /// Compare in constant time.
    #[must_use]
    pub fn verify(
        &self,
        device: &DeviceId,
        role: Role,
        generation: u64,
        presented: &Secret,
    ) -> bool {
        let expected = Zeroizing::new(URL_SAFE_NO_PAD.encode(self.mac(device, role, generation)));
        bool::from(expected.as_bytes().ct_eq(presented.expose()))
    }

    fn mac(&self, device: &DeviceId, role: Role, generation: u64) -> [u8; 32] {
        // HMAC pads a short key with zeros to one block, so this is the standard MAC of the 32 bytes.
        let mut block = Zeroizing::new([0_u8; 64]);
        block.iter_mut().zip(self.0.iter()).for_each(|(to, from)| *to = *from);
        let mut mac = <Hmac<Sha256>>::new(&(*block).into());
        let number = generation.to_be_bytes();
        for part in
            [LABEL.as_bytes(), device.as_str().as_bytes(), role.as_str().as_bytes(), &number]
        {
            mac.update(part);
            mac.update(b"|");
        }
        mac.finalize().into_bytes().into()
    }
}

impl std::fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenKey(***)")
    }
}
