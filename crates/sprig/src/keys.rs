//! Private keys.

use gotemplate::Str;
use num_bigint::BigUint;
use p256::ecdsa::signature::Signer as _;
use rand::rngs::StdRng;
use rand::{Rng, RngExt as _};
use rsa::pkcs1::{DecodeRsaPrivateKey as _, EncodeRsaPrivateKey as _, EncodeRsaPublicKey as _};
use rsa::signature::SignatureEncoding as _;

use crate::der::{bits, elements, integer, octets, pem, read, sequence, tagged, unpem};

const RSA: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const SHA256_RSA: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b];
const EC: &[u8] = &[0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const SHA256_EC: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
const ED25519: &[u8] = &[0x06, 0x03, 0x2b, 0x65, 0x70];
const NULL: &[u8] = &[5, 0];

/// A private key that can sign certificates.
pub(crate) enum Key {
    Rsa(Box<rsa::RsaPrivateKey>),
    Ec(p256::ecdsa::SigningKey),
}

impl Key {
    pub(crate) fn rsa(random: &mut StdRng, bits: usize) -> Result<Key, String> {
        rsa::RsaPrivateKey::new(random, bits)
            .map(|key| Key::Rsa(Box::new(key)))
            .map_err(|error| error.to_string())
    }

    /// # Errors
    /// Go's text where it is Sprig's own.
    pub(crate) fn from_pem(text: &str) -> Result<Key, String> {
        let Some((kind, der)) = unpem(text) else { return Err("no PEM data in input".to_owned()) };
        let Some(algorithm) = kind.strip_suffix("PRIVATE KEY") else {
            return Err(format!("no private key data in PEM block of type {kind}"));
        };
        match algorithm.trim_end() {
            "" => {
                pkcs8(&der).ok_or_else(|| "decoding PEM as PKCS#8: malformed or unsupported key".to_owned())
            }
            "RSA" => pkcs1(&der).ok_or_else(|| "parsing RSA private key from PEM: malformed key".to_owned()),
            "EC" => sec1(&der).ok_or_else(|| "parsing EC private key from PEM: malformed key".to_owned()),
            other => Err(format!("invalid private key type {other}")),
        }
    }

    pub(crate) fn to_pem(&self) -> Result<String, String> {
        match self {
            Key::Rsa(key) => {
                let der = key.to_pkcs1_der().map_err(|error| error.to_string())?;
                Ok(pem("RSA PRIVATE KEY", der.as_bytes()))
            }
            Key::Ec(key) => {
                let point = key.verifying_key().to_sec1_point(false);
                let inner = sequence(&[
                    &integer(&[1]),
                    &octets(&key.to_bytes()),
                    &tagged(0xa0, P256),
                    &tagged(0xa1, &bits(point.as_bytes())),
                ]);
                Ok(pem("EC PRIVATE KEY", &inner))
            }
        }
    }

    /// The bits of the public key, and the structure that holds them.
    pub(crate) fn public(&self) -> Result<(Vec<u8>, Vec<u8>), String> {
        match self {
            Key::Rsa(key) => {
                let der = key.to_public_key().to_pkcs1_der().map_err(|error| error.to_string())?;
                let key = der.as_bytes().to_vec();
                let whole = sequence(&[&sequence(&[RSA, NULL]), &bits(&key)]);
                Ok((key, whole))
            }
            Key::Ec(key) => {
                let point = key.verifying_key().to_sec1_point(false).as_bytes().to_vec();
                let whole = sequence(&[&sequence(&[EC, P256]), &bits(&point)]);
                Ok((point, whole))
            }
        }
    }

    pub(crate) fn algorithm(&self) -> Vec<u8> {
        match self {
            Key::Rsa(_) => sequence(&[SHA256_RSA, NULL]),
            Key::Ec(_) => sequence(&[SHA256_EC]),
        }
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Key::Rsa(key) => {
                let signer = rsa::pkcs1v15::SigningKey::<sha2::Sha256>::new((**key).clone());
                rsa::signature::Signer::sign(&signer, message).to_vec()
            }
            Key::Ec(key) => {
                let signature: p256::ecdsa::Signature = key.sign(message);
                let (r, s) = signature.split_bytes();
                sequence(&[&integer(&r), &integer(&s)])
            }
        }
    }
}

