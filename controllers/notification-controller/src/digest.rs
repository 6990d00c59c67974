//! Hashes and signatures, and comparing what must not leak by time.

use std::fmt::Write as _;

use ring::{digest, hmac};

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The bytes of hex of either case; `None` when it is not hex.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    text.as_bytes()
        .chunks_exact(2)
        .map(|pair| match pair {
            [high, low] => Some((digit(*high)? << 4) | digit(*low)?),
            _ => None,
        })
        .collect()
}

/// SHA-256 in hex.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// SHA-256.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    for (out, byte) in out.iter_mut().zip(digest::digest(&digest::SHA256, bytes).as_ref()) {
        *out = *byte;
    }
    out
}

/// SHA-1 in hex, for identifiers that remote APIs expect in this form.
pub fn sha1_hex(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref())
}

/// HMAC-SHA256 in hex.
pub fn hmac_sha256_hex(key: &[u8], bytes: &[u8]) -> String {
    hex(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), bytes).as_ref())
}

/// A hash that a signature may be made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

impl Hash {
    /// By its name in a signature header.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "sha1" => Some(Self::Sha1),
            "sha256" => Some(Self::Sha256),
            "sha512" => Some(Self::Sha512),
            _ => None,
        }
    }

    /// Whether `signature` is the HMAC of `bytes`, told in constant time.
    pub fn verifies(self, key: &[u8], bytes: &[u8], signature: &[u8]) -> bool {
        let algorithm = match self {
            Self::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha512 => hmac::HMAC_SHA512,
        };
        hmac::verify(&hmac::Key::new(algorithm, key), bytes, signature).is_ok()
    }
}

/// Whether two secrets are equal, in a time that tells neither where they differ nor how long they are.
pub fn same_secret(one: &[u8], other: &[u8]) -> bool {
    let key = hmac::Key::new(hmac::HMAC_SHA256, &rand::random::<[u8; 32]>());
    hmac::verify(&key, one, hmac::sign(&key, other).as_ref()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_books() {
        assert_eq!(sha1_hex(b"abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!(sha256_hex(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(
            hmac_sha256_hex(b"key", b"The quick brown fox jumps over the lazy dog"),
            "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8"
        );
        let sha1 = unhex("DE7c9b85b8b78aa6bc8a7a36f70a90701c9db4d9").expect("hex");
        assert!(Hash::Sha1.verifies(b"key", b"The quick brown fox jumps over the lazy dog", &sha1));
        assert!(!Hash::Sha256.verifies(b"key", b"The quick brown fox jumps over the lazy dog", &sha1));
    }

    #[test]
    fn secrets_compare_whole() {
        assert!(same_secret(b"token", b"token"));
        for other in ["", "toke", "token ", "Token"] {
            assert!(!same_secret(b"token", other.as_bytes()));
        }
        assert_eq!((unhex("abc"), unhex("zz"), unhex("")), (None, None, Some(Vec::new())));
    }
}
