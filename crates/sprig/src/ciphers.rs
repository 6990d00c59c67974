//! Passwords and ciphers.

use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use gotemplate::Ty::{Int, Str as Text};
use gotemplate::{Exec, Fault, Function, IntKind, Value};
use hmac::{KeyInit as _, Mac as _};

use crate::args::{Args, Outcome};
use crate::encode::{base64, from_base64};
use crate::random;

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("bcrypt", &[Text], |e, a| Ok(bcrypt_hash(e, a.bytes(0))?.into())),
    Function::new("htpasswd", &[Text, Text], |e, a| {
        let user = a.str(0);
        if user.contains(&b':') {
            return Ok([b"invalid username: ", &*user].concat().into());
        }
        Ok([&*user, b":", bcrypt_hash(e, a.bytes(1))?.as_bytes()].concat().into())
    }),
    Function::new("derivePassword", &[Int(IntKind::Uint32), Text, Text, Text, Text], |_, a| derive(a)),
    Function::new("encryptAES", &[Text, Text], encrypt),
    Function::new("decryptAES", &[Text, Text], |_, a| decrypt(a.bytes(0), a.bytes(1))),
];

fn bcrypt_hash(exec: &mut Exec<'_>, password: &[u8]) -> Result<String, Fault> {
    const COST: u32 = 10;
    if password.len() > 72 {
        return Ok(
            "failed to encrypt string with bcrypt: bcrypt: password length exceeds 72 bytes".to_owned()
        );
    }
    let salt: [u8; 16] = random::bytes(exec, 16)?.try_into().unwrap_or_default();
    bcrypt::hash_with_salt(password, COST, salt)
        .map(|parts| parts.format_for_version(bcrypt::Version::TwoA))
        .map_err(|error| Fault::Text(error.to_string()))
}

/// The forms of a password: each letter is a class of characters.
fn forms(kind: &[u8]) -> &'static [&'static str] {
    match kind {
        b"maximum" => &["anoxxxxxxxxxxxxxxxxx", "axxxxxxxxxxxxxxxxxno"],
        b"long" => &[
            "CvcvnoCvcvCvcv",
            "CvcvCvcvnoCvcv",
            "CvcvCvcvCvcvno",
            "CvccnoCvcvCvcv",
            "CvccCvcvnoCvcv",
            "CvccCvcvCvcvno",
            "CvcvnoCvccCvcv",
            "CvcvCvccnoCvcv",
            "CvcvCvccCvcvno",
            "CvcvnoCvcvCvcc",
            "CvcvCvcvnoCvcc",
            "CvcvCvcvCvccno",
            "CvccnoCvccCvcv",
            "CvccCvccnoCvcv",
            "CvccCvccCvcvno",
            "CvcvnoCvccCvcc",
            "CvcvCvccnoCvcc",
            "CvcvCvccCvccno",
            "CvccnoCvcvCvcc",
            "CvccCvcvnoCvcc",
            "CvccCvcvCvccno",
        ],
        b"medium" => &["CvcnoCvc", "CvcCvcno"],
        b"short" => &["Cvcn"],
        b"basic" => &["aaanaaan", "aannaaan", "aaannaaa"],
        b"pin" => &["nnnn"],
        _ => &[],
    }
}

fn class(letter: u8) -> &'static [u8] {
    match letter {
        b'V' => b"AEIOU",
        b'C' => b"BCDFGHJKLMNPQRSTVWXYZ",
        b'v' => b"aeiou",
        b'c' => b"bcdfghjklmnpqrstvwxyz",
        b'a' => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz",
        b'n' => b"0123456789",
        b'o' => b"@&%?,=[]_:-+*$#!'^~;()/.",
        _ => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz0123456789!@#$%^&*()",
    }
}

fn sized(text: &[u8]) -> [u8; 4] {
    u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes()
}

