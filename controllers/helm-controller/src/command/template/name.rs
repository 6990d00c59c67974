//! The release's name.

use std::path::Path;

use gotemplate::Parsed;
use sprig::{Options, Scope, Templates, Value};

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
    const NAME: &str = "name-template";
    let problem = |error: &dyn std::fmt::Display| Problem::NameTemplate(error.to_string());
    Parsed::new(NAME, text, sprig::functions()).map_err(|error| problem(&error))?;
    let templates = Templates::compile([(NAME, text.as_bytes())]).map_err(|error| problem(&error))?;
    let rendered = sprig::with_stack(|| {
        let scope = |_: &str| Scope { context: Value::Nil, base_path: String::new() };
        templates
            .render(scope, Options::new(jiff::Timestamp::now().as_nanosecond(), rand::rng().random()))
            .map(|mut texts| texts.remove(NAME).unwrap_or_default())
            .map_err(|error| error.to_string())
    });
    let name = rendered.map_err(Problem::Thread)?.map_err(Problem::NameTemplate)?;
    Ok(String::from_utf8_lossy(&name).into_owned())
}
