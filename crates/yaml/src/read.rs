//! Reading, as go-yaml reads.

mod build;
mod decode;
mod flow;
mod key;
mod plain;
mod scan;
mod token;

use crate::error::ReadError;
use crate::{Profile, Value};

/// What a reader accepts.
#[derive(Debug, Clone, Copy)]
pub struct ReadLimits {
    /// Longest input, in bytes. Default: 64 MiB.
    pub bytes: usize,
    /// Deepest nesting of collections. Default: 256.
    pub depth: usize,
    /// How many nodes the aliases and merge keys of a text may add, all its documents together; every 64 bytes of a
    /// scalar count as one more. Default: 1,000,000.
    pub alias_nodes: usize,
}

impl Default for ReadLimits {
    fn default() -> Self {
        ReadLimits { bytes: 64 << 20, depth: 256, alias_nodes: 1_000_000 }
    }
}

/// Reads a file of resources or patches as Kustomize does: it cuts the text at lines that begin with `---`, and takes
/// one document of each piece. Empty documents are left out.
///
/// # Errors
/// The first thing that is not YAML, or beyond the limits, with its place in the file.
pub fn read_documents(bytes: &[u8], limits: &ReadLimits) -> Result<Vec<Value>, ReadError> {
    let text = decode::decode(bytes, limits)?;
    let mut limits = *limits;
    let unix;
    let text = if text.contains("\r\n") {
        unix = text.replace("\r\n", "\n");
        unix.as_str()
    } else {
        &*text
    };
    let mut documents = Vec::new();
    let (mut line, mut start) = (0u32, 0usize);
    for (at, _) in text.match_indices("\n---") {
        if at < start {
            continue;
        }
        let rest = text.get(at + 4..).unwrap_or_default();
        let Some(end) = rest.find('\n') else { break };
        let behind = rest.get(..end).unwrap_or_default().trim();
        let piece = text.get(start..=at).unwrap_or_default();
        let separator_line = line + lines(piece);
        if !behind.is_empty() && !behind.starts_with('#') {
            let message =
                format!("invalid document separator: ---{}", rest.get(..end).unwrap_or_default().trim_end());
            return Err(ReadError::at(separator_line + 1, 1, message));
        }
        documents.extend(build::counted(piece, line, &mut limits)?);
        start = at + 4 + end + 1;
        line = separator_line + 1;
    }
    documents.extend(build::counted(text.get(start..).unwrap_or_default(), line, &mut limits)?);
    documents.retain(|document| !document.is_null());
    Ok(documents)
}

/// Whether a file has more than one piece for [`read_documents`], be they empty.
#[must_use]
pub fn has_separator(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some(at) = rest.windows(4).position(|window| window == b"\n---") {
        rest = rest.get(at + 4..).unwrap_or_default();
        if rest.contains(&b'\n') {
            return true;
        }
    }
    false
}

/// Reads the first document; `None` when there is none.
///
/// # Errors
/// The first thing that is not YAML, or beyond the limits, with its place in the text.
pub fn read_first(bytes: &[u8], profile: Profile, limits: &ReadLimits) -> Result<Option<Value>, ReadError> {
    match decode::decode(bytes, limits) {
        Ok(text) => build::first(&text, 0, profile, limits),
        Err(broken) => build::first_within(broken.before, profile, limits).unwrap_or(Err(broken.error)),
    }
}

/// Reads the first document for somebody who looks at some `keys` of its mapping only, in any case of letters: other
/// keys and what stands under them may be missing in the result. They are read all the same, so the errors are those of
/// [`read_first`]; and if there is anything among them that JSON cannot carry, such as `.inf`, nothing is missing.
///
/// # Errors
/// Those of [`read_first`].
///
/// ```
/// use yaml::{Profile, ReadLimits, read_first_keys};
///
/// let text = b"kind: Secret\ndata: {a: b}\n";
/// let found = read_first_keys(text, Profile::V2, &ReadLimits::default(), &["kind"])?;
/// assert_eq!(found.as_ref().and_then(|found| found.as_map()).map(|map| map.len()), Some(1));
/// # Ok::<(), yaml::ReadError>(())
/// ```
pub fn read_first_keys(
    bytes: &[u8],
    profile: Profile,
    limits: &ReadLimits,
    keys: &[&str],
) -> Result<Option<Value>, ReadError> {
    match decode::decode(bytes, limits) {
        Ok(text) => build::first_keys(&text, profile, limits, keys),
        Err(_) => read_first(bytes, profile, limits),
    }
}

/// Reads every document of a stream.
///
/// # Errors
/// The first thing that is not YAML, or beyond the limits, with its place in the text.
pub fn read_all(bytes: &[u8], profile: Profile, limits: &ReadLimits) -> Result<Vec<Value>, ReadError> {
    build::all(&decode::decode(bytes, limits)?, profile, limits)
}

fn lines(text: &str) -> u32 {
    u32::try_from(text.bytes().filter(|b| *b == b'\n').count()).unwrap_or(u32::MAX)
}
