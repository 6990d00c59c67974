//! Numbers.

use gotemplate::Ty::{Any, Float, Int, Str as Text};
use gotemplate::{Fault, Function, IntKind, ListType, Value, fmt};

use crate::args::{Args, Outcome, to_float, to_int};
use crate::decimal::Decimal;

const I: gotemplate::Ty = Int(IntKind::Int);
/// Longest list that `until` and its kin make.
const LONGEST: u64 = 10_000_000;

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("atoi", &[Text], |_, a| {
        Ok(Value::int(std::str::from_utf8(a.bytes(0)).ok().and_then(atoi).unwrap_or(0)))
    }),
    Function::new("int64", &[Any], |_, a| Ok(Value::int64(to_int(a.any(0))))),
    Function::new("int", &[Any], |_, a| Ok(Value::int(to_int(a.any(0))))),
    Function::new("float64", &[Any], |_, a| Ok(Value::Float(to_float(a.any(0))))),
    Function::new("toDecimal", &[Any], |_, a| Ok(Value::int64(octal(&fmt::sprint(a.any(0)))))),
    Function::variadic("seq", &[], I, |_, a| seq(a)),
    Function::new("until", &[I], |_, a| Ok(ints(steps(0, a.int(0), if a.int(0) < 0 { -1 } else { 1 })?))),
    Function::new("untilStep", &[I, I, I], |_, a| Ok(ints(steps(a.int(0), a.int(1), a.int(2))?))),
    Function::new("add1", &[Any], |_, a| Ok(Value::int64(to_int(a.any(0)).wrapping_add(1)))),
    Function::variadic("add", &[], Any, |_, a| {
        Ok(Value::int64(a.iter().fold(0i64, |sum, v| sum.wrapping_add(to_int(v)))))
    }),
    Function::new("sub", &[Any, Any], |_, a| {
        Ok(Value::int64(to_int(a.any(0)).wrapping_sub(to_int(a.any(1)))))
    }),
    Function::new("div", &[Any, Any], |_, a| divided(a, i64::wrapping_div)),
    Function::new("mod", &[Any, Any], |_, a| divided(a, i64::wrapping_rem)),
    Function::variadic("mul", &[Any], Any, |_, a| {
        Ok(Value::int64(a.iter().fold(1i64, |product, v| product.wrapping_mul(to_int(v)))))
    }),
    Function::new("add1f", &[Any], |_, a| {
        decimal(to_float(a.any(0)), &[Value::int(1)], |x, y| Ok(x.plus(&y)))
    }),
    Function::variadic("addf", &[], Any, |_, a| decimal(0.0, a, |x, y| Ok(x.plus(&y)))),
    Function::variadic("subf", &[Any], Any, |_, a| fold(a, |x, y| Ok(x.minus(&y)))),
    Function::variadic("divf", &[Any], Any, |_, a| {
        fold(a, |x, y| x.over(&y).ok_or_else(|| Fault::from("decimal division by 0")))
    }),
    Function::variadic("mulf", &[Any], Any, |_, a| fold(a, |x, y| Ok(x.times(&y)))),
    Function::variadic("biggest", &[Any], Any, |_, a| {
        Ok(Value::int64(a.iter().map(to_int).max().unwrap_or(0)))
    }),
    Function::variadic("max", &[Any], Any, |_, a| Ok(Value::int64(a.iter().map(to_int).max().unwrap_or(0)))),
    Function::variadic("min", &[Any], Any, |_, a| Ok(Value::int64(a.iter().map(to_int).min().unwrap_or(0)))),
    Function::variadic("maxf", &[Any], Any, |_, a| {
        Ok(Value::Float(extreme(a, |x, y| y > x || (y == x && x.is_sign_negative()) || y.is_nan())))
    }),
    Function::variadic("minf", &[Any], Any, |_, a| {
        Ok(Value::Float(extreme(a, |x, y| y < x || (y == x && y.is_sign_negative()) || y.is_nan())))
    }),
    Function::new("ceil", &[Any], |_, a| Ok(Value::Float(to_float(a.any(0)).ceil()))),
    Function::new("floor", &[Any], |_, a| Ok(Value::Float(to_float(a.any(0)).floor()))),
    Function::variadic("round", &[Any, I], Float, |_, a| {
        let on = a.get(2).map_or(0.5, to_float);
        Ok(Value::Float(round(to_float(a.any(0)), a.int(1), on)))
    }),
];

fn atoi(text: &str) -> Option<i64> {
    let negative = text.starts_with('-');
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() {
        return None;
    }
    let mut magnitude = 0u64;
    for b in digits.bytes() {
        if !b.is_ascii_digit() {
            return None;
        }
        // Go stops where 64 bits no longer hold the number, and never sees what is no digit behind that.
        match magnitude.checked_mul(10).and_then(|tens| tens.checked_add(u64::from(b - b'0'))) {
            Some(next) => magnitude = next,
            None => return Some(if negative { i64::MIN } else { i64::MAX }),
        }
    }
    // Beyond the range Go gives the nearest number together with the error that Sprig drops.
    Some(if negative {
        0i64.checked_sub_unsigned(magnitude).unwrap_or(i64::MIN)
    } else {
        i64::try_from(magnitude).unwrap_or(i64::MAX)
    })
}

