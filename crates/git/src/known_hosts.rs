//! Trusted host keys, in the format of OpenSSH's `known_hosts`.

use russh::keys::ssh_key::{Certificate, HashAlg};
use russh::keys::{Algorithm, PublicKey};
use sha1::{Digest, Sha1};

/// What a line says about its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Marker {
    Trusted,
    Authority,
    Revoked,
}

/// A line for the host in question.
struct Line {
    number: usize,
    marker: Marker,
    key: PublicKey,
}

/// The lines that speak about one host.
pub(crate) struct KnownHosts {
    lines: Vec<Line>,
    revoked: Vec<PublicKey>,
    address: String,
}

impl KnownHosts {
    /// The lines of `file` about `host` and `port`. Lines that cannot be read trust nothing and are passed over.
    pub(crate) fn new(file: &[u8], host: &str, port: u16) -> Self {
        let name = host.to_ascii_lowercase();
        let address = if port == 22 { name } else { format!("[{name}]:{port}") };
        let mut lines = Vec::new();
        let mut revoked = Vec::new();
        for (index, line) in String::from_utf8_lossy(file).lines().enumerate() {
            let Some((marker, hosts, key)) = split(line) else { continue };
            if !hosts_match(hosts, &address) {
                continue;
            }
            match marker {
                Marker::Revoked => revoked.push(key),
                marker => lines.push(Line { number: index + 1, marker, key }),
            }
        }
        Self { lines, revoked, address }
    }

    /// The key algorithms to offer: those of the trusted keys, so that the server shows a key that can be checked.
    pub(crate) fn algorithms(&self) -> Vec<Algorithm> {
        let mut algorithms = Vec::new();
        for line in self.lines.iter().filter(|line| line.marker == Marker::Trusted) {
            let offered = match line.key.algorithm() {
                // An `ssh-rsa` key signs with better hashes than its name says.
                Algorithm::Rsa { .. } => vec![
                    Algorithm::Rsa { hash: Some(HashAlg::Sha512) },
                    Algorithm::Rsa { hash: Some(HashAlg::Sha256) },
                    Algorithm::Rsa { hash: None },
                ],
                other => vec![other],
            };
            for algorithm in offered {
                if !algorithms.contains(&algorithm) {
                    algorithms.push(algorithm);
                }
            }
        }
        algorithms
    }

    /// True when a certificate authority is trusted for the host.
    pub(crate) fn has_authority(&self) -> bool {
        self.lines.iter().any(|line| line.marker == Marker::Authority)
    }

    /// Checks a bare host key. The error is the reason.
    pub(crate) fn check(&self, key: &PublicKey) -> Result<(), String> {
        if self.is_revoked(key) {
            return Err(format!("the host key of '{}' is revoked", self.address));
        }
        let trusted = || self.lines.iter().filter(|line| line.marker == Marker::Trusted);
        if trusted().any(|line| line.key.key_data() == key.key_data()) {
            return Ok(());
        }
        match trusted().map(|line| line.number.to_string()).reduce(|all, number| format!("{all}, {number}")) {
            Some(lines) => Err(format!(
                "key mismatch: '{}' shows a {} key that is not the one in known_hosts (line {lines})",
                self.address,
                key.algorithm()
            )),
            None => Err(format!("key is unknown: known_hosts has no key for '{}'", self.address)),
        }
    }

