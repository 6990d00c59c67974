//! Random texts and numbers, from the seed of the run.

use gotemplate::Ty::{Int, Str as Text};
use gotemplate::{Exec, Fault, Function, IntKind, chars};
use rand::RngExt as _;

use crate::args::{Args, Outcome};
use crate::encode::{base64, hex};
use crate::state::state;

const I: gotemplate::Ty = Int(IntKind::Int);
/// Longest random text, in characters.
const LONGEST: usize = 64 << 20;

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("randAlphaNum", &[I], |e, a| text(e, a.int(0), |b| b.is_ascii_alphanumeric())),
    Function::new("randAlpha", &[I], |e, a| text(e, a.int(0), |b| b.is_ascii_alphabetic())),
    Function::new("randNumeric", &[I], |e, a| text(e, a.int(0), |b| b.is_ascii_digit())),
    Function::new("randAscii", &[I], |e, a| text(e, a.int(0), |b| (b' '..=b'~').contains(&b))),
    Function::new("randBytes", &[I], |e, a| {
        let Some(count) = usize::try_from(a.int(0)).ok().filter(|count| *count <= LONGEST) else {
            return Err("runtime error: makeslice: len out of range".into());
        };
        Ok(base64(&bytes(e, count)?).into())
    }),
    Function::new("randInt", &[I, I], |e, a| {
        let (low, high) = (a.int(0), a.int(1));
        // Go's integers wrap around.
        let span = high.wrapping_sub(low);
        if span <= 0 {
            return Err("invalid argument to Intn".into());
        }
        Ok(gotemplate::Value::int(low.wrapping_add(state(e)?.random.random_range(0..span))))
    }),
    Function::new("uuidv4", &[], |e, _| {
        let mut id = bytes(e, 16)?;
        for (i, b) in id.iter_mut().enumerate() {
            match i {
                6 => *b = *b & 0x0f | 0x40,
                8 => *b = *b & 0x3f | 0x80,
                _ => {}
            }
        }
        let digits = hex(&id);
        let cut = |range: std::ops::Range<usize>| digits.get(range).unwrap_or_default();
        Ok(format!("{}-{}-{}-{}-{}", cut(0..8), cut(8..12), cut(12..16), cut(16..20), cut(20..32)).into())
    }),
    Function::new("shuffle", &[Text], |e, a| {
        let mut all: Vec<char> = chars(a.bytes(0)).map(|(c, _)| c).collect();
        let random = &mut state(e)?.random;
        for i in (1..all.len()).rev() {
            all.swap(i, random.random_range(0..=i));
        }
        Ok(all.into_iter().collect::<String>().into())
    }),
];

/// Random bytes.
pub(crate) fn bytes(exec: &mut Exec<'_>, count: usize) -> Result<Vec<u8>, Fault> {
    let random = &mut state(exec)?.random;
    Ok((0..count).map(|_| random.random::<u8>()).collect())
}

fn text(exec: &mut Exec<'_>, count: i64, wanted: fn(u8) -> bool) -> Outcome {
    // A negative count is an error that Sprig drops.
    let count = usize::try_from(count).unwrap_or(0);
    if count > LONGEST {
        return Err(format!("a random text has at most {LONGEST} characters").into());
    }
    let alphabet: Vec<u8> = (0..128u8).filter(|b| wanted(*b)).collect();
    let random = &mut state(exec)?.random;
    let pick = |_| alphabet.get(random.random_range(0..alphabet.len())).copied().unwrap_or(b'a');
    Ok((0..count).map(pick).collect::<Vec<u8>>().into())
}