fn pkcs1(der: &[u8]) -> Option<Key> {
    rsa::RsaPrivateKey::from_pkcs1_der(der).ok().map(|key| Key::Rsa(Box::new(key)))
}

fn sec1(der: &[u8]) -> Option<Key> {
    let (outer, _) = read(der)?;
    let parts = elements(outer.content)?;
    let secret = parts.get(1).filter(|part| part.tag == 4)?;
    p256::ecdsa::SigningKey::from_slice(secret.content).ok().map(Key::Ec)
}

fn pkcs8(der: &[u8]) -> Option<Key> {
    let (outer, _) = read(der)?;
    let parts = elements(outer.content)?;
    let algorithm = parts.get(1)?.content;
    let inner = parts.get(2).filter(|part| part.tag == 4)?.content;
    if algorithm.starts_with(RSA) {
        pkcs1(inner)
    } else if algorithm.starts_with(EC) {
        sec1(inner)
    } else {
        None
    }
}

/// `genPrivateKey`
pub(crate) fn generate(kind: &[u8], random: &mut StdRng) -> Result<Str, String> {
    Ok(match kind {
        b"" | b"rsa" => Key::rsa(random, 4096)?.to_pem()?.into(),
        b"ecdsa" => loop {
            let mut secret = [0u8; 32];
            random.fill_bytes(&mut secret);
            if let Ok(key) = p256::ecdsa::SigningKey::from_slice(&secret) {
                break Key::Ec(key).to_pem()?.into();
            }
        },
        b"ed25519" => {
            let mut seed = [0u8; 32];
            random.fill_bytes(&mut seed);
            let der = sequence(&[&integer(&[0]), &sequence(&[ED25519]), &octets(&octets(&seed))]);
            pem("PRIVATE KEY", &der).into()
        }
        b"dsa" => dsa(random).into(),
        other => [b"Unknown type ", other].concat().into(),
    })
}

fn random_bits(random: &mut StdRng, count: usize) -> BigUint {
    let bytes: Vec<u8> = (0..count / 8).map(|_| random.random()).collect();
    let mut value = BigUint::from_bytes_be(&bytes);
    value.set_bit(u64::try_from(count).unwrap_or(1) - 1, true);
    value
}

const SMALL: [u32; 30] = [
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103,
    107, 109, 113, 127,
];

/// Miller and Rabin's test with random bases.
fn prime(value: &BigUint, rounds: usize, random: &mut StdRng) -> bool {
    let zero = BigUint::from(0u32);
    let one = BigUint::from(1u32);
    if !value.bit(0) || SMALL.iter().any(|small| value % *small == zero) {
        return false;
    }
    let less = value - &one;
    let twos = less.trailing_zeros().unwrap_or(0);
    let odd = &less >> twos;
    (0..rounds).all(|_| {
        let base = random_bits(random, 248) % value;
        let mut power = base.modpow(&odd, value);
        if power == one || power == less {
            return true;
        }
        (1..twos).any(|_| {
            power = power.modpow(&BigUint::from(2u32), value);
            power == less
        })
    })
}

/// A DSA key of 2048 and 256 bits.
fn dsa(random: &mut StdRng) -> String {
    let one = BigUint::from(1u32);
    loop {
        let mut q = random_bits(random, 256);
        q.set_bit(0, true);
        if !prime(&q, 20, random) {
            continue;
        }
        let twice = &q << 1u32;
        for _ in 0..8192 {
            let x = random_bits(random, 2048);
            let p = &x - (&x % &twice) + &one;
            if p.bits() != 2048 || !prime(&p, 1, random) || !prime(&p, 10, random) {
                continue;
            }
            let exponent = (&p - &one) / &q;
            let g = BigUint::from(2u32).modpow(&exponent, &p);
            if g == one {
                continue;
            }
            let secret = random_bits(random, 256) % &q;
            let public = g.modpow(&secret, &p);
            let numbers: Vec<Vec<u8>> =
                [&p, &q, &g, &public, &secret].iter().map(|number| integer(&number.to_bytes_be())).collect();
            let mut parts = vec![integer(&[0])];
            parts.extend(numbers);
            return pem("DSA PRIVATE KEY", &tagged(0x30, &parts.concat()));
        }
    }
}
