//! Secrets that objects refer to.

use api::condition::Reason;
use kube::Client;
use net::auth::Data;
use runtime::client::Secret;

use super::Failure;

/// A Secret that an object refers to.
pub(crate) struct NamedSecret {
    /// `namespace/name`.
    pub name: String,
    /// Its type.
    pub type_: String,
    /// Its data.
    pub data: Data,
}

/// Reads a Secret of the object's namespace; `None` when there is no reference.
///
/// # Errors
/// A failed fetch with reason `AuthenticationFailed`.
pub(crate) async fn read_secret(
    client: &Client,
    namespace: &str,
    name: Option<&str>,
) -> Result<Option<NamedSecret>, Failure> {
    let Some(name) = name else { return Ok(None) };
    read_named(client, namespace, name).await.map(Some).map_err(|error| {
        let message = format!("failed to get secret '{namespace}/{name}': {error}");
        Failure::fetch(Reason::AuthenticationFailed, message)
    })
}

/// Reads a Secret.
///
/// # Errors
/// What the API server answers, or that it does not.
pub(crate) async fn read_named(
    client: &Client,
    namespace: &str,
    name: &str,
) -> Result<NamedSecret, runtime::Error> {
    let secret = Secret::read(client, namespace, name).await?;
    Ok(NamedSecret { name: secret.id(), type_: secret.type_.clone(), data: secret.into_data() })
}
