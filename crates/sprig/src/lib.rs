//! The functions that Helm templates call: Sprig's, and Helm's own.
//!
//! [`Templates`] is the way in. It compiles the template files of a chart tree once and renders them any number of
//! times, with a context for each chart, exactly as Helm's engine does:
//!
//! ```
//! use std::collections::BTreeMap;
//! use sprig::context::values;
//! use sprig::{Options, Scope, Templates, Value, with_stack};
//!
//! let files = [
//!     ("web/templates/_help.tpl", r#"{{ define "name" }}{{ .Release.Name }}-web{{ end }}"#),
//!     ("web/templates/web.yaml", "name: {{ include \"name\" . }}\nreplicas: {{ .Values.replicas | default 2 }}\n"),
//! ];
//! let templates = Templates::compile(files.map(|(path, text)| (path, text.as_bytes())))?;
//! let texts = with_stack(|| {
//!     let release = Value::dict([("Name".into(), "shop".into())].into());
//!     let context = Value::dict([("Values".into(), values(BTreeMap::new())), ("Release".into(), release)].into());
//!     let scope = |_: &str| Scope { context: context.clone(), base_path: "web/templates".to_owned() };
//!     templates.render(scope, Options::new(1_795_255_200_000_000_000, [7; 32]))
//! })?;
//! assert_eq!(texts["web/templates/web.yaml"], b"name: shop-web\nreplicas: 2\n");
//! # Ok::<(), sprig::Error>(())
//! ```
//!
//! [`Options`] carries the clock, the seed of everything random, access to cluster and DNS, and the limits. Module
//! [`context`] makes the objects that a context holds. A [`Value`] is shared and belongs to one thread; values from
//! YAML come through [`read_yaml_dict`] and [`from_yaml_tree`], as Helm reads them: every number is a float.
//!
//! Pure: no IO, no clock. Zone names resolve through the tables that are compiled in.

mod args;
mod beside;
mod cases;
mod certificates;
mod ciphers;
pub mod context;
mod dates;
mod decimal;
mod defaults;
mod der;
mod dicts;
mod encode;
mod equal;
mod error;
mod glob;
mod helm;
mod json;
mod json_read;
mod keys;
mod lists;
mod numbers;
mod paths;
mod random;
mod regex_syntax;
mod regexes;
mod render;
mod state;
mod strings;
mod time;
mod toml_read;
mod toml_text;
mod urls;
mod versions;
mod words;
mod yaml_pretty;
mod yaml_text;

use std::sync::LazyLock;

use gotemplate::Functions;

pub use beside::Beside;
pub use error::Error;
pub use gotemplate::{Limits, MissingKey, Str, Value};
pub use json_read::read as read_json;
pub use regexes::{check as check_regex, compile as compile_regex};
pub use render::{Compiling, Options, Scope, Templates, with_stack};
pub use state::{Lookup, Purpose, Resolve};
pub use time::check as check_time;
pub use yaml_text::{
    error_text as yaml_error_text, key as yaml_key, read as read_yaml, read_dict as read_yaml_dict, to_yaml,
    value as from_yaml_tree,
};

static FUNCTIONS: LazyLock<Functions> = LazyLock::new(table);

/// Every function that a Helm template may call.
#[must_use]
pub fn functions() -> &'static Functions {
    &FUNCTIONS
}

fn table() -> Functions {
    let mut functions = Functions::new();
    for table in [
        strings::FUNCTIONS,
        cases::FUNCTIONS,
        numbers::FUNCTIONS,
        lists::FUNCTIONS,
        dicts::FUNCTIONS,
        defaults::FUNCTIONS,
        encode::FUNCTIONS,
        json::FUNCTIONS,
        yaml_text::FUNCTIONS,
        toml_text::FUNCTIONS,
        dates::FUNCTIONS,
        paths::FUNCTIONS,
        urls::FUNCTIONS,
        regexes::FUNCTIONS,
        versions::FUNCTIONS,
        random::FUNCTIONS,
        ciphers::FUNCTIONS,
        certificates::FUNCTIONS,
        helm::FUNCTIONS,
    ] {
        functions.extend(table.iter().copied());
    }
    functions
}
