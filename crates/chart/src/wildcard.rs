//! Go's `filepath.Match`.

/// The pattern is malformed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadPattern;

/// True when the pattern matches all of the name. `*` and `?` never match `/`; `[a-c]`, `[^a]` and `\` are known.
///
/// # Errors
/// When the part of the pattern that had to be looked at is malformed; Go finds no more than that, either.
pub fn matches(pattern: &str, name: &str) -> Result<bool, BadPattern> {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    let (mut pattern, mut name) = (pattern.as_slice(), name.as_slice());
    while !pattern.is_empty() {
        let stars = pattern.iter().take_while(|c| **c == '*').count();
        let star = stars > 0;
        pattern = pattern.get(stars..).unwrap_or_default();
        let (chunk, rest) = pattern.split_at(chunk_length(pattern));
        pattern = rest;
        if star && chunk.is_empty() {
            return Ok(!name.contains(&'/'));
        }
        if let Some(after) = match_chunk(chunk, name)?
            && (after.is_empty() || !pattern.is_empty())
        {
            name = after;
            continue;
        }
        if star {
            let mut found = None;
            for (at, c) in name.iter().enumerate() {
                if *c == '/' {
                    break;
                }
                if let Some(after) = match_chunk(chunk, name.get(at + 1..).unwrap_or_default())? {
                    if pattern.is_empty() && !after.is_empty() {
                        continue;
                    }
                    found = Some(after);
                    break;
                }
            }
            if let Some(after) = found {
                name = after;
                continue;
            }
        }
        // The rest of the pattern decides whether this is an error.
        while !pattern.is_empty() {
            let stars = pattern.iter().take_while(|c| **c == '*').count();
            pattern = pattern.get(stars..).unwrap_or_default();
            let (chunk, rest) = pattern.split_at(chunk_length(pattern));
            pattern = rest;
            match_chunk(chunk, &[])?;
        }
        return Ok(false);
    }
    Ok(name.is_empty())
}

/// Up to the next star that is neither escaped nor in brackets.
fn chunk_length(pattern: &[char]) -> usize {
    let mut in_range = false;
    let mut at = 0;
    while let Some(c) = pattern.get(at) {
        match c {
            '\\' if at + 1 < pattern.len() => at += 1,
            '[' => in_range = true,
            ']' => in_range = false,
            '*' if !in_range => return at,
            _ => {}
        }
        at += 1;
    }
    pattern.len()
}

/// What is left of the name after a chunk without stars; `None` when it does not match.
fn match_chunk<'n>(mut chunk: &[char], mut name: &'n [char]) -> Result<Option<&'n [char]>, BadPattern> {
    let mut failed = false;
    while let Some((first, after)) = chunk.split_first() {
        if !failed && name.is_empty() {
            failed = true;
        }
        chunk = after;
        match first {
            '[' => {
                let found = if failed { None } else { take(&mut name) };
                let negated = chunk.first() == Some(&'^');
                if negated {
                    chunk = chunk.get(1..).unwrap_or_default();
                }
                let (mut matched, mut ranges) = (false, 0);
                loop {
                    if chunk.first() == Some(&']') && ranges > 0 {
                        chunk = chunk.get(1..).unwrap_or_default();
                        break;
                    }
                    let low = range_end(&mut chunk)?;
                    let mut high = low;
                    if chunk.first() == Some(&'-') {
                        chunk = chunk.get(1..).unwrap_or_default();
                        high = range_end(&mut chunk)?;
                    }
                    matched |= found.is_some_and(|c| low <= c && c <= high);
                    ranges += 1;
                }
                failed |= matched == negated;
            }
            '?' => {
                if !failed {
                    failed = take(&mut name) == Some('/');
                }
            }
            literal => {
                let literal = if *literal == '\\' {
                    let (escaped, after) = chunk.split_first().ok_or(BadPattern)?;
                    chunk = after;
                    escaped
                } else {
                    literal
                };
                if !failed {
                    failed = take(&mut name) != Some(*literal);
                }
            }
        }
    }
    Ok(if failed { None } else { Some(name) })
}

fn take(name: &mut &[char]) -> Option<char> {
    let (first, rest) = name.split_first()?;
    *name = rest;
    Some(*first)
}

/// One end of a range in brackets.
fn range_end(chunk: &mut &[char]) -> Result<char, BadPattern> {
    let mut c = match chunk.first() {
        None | Some('-' | ']') => return Err(BadPattern),
        Some(c) => *c,
    };
    *chunk = chunk.get(1..).unwrap_or_default();
    if c == '\\' {
        c = take(chunk).ok_or(BadPattern)?;
    }
    if chunk.is_empty() { Err(BadPattern) } else { Ok(c) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_go() {
        for (pattern, name, expected) in [
            ("abc", "abc", Ok(true)),
            ("*", "abc", Ok(true)),
            ("*c", "abc", Ok(true)),
            ("a*", "ab/c", Ok(false)),
            ("a*/b", "abc/b", Ok(true)),
            ("a*b*c*d*e*/f", "axbxcxdxe/f", Ok(true)),
            ("a*b?c*x", "abxbbxdbxebxczzx", Ok(true)),
            ("ab[c]", "abc", Ok(true)),
            ("ab[^e-g]", "abc", Ok(true)),
            ("a\\*b", "a*b", Ok(true)),
            ("a???b", "a☺☺☺b", Ok(true)),
            ("[a-ζ]*", "α", Ok(true)),
            ("a?b", "a/b", Ok(false)),
            ("[]a]", "]", Err(BadPattern)),
            ("[x-]", "x", Err(BadPattern)),
            ("[", "a", Err(BadPattern)),
            ("a[", "x", Err(BadPattern)),
            ("*x", "xxx", Ok(true)),
            ("templates/.?*", "templates/.hidden", Ok(true)),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
