//! Numbers as people wrote them: a multiple of 0.1 is one although no float is.

use serde_json::Number;

/// `mantissa · 10^exponent`
struct Decimal {
    mantissa: i128,
    exponent: i32,
}

fn decimal(number: &Number) -> Option<Decimal> {
    if let Some(value) = number.as_i64() {
        return Some(Decimal { mantissa: i128::from(value), exponent: 0 });
    }
    let text = gofloat::scientific(number.as_f64()?);
    let (mantissa, exponent) = text.split_once('e')?;
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent = exponent - i32::try_from(fraction.len()).ok()?;
    Some(Decimal { mantissa: format!("{whole}{fraction}").parse().ok()?, exponent })
}

/// The mantissa with another, smaller exponent.
fn scaled(number: &Decimal, exponent: i32) -> Option<i128> {
    let power = u32::try_from(number.exponent - exponent).ok()?;
    number.mantissa.checked_mul(10i128.checked_pow(power)?)
}

pub(super) fn is_multiple(number: &Number, of: &Number) -> bool {
    let exact = || {
        let (number, of) = (decimal(number)?, decimal(of)?);
        let exponent = number.exponent.min(of.exponent);
        let (number, of) = (scaled(&number, exponent)?, scaled(&of, exponent)?);
        Some(of != 0 && number % of == 0)
    };
    exact().unwrap_or_else(|| {
        let quotient = number.as_f64().unwrap_or(f64::NAN) / of.as_f64().unwrap_or(f64::NAN);
        quotient.is_finite() && quotient.fract() == 0.0
    })
}

pub(super) fn is_integer(number: &Number) -> bool {
    !number.is_f64() || number.as_f64().is_some_and(|value| value.fract() == 0.0)
}

/// Equal as numbers, whatever their form.
pub(super) fn same(a: &Number, b: &Number) -> bool {
    match (a.as_i64(), b.as_i64()) {
        (Some(a), Some(b)) => a == b,
        _ => a.as_f64() == b.as_f64(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multiples_are_exact() {
        let n = |value: f64| Number::from_f64(value).unwrap();
        assert!(is_multiple(&n(0.3), &n(0.1)) && is_multiple(&n(1e20), &n(0.5)));
        assert!(!is_multiple(&n(0.35), &n(0.1)) && !is_multiple(&n(1.0), &n(0.0)));
        assert!(is_integer(&n(3.0)) && !is_integer(&n(3.5)));
    }
}
