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
        let digits = gofloat::plain(value);
        if digits.parse::<i64>().is_ok() || digits.parse::<u64>().is_ok() {
            return digits;
        }
    }
    gofloat::general(value)
}
