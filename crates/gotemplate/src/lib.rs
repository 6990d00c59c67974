//! Go's `text/template`, natively: the language in full, its values, its printing and its errors, to the byte.
//!
//! ```
//! use std::sync::Arc;
//! use gotemplate::{Exec, Functions, Limits, MissingKey, Parsed, Set, Value};
//!
//! let functions = Functions::new();
//! let mut set = Set::new();
//! set.add(&Parsed::new("hello", "hello {{ .name | printf \"%q\" }}", &functions)?);
//! let mut state = ();
//! let mut exec = Exec::new(&functions, Arc::new(set), MissingKey::Zero, Limits::default(), &mut state);
//! let data = Value::dict([("name".into(), "world".into())].into());
//! assert_eq!(exec.render(b"hello", "", &data)?, b"hello \"world\"");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A text is parsed once ([`Parsed`]) into a compact tree with resolved variables and can then be added to any number of
//! [`Set`]s. A [`Value`] is shared, not copied; maps are mutable and shared, as in Go, because template functions change
//! them. Functions come in through [`Functions`]; they get the [`Exec`] and so can render other templates.
//!
//! Pure: no IO, no clock. Steps, output and recursion are limited ([`Limits`]). Deep recursion needs stack: callers that
//! render what others wrote do it on a thread with 256 MiB of it, or lower [`Limits::depth`].

mod builtin;
mod error;
mod exec;
pub mod fmt;
mod function;
mod lex;
mod number;
mod object;
mod parse;
mod quote;
mod set;
mod text;
mod tree;
mod types;
mod value;

pub use builtin::query_escape;
pub use error::{Error, Fault};
pub use exec::{Exec, Limits, MissingKey};
pub use function::{Body, Function, Functions};
pub use number::{parse_float, parse_int, parse_uint};
pub use object::{ElementType, Method, Named, Object, TypedNil};
pub use quote::{printable, quote, quote_char, quote_into};
pub use set::{Parsed, Parser, Set, Template};
pub use text::{Str, chars, decode_char, is_known, is_letter, is_lower, is_upper, lossy};
pub use types::Ty;
pub use value::{Dict, DictType, Elements, IntKind, List, ListType, Value};
