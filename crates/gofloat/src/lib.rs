//! Finite floats as text, as Go's `strconv` writes them with the fewest digits that read back the same.
//!
//! Rust finds the same number of digits. But where two texts of that many digits are equally near, Go takes the one that
//! ends in an even digit and Rust the larger: `92309999999919.125` has 16 digits in both, `…919.12` in Go.

/// The fewest digits that can be as near to a float as others of that number: doubles have 53 bits.
const FEWEST_OF_TIE: usize = 16;

/// One digit before the point, and an exponent: `-1.25e7`. Go pads the exponent and gives it a sign; this does not.
///
/// ```
/// assert_eq!(gofloat::scientific(0.5), "5e-1");
/// assert_eq!(gofloat::scientific(92309999999919.125), "9.230999999991912e13");
/// ```
#[must_use]
pub fn scientific(value: f64) -> String {
    let text = format!("{value:e}");
    even(value, &text).unwrap_or(text)
}

/// Without an exponent, whatever the size.
///
/// ```
/// assert_eq!(gofloat::plain(1e21), "1000000000000000000000");
/// assert_eq!(gofloat::plain(92309999999919.125), "92309999999919.12");
/// ```
#[must_use]
pub fn plain(value: f64) -> String {
    let text = format!("{value}");
    even(value, &text).map_or(text, |even| without_exponent(&even))
}

/// As `encoding/json` writes it: with an exponent below 1e-6 and from 1e21 on.
///
/// ```
/// assert_eq!(gofloat::json(1e20), "100000000000000000000");
/// assert_eq!(gofloat::json(1e21), "1e+21");
/// assert_eq!(gofloat::json(1.5e-7), "1.5e-7");
/// ```
#[must_use]
pub fn json(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude == 0.0 || (1e-6..1e21).contains(&magnitude) {
        return plain(value);
    }
    let text = scientific(value);
    match text.split_once('e') {
        Some((mantissa, exponent)) if !exponent.starts_with('-') => format!("{mantissa}e+{exponent}"),
        _ => text,
    }
}

/// As `%g` writes it: with an exponent of two digits below 1e-4 and from 1e6 on, and `+Inf`, `-Inf` and `NaN`.
///
/// ```
/// assert_eq!(gofloat::general(100000.0), "100000");
/// assert_eq!(gofloat::general(1000000.0), "1e+06");
/// assert_eq!(gofloat::general(f64::INFINITY), "+Inf");
/// ```
#[must_use]
pub fn general(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let text = scientific(value);
    let Some((digits, exponent)) = text.split_once('e') else { return text };
    let power: i32 = exponent.parse().unwrap_or_default();
    if (-4..6).contains(&power) {
        return plain(value);
    }
    let sign = if power < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", power.abs())
}

/// As [`general`], with the precision of 32 bits: Go's reader of YAML makes such texts of numbers where a text is wanted.
///
/// ```
/// assert_eq!(gofloat::general_of_single(0.1234567891), "0.12345679");
/// assert_eq!(gofloat::general_of_single(-1e39), "-Inf");
/// ```
#[must_use]
pub fn general_of_single(value: f64) -> String {
    // The digits of a single are few enough for a double to have the same.
    general((value as f32).to_string().parse().unwrap_or(value))
}

/// The even one of two texts that are equally near, in scientific form; none if there is only one. `text` is what Rust has,
/// in whichever form.
fn even(value: f64, text: &str) -> Option<String> {
    let digits = |text: &str| text.bytes().take_while(|b| *b != b'e').filter(u8::is_ascii_digit).count();
    // Zeros that only fill a place count, too: it tells most floats without another text.
    if digits(text) < FEWEST_OF_TIE {
        return None;
    }
    let shortest = format!("{value:e}");
    let digits = digits(&shortest);
    if digits < FEWEST_OF_TIE {
        return None;
    }
    // A digit more is exact where there is a tie, and rounding by a digit less takes the even one.
    let longer = format!("{value:.digits$e}");
    let is_tie = longer.split('e').next().is_some_and(|mantissa| mantissa.ends_with('5'));
    let even = format!("{value:.*e}", digits - 1);
    (is_tie && even != shortest && even.parse() == Ok(value)).then_some(even)
}

fn without_exponent(text: &str) -> String {
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let power: i32 = exponent.parse().unwrap_or_default();
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |mantissa| ("-", mantissa));
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let whole = usize::try_from(power + 1).unwrap_or(0);
    if whole == 0 {
        let zeros = usize::try_from(-(power + 1)).unwrap_or(0);
        return format!("{sign}0.{}{digits}", "0".repeat(zeros));
    }
    match digits.split_at_checked(whole) {
        Some((whole, "")) => format!("{sign}{whole}"),
        Some((whole, fraction)) => format!("{sign}{whole}.{fraction}"),
        None => format!("{sign}{digits}{}", "0".repeat(whole - digits.len())),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// 92309999999919.125
    const TIE: f64 = 738479999999353.0 / 8.0;

    #[test]
    fn ties_are_even() {
        assert_eq!(plain(4503599627370497.5), "4503599627370498");
        assert_eq!(plain(-TIE), "-92309999999919.12");
        assert_eq!(json(TIE), "92309999999919.12");
        assert_eq!(general(TIE), "9.230999999991912e+13");
        assert_eq!(plain(0.1), "0.1");
        assert_eq!(general(0.0), "0");
        assert_eq!(without_exponent("-1.5e-3"), "-0.0015");
        assert_eq!(without_exponent("1.5e3"), "1500");
    }

    proptest! {
        #[test]
        fn every_text_reads_back(value in any::<f64>().prop_filter("finite", |value| value.is_finite())) {
            for text in [scientific(value), plain(value), json(value), general(value)] {
                prop_assert_eq!(text.parse(), Ok(value));
            }
        }

        #[test]
        fn ties_read_back(bits in 0u64..1 << 53, power in 0i32..12) {
            let value = bits as f64 / f64::from(1 << power);
            for text in [scientific(value), plain(value), json(value), general(value)] {
                prop_assert_eq!(text.parse(), Ok(value));
            }
        }
    }
}
