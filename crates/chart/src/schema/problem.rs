//! What does not fit, as a tree of causes.

use std::fmt::Write as _;

/// One thing that does not fit.
pub(super) struct Problem {
    /// Keys and places from the top of the values.
    pub(super) path: Vec<String>,
    pub(super) text: String,
    pub(super) form: Form,
    pub(super) causes: Vec<Problem>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A keyword.
    Keyword,
    /// Several keywords of one schema.
    Group,
    /// A reference; with one cause it does not show.
    Reference,
}

impl Problem {
    pub(super) fn write(&self, indent: usize, out: &mut String) {
        let mut indent = indent;
        if !(self.form == Form::Reference && self.causes.len() == 1) {
            if !out.is_empty() {
                out.push('\n');
            }
            for _ in 0..indent {
                out.push_str("  ");
            }
            let _ = write!(out, "- at {}: {}", quoted(&pointer(&self.path)), self.text);
            indent += 1;
        }
        for cause in &self.causes {
            cause.write(indent, out);
        }
    }
}

fn pointer(path: &[String]) -> String {
    path.iter().map(|part| format!("/{}", part.replace('~', "~0").replace('/', "~1"))).collect()
}

/// A text in single quotes.
pub(super) fn quoted(text: &str) -> String {
    let quoted = gotemplate::quote(text.as_bytes());
    let inner = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
    format!("'{}'", inner.replace("\\\"", "\"").replace('\'', "\\'"))
}

pub(super) fn quoted_list<'t>(texts: impl IntoIterator<Item = &'t str>) -> String {
    texts.into_iter().map(quoted).collect::<Vec<_>>().join(", ")
}

/// A count with commas between the thousands.
pub(super) fn count(number: usize) -> String {
    grouped(&number.to_string())
}

fn grouped(digits: &str) -> String {
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// A number for people who read English: commas between the thousands, large and small ones with a power of ten.
pub(super) fn number(value: f64) -> String {
    let scientific = gofloat::scientific(value.abs());
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let sign = if value < 0.0 { "-" } else { "" };
    if (-4..6).contains(&exponent) || value == 0.0 {
        let plain = gofloat::plain(value.abs());
        return match plain.split_once('.') {
            Some((whole, fraction)) => format!("{sign}{}.{fraction}", grouped(whole)),
            None => format!("{sign}{}", grouped(&plain)),
        };
    }
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let raised: String = format!("{:02}", exponent.abs())
        .bytes()
        .filter_map(|digit| DIGITS.get(usize::from(digit.wrapping_sub(b'0'))))
        .collect();
    let minus = if exponent < 0 { "⁻" } else { "" };
    format!("{sign}{mantissa}×10{minus}{raised}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_in_english() {
        for (value, text) in [
            (0.0, "0"),
            (12345.0, "12,345"),
            (100_000.0, "100,000"),
            (-1234.5, "-1,234.5"),
            (1e6, "1×10⁰⁶"),
            (1_234_567.25, "1.23456725×10⁰⁶"),
            (0.00001, "1×10⁻⁰⁵"),
            (1e30, "1×10³⁰"),
        ] {
            assert_eq!(number(value), text);
        }
        assert_eq!(quoted("it's \"x\""), "'it\\'s \"x\"'");
    }
}
