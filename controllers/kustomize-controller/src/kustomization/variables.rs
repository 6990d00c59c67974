//! Variables: the values for `postBuild`, read from ConfigMaps and Secrets and from the spec.

use api::kustomize::{PostBuild, SubstituteReferenceKind, SubstituteStrategy};
use envsubst::Variables;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Client;
use runtime::{Key, client};
use sha2::{Digest as _, Sha256};

/// A substitution that will take place.
#[derive(Clone, Default)]
pub struct Substitution {
    /// The values by name.
    pub values: Variables,
}

impl Substitution {
    /// A hash of all names and values, so that a change is seen without keeping them.
    pub fn hash(&self) -> [u8; 32] {
        let mut hasher = Sha256::new();
        for (name, value) in self.values.iter() {
            for part in [name, value] {
                hasher.update((part.len() as u64).to_le_bytes());
                hasher.update(part.as_bytes());
            }
        }
        hasher.finalize().into()
    }
}

/// Reads the variables of a Kustomization in `namespace`. `None` when nothing is to be substituted.
///
/// # Errors
/// The text for the object: a missing reference that is not optional, or a name that no shell takes.
pub async fn read(
    client: &Client,
    namespace: &str,
    post_build: Option<&PostBuild>,
) -> Result<Option<Substitution>, String> {
    let Some(post_build) = post_build else { return Ok(None) };
    let mut values = Variables::new();
    for reference in &post_build.substitute_from {
        let (kind, read) = match reference.kind {
            SubstituteReferenceKind::ConfigMap => {
                ("ConfigMap", config_map(client, namespace, &reference.name).await)
            }
            SubstituteReferenceKind::Secret => ("Secret", secret(client, namespace, &reference.name).await),
        };
        match read {
            Ok(pairs) => pairs.iter().for_each(|(name, value)| values.insert(name, value)),
            Err(Missing::Gone(_)) if reference.optional => {}
            Err(Missing::Gone(why) | Missing::Unreadable(why)) => {
                return Err(format!("substitute from '{kind}/{}' error: {why}", reference.name));
            }
        }
    }
    for (name, value) in &post_build.substitute {
        values.insert(name, value);
    }
    if values.is_empty() && post_build.substitute_strategy() == SubstituteStrategy::WithVariables {
        return Ok(None);
    }
    values.check().map_err(|error| error.to_string())?;
    Ok(Some(Substitution { values }))
}

enum Missing {
    Gone(String),
    Unreadable(String),
}

type Pairs = Vec<(String, String)>;

async fn config_map(client: &Client, namespace: &str, name: &str) -> Result<Pairs, Missing> {
    let path = client::object_path::<ConfigMap>(&Key::new(namespace, name));
    match client::get::<ConfigMap>(client, &path).await {
        Ok(Some(found)) => Ok(found.data.unwrap_or_default().into_iter().collect()),
        Ok(None) => Err(Missing::Gone(format!("configmaps \"{name}\" not found"))),
        Err(error) => Err(Missing::Unreadable(error.to_string())),
    }
}

async fn secret(client: &Client, namespace: &str, name: &str) -> Result<Pairs, Missing> {
    match client::Secret::read(client, namespace, name).await {
        Ok(secret) => {
            let keys: Vec<String> = secret.keys().map(str::to_owned).collect();
            Ok(keys.into_iter().filter_map(|key| secret.text(&key).map(|value| (key, value))).collect())
        }
        Err(error) if error.is_not_found() => Err(Missing::Gone(format!("secrets \"{name}\" not found"))),
        Err(error) => Err(Missing::Unreadable(error.to_string())),
    }
}
