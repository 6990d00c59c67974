//! A value that must not be shown.

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// Bytes of a credential: wiped on drop, and without `Debug` or `Display`, so that no log line can hold them.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes over `bytes`.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }

    /// The bytes, for the one call that needs them.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The text, where the consumer needs text; invalid UTF-8 is replaced.
    pub fn expose_text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }

    /// True when there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A SHA-256 that stands for the value in cache keys; it does not lead back to a credential of usual strength.
    pub fn fingerprint(&self) -> [u8; 32] {
        Sha256::digest(&*self.0).into()
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.fingerprint() == other.fingerprint()
    }
}

impl Eq for Secret {}
