//! Spoils texts.

use super::grammar::Random;

/// What has a meaning in YAML, in paths, or to kustomize.
const PIECES: &[&str] = &[
    "\t",
    "\n",
    "\r\n",
    " ",
    "'",
    "\"",
    "- ",
    "[",
    "]",
    "{",
    "}",
    "&a ",
    "*a",
    "!!binary ",
    "!!int ",
    "!<x> ",
    "null",
    "~",
    "#",
    "|",
    ">",
    "|9\n",
    ">-\n",
    "? ",
    ": ",
    ",",
    "%",
    "---\n",
    "...\n",
    "<<: ",
    "$patch: delete\n",
    "$patch: replace\n",
    ".",
    "..",
    "[]",
    "[=",
    "[a=",
    "*",
    "-1",
    "0",
    "99999999999999999999",
    "1e999",
    ".nan",
    "0x",
    "é",
    "\u{feff}",
    "\u{0}",
    "\u{85}",
    "\u{2028}",
    "\u{10ffff}",
    "name",
    "metadata",
    "kind: List\n",
    "items: ",
    "$(VAR)",
    "$(",
    "\\",
    "\\x",
    "\\u12",
    "=",
    "/",
    "~1",
    "(",
    ")",
    "{1000}",
    "true",
    "2001-01-01",
    "&a [*a]",
    "op: move\n",
    "path: \"\"\n",
    "create: true\n",
    "index: -1\n",
];

/// A text with some mistakes.
pub fn spoiled(random: &mut Random, text: &str) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for _ in 0..1 + random.below(8) {
        let at = random.below(chars.len() + 1);
        let end = chars.len().min(at + random.below(20));
        match random.below(6) {
            0 => drop(chars.drain(at..end)),
            1 => {
                let again: Vec<char> = chars.get(at..end).unwrap_or_default().to_vec();
                chars.splice(at..at, again);
            }
            2 => chars.truncate(chars.len() - random.below(chars.len().min(40) + 1)),
            3 => {
                let other = random.below(chars.len().max(1));
                if at < chars.len() {
                    chars.swap(at, other);
                }
            }
            _ => drop(chars.splice(at..at, random.pick(PIECES).chars())),
        }
    }
    chars.into_iter().collect()
}
