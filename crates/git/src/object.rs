//! Git objects: commits, tags and trees, parsed from their bytes.

use gix_hash::ObjectId;

use crate::Error;

/// Who did something, and when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Actor {
    /// The name.
    pub name: String,
    /// The e-mail address.
    pub email: String,
    /// Seconds since 1970.
    pub seconds: i64,
    /// The time zone as `+hhmm`.
    pub zone: String,
}

/// A commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The id in hexadecimal.
    pub id: String,
    /// The id of its tree in hexadecimal.
    pub tree: String,
    /// Who wrote the change.
    pub author: Actor,
    /// Who made the commit.
    pub committer: Actor,
    /// The whole message.
    pub message: String,
    /// The armored signature.
    pub signature: Option<String>,
    /// The object without its signature: what was signed.
    pub payload: Vec<u8>,
}

/// Characters of a commit's subject that events show.
const SUBJECT: usize = 50;

impl Commit {
    /// The first line of the message, at most 50 characters, then `...`.
    pub fn subject(&self) -> String {
        let line = self.message.trim_start().lines().next().unwrap_or_default();
        match line.char_indices().nth(SUBJECT) {
            Some((end, _)) => format!("{}...", line.get(..end).unwrap_or(line)),
            None => line.to_owned(),
        }
    }

    pub(crate) fn parse(id: &ObjectId, data: &[u8]) -> Result<Self, Error> {
        let parsed = Headers::parse(data);
        let tree = parsed.value("tree").ok_or_else(|| Error::object(id, "a commit without tree"))?;
        ObjectId::from_hex(tree.as_bytes())
            .map_err(|_| Error::object(id, "a commit with a damaged tree id"))?;
        Ok(Self {
            id: id.to_string(),
            tree,
            author: actor(parsed.value("author")),
            committer: actor(parsed.value("committer")),
            message: parsed.message,
            signature: parsed.signature,
            payload: parsed.payload,
        })
    }
}

/// An annotated tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// The id of the tag object in hexadecimal.
    pub id: String,
    /// The name in the object.
    pub name: String,
    /// Who made the tag.
    pub tagger: Actor,
    /// The message, without the signature.
    pub message: String,
    /// The armored signature.
    pub signature: Option<String>,
    /// The object without its signature: what was signed.
    pub payload: Vec<u8>,
}

/// How a signature at the end of a tag begins.
const SIGNATURES: [&str; 4] = [
    "-----BEGIN PGP SIGNATURE-----",
    "-----BEGIN PGP MESSAGE-----",
    "-----BEGIN SSH SIGNATURE-----",
    "-----BEGIN SIGNED MESSAGE-----",
];

impl Tag {
    pub(crate) fn parse(id: &ObjectId, data: &[u8]) -> Self {
        let mut parsed = Headers::parse(data);
        if parsed.signature.is_none() {
            // The last one counts: a message may quote another.
            let begins = |line: &[u8]| SIGNATURES.iter().any(|begin| line.starts_with(begin.as_bytes()));
            if let Some(start) =
                line_starts(data).filter(|start| data.get(*start..).is_some_and(begins)).last()
            {
                parsed.signature = Some(lossy(data.get(start..).unwrap_or_default()));
                parsed.payload.truncate(start);
                let message_start = data.len().saturating_sub(parsed.message_length);
                parsed.message = lossy(data.get(message_start..start).unwrap_or_default());
            }
        }
        Self {
            id: id.to_string(),
            name: parsed.value("tag").unwrap_or_default(),
            tagger: actor(parsed.value("tagger")),
            message: parsed.message,
            signature: parsed.signature,
            payload: parsed.payload,
        }
    }

    /// What a tag object points to, with its kind.
    pub(crate) fn target(data: &[u8]) -> Option<(ObjectId, bool)> {
        let parsed = Headers::parse(data);
        let id = ObjectId::from_hex(parsed.value("object")?.as_bytes()).ok()?;
        Some((id, parsed.value("type")? == "tag"))
    }
}

/// The header lines of a commit or tag, and what is left.
struct Headers {
    lines: Vec<(String, String)>,
    message: String,
    message_length: usize,
    signature: Option<String>,
    payload: Vec<u8>,
}

