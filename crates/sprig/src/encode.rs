//! Base 64, base 32 and checksums.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gotemplate::Function;
use gotemplate::Ty::Str as Text;
use sha2::Digest as _;

use crate::args::Args;

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("b64enc", &[Text], |_, a| Ok(base64(a.bytes(0)).into())),
    Function::new("b64dec", &[Text], |_, a| Ok(from_base64(a.bytes(0)).map_or_else(Into::into, Into::into))),
    Function::new("b32enc", &[Text], |_, a| Ok(base32(a.bytes(0)).into())),
    Function::new("b32dec", &[Text], |_, a| Ok(from_base32(a.bytes(0)).map_or_else(Into::into, Into::into))),
    Function::new("sha1sum", &[Text], |_, a| Ok(hex(&sha1::Sha1::digest(a.bytes(0))).into())),
    Function::new("sha256sum", &[Text], |_, a| Ok(hex(&sha2::Sha256::digest(a.bytes(0))).into())),
    Function::new("sha512sum", &[Text], |_, a| Ok(hex(&sha2::Sha512::digest(a.bytes(0))).into())),
    Function::new("adler32sum", &[Text], |_, a| Ok(adler32(a.bytes(0)).to_string().into())),
];

pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn adler32(bytes: &[u8]) -> u32 {
    const MODULUS: u32 = 65_521;
    let (mut a, mut b) = (1u32, 0u32);
    for byte in bytes {
        a = (a + u32::from(*byte)) % MODULUS;
        b = (b + a) % MODULUS;
    }
    (b << 16) | a
}

fn digit(b: u8) -> Option<u32> {
    match b {
        b'A'..=b'Z' => Some(u32::from(b - b'A')),
        b'a'..=b'z' => Some(u32::from(b - b'a') + 26),
        b'0'..=b'9' => Some(u32::from(b - b'0') + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

/// Padded base 64; line breaks are skipped.
///
/// # Errors
/// Go's text, with the place of the first bad byte.
pub(crate) fn from_base64(text: &[u8]) -> Result<Vec<u8>, String> {
    let bad = |at: usize| Err(format!("illegal base64 data at input byte {at}"));
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let mut bytes = text.iter().copied().enumerate().filter(|(_, b)| !matches!(b, b'\n' | b'\r')).peekable();
    loop {
        let mut group = 0u32;
        let mut count = 0;
        while count < 4 {
            let Some((at, b)) = bytes.next() else {
                if count == 0 {
                    return Ok(out);
                }
                return bad(text.len() - count);
            };
            if let Some(value) = digit(b) {
                group = group << 6 | value;
                count += 1;
                continue;
            }
            if b != b'=' || count < 2 {
                return bad(at);
            }
            if count == 2 {
                match bytes.next() {
                    None => return bad(text.len()),
                    Some((_, b'=')) => {}
                    Some((at, _)) => return bad(at - 1),
                }
            }
            if let Some((at, _)) = bytes.next() {
                return bad(at);
            }
            group <<= 6 * (4 - count);
            let made = group.to_be_bytes();
            out.extend_from_slice(made.get(1..count).unwrap_or_default());
            return Ok(out);
        }
        out.extend_from_slice(group.to_be_bytes().get(1..).unwrap_or_default());
    }
}

fn base32(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut out = String::new();
    for group in bytes.chunks(5) {
        let mut bits = 0u64;
        for i in 0..5 {
            bits = bits << 8 | u64::from(group.get(i).copied().unwrap_or(0));
        }
        let digits = (group.len() * 8).div_ceil(5);
        for i in 0..8 {
            let value = usize::try_from(bits >> (35 - 5 * i) & 31).unwrap_or(0);
            let c = if i < digits { ALPHABET.get(value).copied().unwrap_or(b'=') } else { b'=' };
            out.push(char::from(c));
        }
    }
    out
}

fn from_base32(text: &[u8]) -> Result<Vec<u8>, String> {
    let bad = |at: usize| Err(format!("illegal base32 data at input byte {at}"));
    let clean: Vec<u8> = text.iter().copied().filter(|b| !matches!(b, b'\n' | b'\r')).collect();
    let mut out = Vec::new();
    for (start, group) in clean.chunks(8).enumerate().map(|(i, g)| (i * 8, g)) {
        let mut bits = 0u64;
        for (i, b) in group.iter().enumerate() {
            let behind = clean.get(start + i + 1..).unwrap_or_default();
            let value = match b {
                b'A'..=b'Z' => u64::from(b - b'A'),
                b'2'..=b'7' => u64::from(b - b'2') + 26,
                b'=' if i >= 2 && behind.len() < 8 => {
                    let wanted = 7 - i;
                    let Some(padding) = behind.get(..wanted) else { return bad(clean.len()) };
                    if let Some(wrong) = padding.iter().position(|b| *b != b'=') {
                        return bad(start + i + wrong); // Go names the byte before it
                    }
                    if matches!(i, 3 | 6) {
                        return bad(start + i);
                    }
                    push(bits << (5 * (8 - i)), i * 5 / 8, &mut out);
                    // What follows is not looked at, either.
                    return Ok(out);
                }
                _ => return bad(start + i),
            };
            bits = bits << 5 | value;
        }
        if group.len() < 8 {
            return bad(start);
        }
        push(bits, 5, &mut out);
    }
    Ok(out)
}

/// Appends the first `count` of the five bytes that eight digits stand for.
fn push(bits: u64, count: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(bits.to_be_bytes().get(3..3 + count).unwrap_or_default());
}
