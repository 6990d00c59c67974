//! Floats as Go writes them.

use crate::error::ScalarError;

/// Refuses what JSON does not have.
pub(crate) fn check_finite(value: f64, line: u32) -> Result<(), ScalarError> {
    let value = match value {
        _ if value.is_finite() => return Ok(()),
        _ if value.is_nan() => "NaN",
        _ if value > 0.0 => "+Inf",
        _ => "-Inf",
    };
    Err(ScalarError::NotFinite { line, value })
}

/// A finite float as it comes out of kustomize: Go's JSON writes it, sigs.k8s.io/yaml reads that and finds an integer
/// where there is no fraction, else writes it with at most six digits before the exponent form begins.
pub(crate) fn yaml_float(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    if value.fract() == 0.0 && value.abs() < 1e21 {
        let digits = format!("{value}");
        if digits.parse::<i64>().is_ok() || digits.parse::<u64>().is_ok() {
            return digits;
        }
    }
    let shortest = format!("{value:e}");
    let Some((mantissa, exponent)) = shortest.split_once('e') else { return shortest };
    match exponent.parse::<i32>() {
        Ok(-4..=5) => format!("{value}"),
        Ok(exponent) => format!("{mantissa}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs()),
        Err(_) => shortest,
    }
}

/// A finite float as Go's JSON writes it.
pub(crate) fn json_float(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude == 0.0 || (1e-6..1e21).contains(&magnitude) {
        return format!("{value}");
    }
    let shortest = format!("{value:e}");
    match shortest.split_once('e') {
        Some((mantissa, exponent)) if !exponent.starts_with('-') => format!("{mantissa}e+{exponent}"),
        _ => shortest,
    }
}