impl Headers {
    fn parse(data: &[u8]) -> Self {
        let mut lines: Vec<(String, String)> = Vec::new();
        let mut payload = Vec::with_capacity(data.len());
        let mut signature: Option<String> = None;
        let mut in_signature = false;
        let mut rest = data;
        loop {
            let end = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |end| end + 1);
            let (line, tail) = rest.split_at(end);
            if line == b"\n" || line.is_empty() {
                break;
            }
            rest = tail;
            let text = lossy(line.strip_suffix(b"\n").unwrap_or(line));
            if let Some(more) = text.strip_prefix(' ') {
                // A value of several lines goes on.
                if in_signature {
                    if let Some(signature) = &mut signature {
                        signature.push_str(more);
                        signature.push('\n');
                    }
                } else {
                    if let Some((_, value)) = lines.last_mut() {
                        value.push('\n');
                        value.push_str(more);
                    }
                    payload.extend_from_slice(line);
                }
                continue;
            }
            let (key, value) = text.split_once(' ').unwrap_or((&text, ""));
            in_signature = key == "gpgsig" || key == "gpgsig-sha256";
            if in_signature {
                if signature.is_none() {
                    signature = Some(format!("{value}\n"));
                }
                continue;
            }
            lines.push((key.to_owned(), value.to_owned()));
            payload.extend_from_slice(line);
        }
        payload.extend_from_slice(rest);
        let message = rest.strip_prefix(b"\n").unwrap_or(rest);
        Self { lines, message: lossy(message), message_length: message.len(), signature, payload }
    }

    fn value(&self, key: &str) -> Option<String> {
        self.lines.iter().find(|(found, _)| found == key).map(|(_, value)| value.clone())
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn line_starts(data: &[u8]) -> impl Iterator<Item = usize> {
    let ends = data.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(index, _)| index + 1);
    std::iter::once(0).chain(ends)
}

/// `Name <email> seconds +zone`.
fn actor(value: Option<String>) -> Actor {
    let value = value.unwrap_or_default();
    let (name, rest) = value.split_once('<').unwrap_or((&value, ""));
    let (email, time) = rest.split_once('>').unwrap_or((rest, ""));
    let mut time = time.split_ascii_whitespace();
    Actor {
        name: name.trim().to_owned(),
        email: email.trim().to_owned(),
        seconds: time.next().and_then(|seconds| seconds.parse().ok()).unwrap_or_default(),
        zone: time.next().unwrap_or("+0000").to_owned(),
    }
}

/// What a tree entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A directory, or a submodule that is not part of the snapshot.
    Directory,
    /// A file that cannot be run.
    File,
    /// A file with an execute bit.
    Executable,
    /// A symbolic link; its content is the target.
    Symlink,
}

/// What the mode of a tree entry says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Tree,
    Blob(Kind),
    Submodule,
}

/// An entry of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TreeEntry {
    pub(crate) name: String,
    pub(crate) mode: Mode,
    pub(crate) id: ObjectId,
}

/// The entries of the tree at `path`, in byte order of their names (git itself sorts directories as if they ended in `/`).
pub(crate) fn parse_tree(id: &ObjectId, data: &[u8], path: &str) -> Result<Vec<TreeEntry>, Error> {
    let damaged = || Error::object(id, "a damaged tree");
    let length = id.kind().len_in_bytes();
    let mut entries = Vec::new();
    let mut rest = data;
    while !rest.is_empty() {
        let space = rest.iter().position(|byte| *byte == b' ').ok_or_else(damaged)?;
        let (mode, tail) = rest.split_at(space);
        let end = tail.iter().position(|byte| *byte == 0).ok_or_else(damaged)?;
        let name = tail.get(1..end).ok_or_else(damaged)?;
        let entry = tail.get(end + 1..end + 1 + length).ok_or_else(damaged)?;
        rest = tail.get(end + 1 + length..).unwrap_or_default();
        let name = lossy(name);
        if !is_safe_name(&name) {
            return Err(Error::UnsafePath { path: format!("{path}{name}") });
        }
        let mode = match mode {
            b"40000" | b"040000" => Mode::Tree,
            b"120000" => Mode::Blob(Kind::Symlink),
            b"160000" => Mode::Submodule,
            // Any execute bit counts; very old repositories hold modes such as 100664.
            [b'1', b'0', b'0', permissions @ ..] => {
                let executable = permissions.iter().any(|digit| digit & 1 == 1);
                Mode::Blob(if executable { Kind::Executable } else { Kind::File })
            }
            _ => return Err(damaged()),
        };
        entries.push(TreeEntry { name, mode, id: ObjectId::try_from(entry).map_err(|_| damaged())? });
    }
    entries.sort_by(|one, other| one.name.as_bytes().cmp(other.name.as_bytes()));
    Ok(entries)
}

