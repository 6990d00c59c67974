//! `values.schema.json`

use gotemplate::Value;

use crate::load::Chart;

pub(crate) fn validate(_chart: &Chart, _values: &Value) -> Result<(), String> {
    Ok(())
}