fn octal(text: &str) -> i64 {
    let digits = text.strip_prefix('+').unwrap_or(text);
    if text.strip_prefix("+-").is_some() { 0 } else { i64::from_str_radix(digits, 8).unwrap_or(0) }
}

fn divided(a: &[Value], operation: fn(i64, i64) -> i64) -> Outcome {
    match to_int(a.any(1)) {
        0 => Err("runtime error: integer divide by zero".into()),
        by => Ok(Value::int64(operation(to_int(a.any(0)), by))),
    }
}

fn ints(items: Vec<i64>) -> Value {
    Value::typed_list(ListType::Int, items.into_iter().map(Value::int).collect())
}

fn steps(start: i64, stop: i64, step: i64) -> Result<Vec<i64>, Fault> {
    let (forward, none) = (stop >= start, (stop < start && step >= 0) || (stop >= start && step <= 0));
    if none {
        return Ok(Vec::new());
    }
    if start.abs_diff(stop) / step.unsigned_abs() > LONGEST {
        return Err(format!("the list is longer than {LONGEST} elements").into());
    }
    let mut items = Vec::new();
    let mut i = start;
    while if forward { i < stop } else { i > stop } {
        items.push(i);
        match i.checked_add(step) {
            Some(next) => i = next,
            None => break,
        }
    }
    Ok(items)
}

fn seq(a: &[Value]) -> Outcome {
    let (start, end, step) = match a.len() {
        1 => (1, a.int(0), if a.int(0) < 1 { -1 } else { 1 }),
        2 => (a.int(0), a.int(1), if a.int(1) < a.int(0) { -1 } else { 1 }),
        3 => {
            let (start, step, end) = (a.int(0), a.int(1), a.int(2));
            if end < start && step > 0 {
                return Ok("".into());
            }
            (start, end, step)
        }
        _ => return Ok("".into()),
    };
    let beyond = if end < start { -1 } else { 1 };
    let items = steps(start, end.saturating_add(beyond), step)?;
    let texts: Vec<String> = items.iter().map(i64::to_string).collect();
    Ok(texts.join(" ").into())
}

fn fold(a: &[Value], operation: impl Fn(Decimal, Decimal) -> Result<Decimal, Fault>) -> Outcome {
    decimal(to_float(a.any(0)), a.get(1..).unwrap_or_default(), operation)
}

fn decimal(
    first: f64,
    rest: &[Value],
    operation: impl Fn(Decimal, Decimal) -> Result<Decimal, Fault>,
) -> Outcome {
    let exact = |value: f64| {
        Decimal::new(value).ok_or_else(|| {
            Fault::Text(format!("Cannot create a Decimal from {}", fmt::sprint(&Value::Float(value))))
        })
    };
    let mut result = exact(first)?;
    for value in rest {
        result = operation(result, exact(to_float(value))?)?;
    }
    Ok(Value::Float(result.to_float()))
}

fn extreme(a: &[Value], better: fn(f64, f64) -> bool) -> f64 {
    let mut numbers = a.iter().map(to_float);
    let first = numbers.next().unwrap_or(0.0);
    numbers.fold(first, |best, x| {
        if best.is_nan() || x.is_nan() {
            f64::NAN
        } else if better(best, x) {
            x
        } else {
            best
        }
    })
}

/// A power of ten with the rounding of Go, which squares a mantissa between a half and one.
fn power_of_ten(exponent: i64) -> f64 {
    // 10 is 0.625 times 2 to the fourth.
    let (mut base, mut base_exponent) = (0.625f64, 4i64);
    let (mut power, mut power_exponent) = (1f64, 0i64);
    let mut left = exponent.unsigned_abs();
    while left != 0 {
        if base_exponent > 1 << 12 {
            // Too large for a float.
            return if exponent < 0 { 0.0 } else { f64::INFINITY };
        }
        if left & 1 == 1 {
            power *= base;
            power_exponent += base_exponent;
        }
        base *= base;
        base_exponent *= 2;
        if base < 0.5 {
            base += base;
            base_exponent -= 1;
        }
        left >>= 1;
    }
    if exponent < 0 {
        (power, power_exponent) = (1.0 / power, -power_exponent);
    }
    // In two steps, for a power of two of its own may be too large or too small where the product is not.
    let half = power_exponent / 2;
    let two = |exponent: i64| 2f64.powi(i32::try_from(exponent.clamp(-2000, 2000)).unwrap_or(0));
    power * two(half) * two(power_exponent - half)
}

fn round(value: f64, places: i64, on: f64) -> f64 {
    let pow = power_of_ten(places);
    let digit = pow * value;
    let rounded = if digit.fract() >= on { digit.ceil() } else { digit.floor() };
    rounded / pow
}
