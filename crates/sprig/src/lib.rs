//! The functions that Helm templates call: Sprig's, and Helm's own.
//!
//! [`functions`] makes the table; a run needs a [`State`], which carries the clock, the seed of everything random, and
//! access to a cluster. [`exec_error`] and [`parse_error`] give errors the form that Helm prints.
//!
//! Pure: no IO, no clock. Zone names resolve through the tables that are compiled in.

mod args;
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

use gotemplate::Functions;

pub use helm::{ROOT, exec_error, parse_error, without_no_value};
pub use state::{Lookup, State};
pub use yaml_text::{
    error_text as yaml_error_text, key as yaml_key, read as read_yaml, read_dict as read_yaml_dict, to_yaml,
    value as from_yaml_tree,
};

/// Every function that a Helm template may call.
#[must_use]
pub fn functions() -> Functions {
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
