//! The release's name.

use std::path::Path;

use super::{Arguments, Problem};
use rand::RngExt;

/// The release's name and the chart's path, from the arguments.
pub fn name_and_chart(arguments: &Arguments) -> Result<(String, &Path), Problem> {
    match arguments.names.as_slice() {
        [_, _] if arguments.generate_name => Err(Problem::TwoNames("--generate-name")),
        [_, _] if arguments.name_template.is_some() => Err(Problem::TwoNames("--name-template")),
        [name, chart] => Ok((name.clone(), Path::new(chart))),
        names => {
            let chart = Path::new(names.first().map(String::as_str).unwrap_or_default());
            match arguments.name_template.as_deref().filter(|text| !text.is_empty()) {
                Some(text) => Ok((from_template(text)?, chart)),
                // Helm has this name at hand, with --generate-name too.
                None => Ok(("release-name".to_owned(), chart)),
            }
        }
    }
}

fn from_template(text: &str) -> Result<String, Problem> {
    chart::name_from_template(text, jiff::Timestamp::now().as_nanosecond(), rand::rng().random())
        .map_err(|error| Problem::NameTemplate(error.to_string()))
}
