//! Reading: files within their limits, documents, kustomization files.

mod documents;
mod json;
mod remote;
mod session;

pub(crate) use json::{definitions, json_patch, to_json};
pub(crate) use remote::is_remote;
pub use remote::{Fetch, Fetched, Remote, RemoteDirectory};
pub use session::Outside;
pub(crate) use session::{Place, Session};
