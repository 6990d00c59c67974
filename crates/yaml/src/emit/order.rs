//! The natural order of keys: `a2` before `a10`.

use std::cmp::Ordering;

use crate::Entry;

/// Entries in the order in which they are written.
///
/// The comparison is not transitive for odd keys (`a1`, `a01`), where Go's answer varies from run to run; the standard
/// sort may panic on that, so this is a merge sort that does not mind, over the order of bytes.
pub(crate) fn sorted(entries: &[Entry]) -> Vec<&Entry> {
    let mut sorted: Vec<&Entry> = entries.iter().collect();
    if sorted.is_sorted_by(|a, b| compare(a.key.text(), b.key.text()) == Ordering::Less) {
        return sorted;
    }
    sorted.sort_unstable_by(|a, b| a.key.text().cmp(b.key.text()));
    let mut merged = Vec::with_capacity(sorted.len());
    let mut width = 1;
    while width < sorted.len() {
        for pair in sorted.chunks(2 * width) {
            let (mut left, mut right) = pair.split_at(width.min(pair.len()));
            while let (Some((l, left_rest)), Some((r, right_rest))) =
                (left.split_first(), right.split_first())
            {
                if compare(r.key.text(), l.key.text()) == Ordering::Less {
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

/// Compares two keys: letters after all else, runs of digits by their value.
pub fn compare(a: &str, b: &str) -> Ordering {
    let common = a.bytes().zip(b.bytes()).take_while(|(x, y)| x == y).count();
    let start = (0..=common).rev().find(|i| a.is_char_boundary(*i) && b.is_char_boundary(*i)).unwrap_or(0);
    let (before, a_rest) = a.split_at(start);
    let b_rest = b.get(start..).unwrap_or_default();
    let (Some(x), Some(y)) = (a_rest.chars().next(), b_rest.chars().next()) else {
        return a.len().cmp(&b.len());
    };
    match (x.is_alphabetic(), y.is_alphabetic()) {
        (true, true) => return x.cmp(&y),
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
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
