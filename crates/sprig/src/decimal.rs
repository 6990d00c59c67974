//! Decimal arithmetic as Sprig's `addf` and its kin have it: exact, but for division.

use num_bigint::BigInt;

/// Digits behind the point that a division keeps.
const DIVISION: i64 = 16;

/// `value * 10^exp`
pub(crate) struct Decimal {
    value: BigInt,
    exp: i64,
}

impl Decimal {
    /// The number that the shortest text of `value` reads as; none for infinities and what is no number.
    pub(crate) fn new(value: f64) -> Option<Decimal> {
        if !value.is_finite() {
            return None;
        }
        let text = gofloat::scientific(value);
        let (mantissa, exp) = text.split_once('e')?;
        let exp: i64 = exp.parse().ok()?;
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        Some(Decimal { value: digits.parse().ok()?, exp: exp - i64::try_from(fraction.len()).ok()? })
    }

    pub(crate) fn to_float(&self) -> f64 {
        format!("{}e{}", self.value, self.exp).parse().unwrap_or(0.0)
    }

    fn aligned(&self, other: &Decimal) -> (BigInt, BigInt, i64) {
        let exp = self.exp.min(other.exp);
        (&self.value * power(self.exp - exp), &other.value * power(other.exp - exp), exp)
    }

    pub(crate) fn plus(&self, other: &Decimal) -> Decimal {
        let (a, b, exp) = self.aligned(other);
        Decimal { value: a + b, exp }
    }

    pub(crate) fn minus(&self, other: &Decimal) -> Decimal {
        let (a, b, exp) = self.aligned(other);
        Decimal { value: a - b, exp }
    }

    pub(crate) fn times(&self, other: &Decimal) -> Decimal {
        Decimal { value: &self.value * &other.value, exp: self.exp + other.exp }
    }

    /// None when divided by zero.
    pub(crate) fn over(&self, other: &Decimal) -> Option<Decimal> {
        let zero = BigInt::from(0);
        if other.value == zero {
            return None;
        }
        let shift = self.exp - other.exp + DIVISION;
        let a = &self.value * power(shift.max(0));
        let b = &other.value * power((-shift).max(0));
        let quotient = &a / &b;
        let rest = &a - &quotient * &b;
        let twice = if rest < zero { -(&rest + &rest) } else { &rest + &rest };
        let size = if b < zero { -b.clone() } else { b.clone() };
        let away = if (a < zero) == (b < zero) { BigInt::from(1) } else { BigInt::from(-1) };
        let value = if twice >= size { quotient + away } else { quotient };
        Some(Decimal { value, exp: -DIVISION })
    }
}

fn power(exp: i64) -> BigInt {
    BigInt::from(10).pow(u32::try_from(exp).unwrap_or(0))
}