/// The algorithm of the Master Password program, whose name seeds it.
fn derive(a: &[Value]) -> Outcome {
    const SEED: &[u8] = b"com.lyndir.masterpassword";
    let (counter, kind, password, user, site) = (a.int(0), a.bytes(1), a.bytes(2), a.bytes(3), a.bytes(4));
    let forms = forms(kind);
    if forms.is_empty() {
        return Ok([b"cannot find password template ", kind].concat().into());
    }
    let salt = [SEED, &sized(user), user].concat();
    let mut key = [0; 64];
    let params = scrypt::Params::new(15, 8, 2).map_err(|error| Fault::Text(error.to_string()))?;
    scrypt::scrypt(password, &salt, &params, &mut key).map_err(|error| Fault::Text(error.to_string()))?;
    let counter = u32::try_from(counter).unwrap_or(0).to_be_bytes();
    let mut mac =
        hmac::Hmac::<sha2::Sha256>::new_from_slice(&key).map_err(|error| Fault::Text(error.to_string()))?;
    for part in [SEED, &sized(site), site, &counter] {
        mac.update(part);
    }
    let seed = mac.finalize().into_bytes();
    let mut seed = seed.iter().map(|b| usize::from(*b));
    let form = forms.get(seed.next().unwrap_or(0) % forms.len()).copied().unwrap_or_default();
    let characters = form.bytes().zip(seed).filter_map(|(letter, number)| {
        let class = class(letter);
        class.get(number % class.len()).copied()
    });
    Ok(characters.collect::<Vec<u8>>().into())
}

fn aes_key(password: &[u8]) -> [u8; 32] {
    let mut key = [0; 32];
    for (to, from) in key.iter_mut().zip(password) {
        *to = *from;
    }
    key
}

fn encrypt(exec: &mut Exec<'_>, a: &[Value]) -> Outcome {
    let text = a.bytes(1);
    if text.is_empty() {
        return Ok("".into());
    }
    let iv: [u8; 16] = random::bytes(exec, 16)?.try_into().unwrap_or_default();
    let padding = 16 - text.len() % 16;
    let mut padded = text.to_vec();
    padded.extend(std::iter::repeat_n(u8::try_from(padding).unwrap_or(16), padding));
    let mut cipher = cbc::Encryptor::<aes::Aes256>::new(&aes_key(a.bytes(0)).into(), &iv.into());
    let mut out = iv.to_vec();
    for block in padded.chunks_exact(16) {
        let mut block: [u8; 16] = block.try_into().unwrap_or_default();
        let mut array = block.into();
        cipher.encrypt_block(&mut array);
        block.copy_from_slice(&array);
        out.extend_from_slice(&block);
    }
    Ok(base64(&out).into())
}

fn decrypt(password: &[u8], text: &[u8]) -> Outcome {
    if text.is_empty() {
        return Ok("".into());
    }
    let bytes = from_base64(text)?;
    let Some((iv, body)) = bytes.split_at_checked(16) else {
        // Go takes the first 16 bytes of what it made room for, and only then what follows them.
        let (room, len) = (text.len() / 4 * 3, bytes.len());
        let bounds = if room < 16 { format!("[:16] with capacity {room}") } else { format!("[16:{len}]") };
        return Err(format!("runtime error: slice bounds out of range {bounds}").into());
    };
    if body.len() % 16 != 0 {
        return Err("crypto/cipher: input not full blocks".into());
    }
    let iv: [u8; 16] = iv.try_into().unwrap_or_default();
    let mut cipher = cbc::Decryptor::<aes::Aes256>::new(&aes_key(password).into(), &iv.into());
    let mut out = Vec::with_capacity(body.len());
    for block in body.chunks_exact(16) {
        let block: [u8; 16] = block.try_into().unwrap_or_default();
        let mut array = block.into();
        cipher.decrypt_block(&mut array);
        out.extend_from_slice(&array);
    }
    let Some(padding) = out.last().copied() else {
        return Err("runtime error: index out of range [-1]".into());
    };
    let Some(len) = out.len().checked_sub(usize::from(padding)) else {
        let over = usize::from(padding) - out.len();
        return Err(format!("runtime error: slice bounds out of range [:-{over}]").into());
    };
    out.truncate(len);
    Ok(out.into())
}
