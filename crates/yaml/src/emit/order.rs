//! The natural order of keys: `a2` before `a10`.

use std::cmp::Ordering;

use crate::Entry;

/// Entries in the order in which they are written.
pub(crate) fn sorted(entries: &[Entry]) -> Vec<&Entry> {
    by_rule(entries, |entry| entry.key.text(), |a, b| compare(a, b, false))
}

/// Anything with keys in the order in which go-yaml 3 writes it, which has another place for letters behind digits than
/// go-yaml 2 and [`to_yaml`](crate::to_yaml): `a1b` before `a12`.
pub fn sorted_pretty<'a, T>(items: &'a [T], key: impl Fn(&'a T) -> &'a str) -> Vec<&'a T> {
    by_rule(items, key, |a, b| compare(a, b, true))
}

/// The comparison is not transitive for odd keys (`a1`, `a01`), where Go's answer varies from run to run; the standard
/// sort may panic on that, so this is a merge sort that does not mind, over the order of bytes.
fn by_rule<'a, T>(
    items: &'a [T],
    key: impl Fn(&'a T) -> &'a str,
    compare: impl Fn(&str, &str) -> Ordering,
) -> Vec<&'a T> {
    let less = |a: &'a T, b: &'a T| compare(key(a), key(b)) == Ordering::Less;
    let mut sorted: Vec<&T> = items.iter().collect();
    if sorted.is_sorted_by(|a, b| less(a, b)) {
        return sorted;
    }
    sorted.sort_unstable_by(|a, b| key(a).cmp(key(b)));
    let mut merged = Vec::with_capacity(sorted.len());
    let mut width = 1;
    while width < sorted.len() {
        for pair in sorted.chunks(2 * width) {
            let (mut left, mut right) = pair.split_at(width.min(pair.len()));
            while let (Some((l, left_rest)), Some((r, right_rest))) =
                (left.split_first(), right.split_first())
            {
                if less(r, l) {
                    merged.push(*r);
                    right = right_rest;
                } else {
                    merged.push(*l);
                    left = left_rest;
                }
            }
            merged.extend_from_slice(left);
            merged.extend_from_slice(right);
        }
        std::mem::swap(&mut sorted, &mut merged);
        merged.clear();
        width *= 2;
    }
    sorted
}

/// Compares two keys: letters after all else, unless they are to come first behind digits; runs of digits by their value.
fn compare(a: &str, b: &str, digits_end: bool) -> Ordering {
    let common = a.bytes().zip(b.bytes()).take_while(|(x, y)| x == y).count();
    let start = (0..=common).rev().find(|i| a.is_char_boundary(*i) && b.is_char_boundary(*i)).unwrap_or(0);
    let (before, a_rest) = a.split_at(start);
    let b_rest = b.get(start..).unwrap_or_default();
    let (Some(x), Some(y)) = (a_rest.chars().next(), b_rest.chars().next()) else {
        return a.len().cmp(&b.len());
    };
    let letter = if digits_end && before.ends_with(|c: char| c.is_ascii_digit()) {
        Ordering::Less
    } else {
        Ordering::Greater
    };
    match (x.is_alphabetic(), y.is_alphabetic()) {
        (true, true) => return x.cmp(&y),
        (true, false) => return letter,
        (false, true) => return letter.reverse(),
        (false, false) => {}
    }
    // A zero inside a number whose first digits are equal is worth its place.
    let inside = (x == '0' || y == '0')
        && before.bytes().rev().take_while(u8::is_ascii_digit).any(|digit| digit != b'0');
    let (a_value, a_length) = leading_number(a_rest, inside);
    let (b_value, b_length) = leading_number(b_rest, inside);
    a_value.cmp(&b_value).then(a_length.cmp(&b_length)).then(x.cmp(&y))
}

fn leading_number(text: &str, inside: bool) -> (i64, usize) {
    let digits = text.bytes().take_while(u8::is_ascii_digit);
    digits.fold((i64::from(inside), 0), |(value, length), digit| {
        (value.wrapping_mul(10).wrapping_add(i64::from(digit - b'0')), length + 1)
    })
}