    /// Checks a host certificate at `now`, in seconds since 1970. The error is the reason.
    pub(crate) fn check_certificate(
        &self,
        certificate: &Certificate,
        host: &str,
        now: u64,
    ) -> Result<(), String> {
        let authorities: Vec<_> =
            self.lines.iter().filter(|line| line.marker == Marker::Authority).map(|line| &line.key).collect();
        let signer = certificate.signature_key();
        if self
            .revoked
            .iter()
            .any(|key| key.key_data() == signer || key.key_data() == certificate.public_key())
        {
            return Err(format!("the host certificate of '{}' is revoked", self.address));
        }
        if !authorities.iter().any(|key| key.key_data() == signer) {
            return Err(format!(
                "key is unknown: no trusted authority has signed the certificate of '{}'",
                self.address
            ));
        }
        if !certificate.cert_type().is_host() {
            return Err(format!("'{}' shows a certificate that is not for hosts", self.address));
        }
        let principals = certificate.valid_principals();
        if !principals.is_empty() && !principals.iter().any(|principal| principal.eq_ignore_ascii_case(host))
        {
            return Err(format!("the host certificate of '{}' is for other hosts", self.address));
        }
        let fingerprints: Vec<_> = authorities.iter().map(|key| key.fingerprint(HashAlg::Sha256)).collect();
        certificate
            .validate_at(now, &fingerprints)
            .map_err(|_| format!("the host certificate of '{}' is not valid", self.address))
    }

    fn is_revoked(&self, key: &PublicKey) -> bool {
        self.revoked.iter().any(|revoked| revoked.key_data() == key.key_data())
    }
}

/// Marker, host patterns and key of a line.
fn split(line: &str) -> Option<(Marker, &str, PublicKey)> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let mut words = line.split_ascii_whitespace();
    let mut first = words.next()?;
    let marker = match first {
        "@cert-authority" => Marker::Authority,
        "@revoked" => Marker::Revoked,
        _ if first.starts_with('@') => return None,
        _ => Marker::Trusted,
    };
    if marker != Marker::Trusted {
        first = words.next()?;
    }
    let (algorithm, key) = (words.next()?, words.next()?);
    let key = PublicKey::from_openssh(&format!("{algorithm} {key}")).ok()?;
    Some((marker, first, key))
}

/// Whether a comma-separated list of patterns matches; a pattern after `!` excludes.
fn hosts_match(patterns: &str, address: &str) -> bool {
    let mut matched = false;
    for pattern in patterns.split(',') {
        if let Some(hash) = pattern.strip_prefix("|1|") {
            matched |= hash_matches(hash, address);
            continue;
        }
        let (pattern, negated) = match pattern.strip_prefix('!') {
            Some(rest) => (rest, true),
            None => (pattern, false),
        };
        let pattern = pattern.to_ascii_lowercase();
        // `[host]:22` is the same as `host`.
        let plain = pattern.strip_prefix('[').and_then(|rest| rest.strip_suffix("]:22"));
        if wildcard(plain.unwrap_or(&pattern).as_bytes(), address.as_bytes()) {
            if negated {
                return false;
            }
            matched = true;
        }
    }
    matched
}

/// A hashed host: `{salt}|{HMAC-SHA1 of the address}`, both base64.
fn hash_matches(hash: &str, address: &str) -> bool {
    use base64::Engine as _;
    let decode = |text: &str| base64::engine::general_purpose::STANDARD.decode(text).ok();
    let Some((salt, wanted)) = hash.split_once('|') else { return false };
    let (Some(salt), Some(wanted)) = (decode(salt), decode(wanted)) else { return false };
    hmac_sha1(&salt, address.as_bytes()).as_slice() == wanted
}

/// HMAC (RFC 2104) over SHA-1: what OpenSSH obscures host names with, no protection of anything.
fn hmac_sha1(key: &[u8], message: &[u8]) -> Vec<u8> {
    const BLOCK: usize = 64;
    let mut block = if key.len() > BLOCK { Sha1::digest(key).to_vec() } else { key.to_vec() };
    block.resize(BLOCK, 0);
    let masked = |mask: u8| block.iter().map(|byte| byte ^ mask).collect::<Vec<u8>>();
    let inner = Sha1::new().chain_update(masked(0x36)).chain_update(message).finalize();
    Sha1::new().chain_update(masked(0x5c)).chain_update(inner).finalize().to_vec()
}

