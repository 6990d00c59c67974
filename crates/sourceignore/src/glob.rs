//! Matching one path element as Go's `path/filepath.Match` does.

/// Whether `name` matches `pattern`: `*` any characters, `?` any one, `[a-z]` and `[^a-z]` classes, `\` takes the next
/// character as it is. A malformed pattern matches nothing. Linear in the length of both, times the number of stars.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let Some(tokens) = tokens(pattern) else { return false };
    let name: Vec<char> = name.chars().collect();
    let (mut at, mut token) = (0, 0);
    // Where the last star stands, and how far it reaches: on a mismatch it takes one more character.
    let mut star: Option<(usize, usize)> = None;
    loop {
        match (tokens.get(token), name.get(at)) {
            (None, None) => return true,
            (Some(Token::Star), _) => {
                star = Some((token, at));
                token += 1;
            }
            (Some(wanted), Some(given)) if wanted.fits(*given) => {
                token += 1;
                at += 1;
            }
            _ => match star {
                Some((stands, reaches)) if reaches < name.len() => {
                    star = Some((stands, reaches + 1));
                    token = stands + 1;
                    at = reaches + 1;
                }
                _ => return false,
            },
        }
    }
}

enum Token {
    Star,
    Any,
    Literal(char),
    Class { negated: bool, ranges: Vec<(char, char)> },
}

impl Token {
    fn fits(&self, given: char) -> bool {
        match self {
            Self::Star => false,
            Self::Any => given != '/',
            Self::Literal(wanted) => given == *wanted,
            Self::Class { negated, ranges } => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&given)) != *negated
            }
        }
    }
}

/// `None` when the pattern is malformed.
fn tokens(pattern: &str) -> Option<Vec<Token>> {
    let mut chars = pattern.chars().peekable();
    let mut found = Vec::new();
    while let Some(char) = chars.next() {
        found.push(match char {
            '*' => Token::Star,
            '?' => Token::Any,
            '\\' => Token::Literal(chars.next()?),
            '[' => class(&mut chars)?,
            literal => Token::Literal(literal),
        });
    }
    Some(found)
}

fn class(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<Token> {
    let negated = chars.next_if_eq(&'^').is_some();
    let mut ranges = Vec::new();
    loop {
        // The closing bracket closes only a class that has something in it.
        if chars.peek() == Some(&']') && !ranges.is_empty() {
            chars.next();
            return Some(Token::Class { negated, ranges });
        }
        let low = class_char(chars)?;
        let high = if chars.next_if_eq(&'-').is_some() { class_char(chars)? } else { low };
        ranges.push((low, high));
    }
}

fn class_char(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<char> {
    match chars.next()? {
        '\\' => chars.next(),
        '-' | ']' => None,
        char => Some(char),
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn elements_match_as_in_go() {
        let table = [
            ("abc", "abc", true),
            ("*", "", true),
            ("*", "abc", true),
            ("*c", "abc", true),
            ("a*", "a", true),
            ("a*b*c", "axbxbxc", true),
            ("a*b?c*x", "abxbbxdbxebxczzx", true),
            ("a*b?c*x", "abxbbxdbxebxczzy", false),
            ("ab[c]", "abc", true),
            ("ab[b-d]", "abc", true),
            ("ab[e-g]", "abc", false),
            ("ab[^c]", "abc", false),
            ("ab[^e-g]", "abc", true),
            ("a\\*b", "a*b", true),
            ("a\\*b", "ab", false),
            ("a?b", "a☺b", true),
            ("[a-ζ]*", "α", true),
            ("[\\]a]", "]", true),
            ("[\\-x]", "-", true),
            ("[x\\-]", "-", true),
            ("[]a]", "]", false),
            ("[-]", "-", false),
            ("[x-]", "x", false),
            ("[a-b-c]", "a", false),
            ("[", "a", false),
            ("[^", "a", false),
            ("a[", "a", false),
            ("*x", "xxx", true),
            ("a\\", "a", false),
        ];
        for (pattern, name, expected) in table {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