/// Whether a name can stand in a path: no way up, no separator, and nothing that a checkout would take for its own data.
fn is_safe_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(['/', '\0']) && !name.eq_ignore_ascii_case(".git")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> ObjectId {
        ObjectId::from_hex(&[b'1'; 40]).expect("an id")
    }

    #[test]
    fn a_signed_commit_splits_into_signature_and_payload() {
        let tree = "2".repeat(40);
        let signed = format!(
            "tree {tree}\nauthor A B <a@b> 12 +0100\ncommitter C <c@d> 13 -0200\ngpgsig -----BEGIN PGP SIGNATURE-----\n \n abc\n -----END PGP SIGNATURE-----\nencoding x\n\nSubject line\n\nbody\n"
        );
        let commit = Commit::parse(&id(), signed.as_bytes()).expect("a commit");
        assert_eq!(commit.tree, tree);
        assert_eq!((commit.author.name.as_str(), commit.author.email.as_str()), ("A B", "a@b"));
        assert_eq!((commit.committer.seconds, commit.committer.zone.as_str()), (13, "-0200"));
        assert_eq!(
            commit.signature.as_deref(),
            Some("-----BEGIN PGP SIGNATURE-----\n\nabc\n-----END PGP SIGNATURE-----\n")
        );
        let payload = format!(
            "tree {tree}\nauthor A B <a@b> 12 +0100\ncommitter C <c@d> 13 -0200\nencoding x\n\nSubject line\n\nbody\n"
        );
        assert_eq!(String::from_utf8_lossy(&commit.payload), payload);
        assert_eq!(commit.message, "Subject line\n\nbody\n");
        assert_eq!(commit.subject(), "Subject line");
    }

    #[test]
    fn a_long_subject_is_cut_between_characters() {
        let message = "ä".repeat(51);
        let data = format!("tree {}\n\n{message}\n", "2".repeat(40));
        let commit = Commit::parse(&id(), data.as_bytes()).expect("a commit");
        assert_eq!(commit.subject(), format!("{}...", "ä".repeat(50)));
    }

    #[test]
    fn a_signed_tag_splits_at_its_last_signature() {
        let target = "3".repeat(40);
        let head = format!("object {target}\ntype commit\ntag v1\ntagger T <t@t> 5 +0000\n\nmessage\n");
        let data = format!("{head}-----BEGIN SSH SIGNATURE-----\nabc\n-----END SSH SIGNATURE-----\n");
        let tag = Tag::parse(&id(), data.as_bytes());
        assert_eq!((tag.name.as_str(), tag.message.as_str()), ("v1", "message\n"));
        assert_eq!(tag.payload, head.as_bytes());
        assert!(tag.signature.is_some_and(|signature| signature.starts_with("-----BEGIN SSH")));
        let (found, nested) = Tag::target(data.as_bytes()).expect("a target");
        assert_eq!((found.to_string(), nested), (target, false));
        assert_eq!(Tag::parse(&id(), head.as_bytes()).signature, None);
    }

    fn tree(entries: &[(&str, &str)]) -> Vec<u8> {
        entries
            .iter()
            .flat_map(|(mode, name)| [format!("{mode} {name}\0").into_bytes(), vec![7; 20]].concat())
            .collect()
    }

    #[test]
    fn tree_entries_come_in_byte_order() {
        let data =
            tree(&[("100644", "a.b"), ("40000", "a"), ("100755", "x"), ("120000", "l"), ("160000", "s")]);
        let entries = parse_tree(&id(), &data, "").expect("a tree");
        let names: Vec<_> = entries.iter().map(|entry| (entry.name.as_str(), entry.mode)).collect();
        assert_eq!(
            names,
            vec![
                ("a", Mode::Tree),
                ("a.b", Mode::Blob(Kind::File)),
                ("l", Mode::Blob(Kind::Symlink)),
                ("s", Mode::Submodule),
                ("x", Mode::Blob(Kind::Executable)),
            ]
        );
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for name in ["..", ".", ".git", ".GIT", "a/b", ""] {
            let result = parse_tree(&id(), &tree(&[("100644", name)]), "dir/");
            assert!(matches!(result, Err(Error::UnsafePath { .. })), "{name}");
        }
        assert!(parse_tree(&id(), b"100644 cut\0abc", "").is_err());
        assert!(parse_tree(&id(), b"no end", "").is_err());
    }
}