/// `*` and `?` as in OpenSSH; no other character is special, brackets included.
fn wildcard(pattern: &[u8], text: &[u8]) -> bool {
    let (mut pattern, mut text) = (pattern, text);
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        match (pattern.split_first(), text.split_first()) {
            (Some((b'*', rest)), _) => {
                retry = Some((rest, text));
                pattern = rest;
            }
            (Some((wanted, rest)), Some((found, tail))) if *wanted == b'?' || wanted == found => {
                (pattern, text) = (rest, tail);
            }
            (None, None) => return true,
            _ => match retry {
                // Let the last `*` swallow one more character.
                Some((after, from)) if !from.is_empty() => {
                    let from = from.get(1..).unwrap_or_default();
                    retry = Some((after, from));
                    (pattern, text) = (after, from);
                }
                _ => return false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
    const TWO: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA6rWI3G1sz07DnfFlrouTcysQlj2P+jpNSOEWD9OJ3X";

    fn key(text: &str) -> PublicKey {
        PublicKey::from_openssh(text).expect("a key")
    }

    fn verdict(file: &str, host: &str, port: u16) -> Result<(), String> {
        KnownHosts::new(file.as_bytes(), host, port).check(&key(ONE))
    }

    #[test]
    fn names_ports_lists_wildcards_and_negation() {
        assert!(verdict(&format!("git.example.com {ONE}"), "Git.example.com", 22).is_ok());
        assert!(verdict(&format!("a,git.example.com,b {ONE} comment"), "git.example.com", 22).is_ok());
        assert!(verdict(&format!("[git.example.com]:2222 {ONE}"), "git.example.com", 2222).is_ok());
        assert!(verdict(&format!("[git.example.com]:22 {ONE}"), "git.example.com", 22).is_ok());
        assert!(verdict(&format!("git.example.com {ONE}"), "git.example.com", 2222).is_err());
        assert!(verdict(&format!("*.example.com {ONE}"), "git.example.com", 22).is_ok());
        assert!(verdict(&format!("g?t.*.com {ONE}"), "git.example.com", 22).is_ok());
        assert!(verdict(&format!("*.example.com,!git.example.com {ONE}"), "git.example.com", 22).is_err());
        assert!(verdict(&format!("[*]:2222 {ONE}"), "git.example.com", 2222).is_ok());
    }

    #[test]
    fn hashed_names() {
        // The vector of RFC 2202, case 2.
        let hex: String =
            hmac_sha1(b"Jefe", b"what do ya want for nothing?").iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
        use base64::Engine as _;
        let encode = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
        let hashed = format!(
            "|1|{}|{} {ONE}",
            encode(b"salt"),
            encode(&hmac_sha1(b"salt", b"[git.example.com]:2222"))
        );
        assert!(verdict(&hashed, "git.example.com", 2222).is_ok());
        assert!(verdict(&hashed, "git.example.com", 22).is_err());
    }

    #[test]
    fn unknown_changed_and_revoked_keys_are_told_apart() {
        assert!(verdict("", "h", 22).expect_err("unknown").starts_with("key is unknown"));
        assert!(verdict(&format!("h {TWO}"), "h", 22).expect_err("changed").contains("key mismatch"));
        assert!(verdict(&format!("h {TWO}"), "h", 22).expect_err("changed").contains("line 1"));
        assert!(
            verdict(&format!("h {ONE}\n@revoked * {ONE}"), "h", 22).expect_err("revoked").contains("revoked")
        );
        // An authority vouches for certificates, not for the bare key.
        assert!(verdict(&format!("@cert-authority h {ONE}"), "h", 22).is_err());
        assert!(KnownHosts::new(format!("@cert-authority h {ONE}").as_bytes(), "h", 22).has_authority());
    }

    #[test]
    fn algorithms_are_those_of_the_keys() {
        let hosts = KnownHosts::new(format!("h {ONE}\nh {TWO}").as_bytes(), "h", 22);
        assert_eq!(hosts.algorithms(), vec![Algorithm::Ed25519]);
    }
}
