//! Build: from an artifact's files to the objects that the cluster shall have. Pure, and the expensive step.

use api::kustomize::KustomizationSpec;
use artifact::{Algorithm, HashingWriter, Tree};
use envsubst::{Unset, Variables};
use kustomize::{Fetch, FileSystem, Inputs, MemoryFileSystem, Options, Outside, OverlayFileSystem, Remote};
use object::ObjectRef;
use serde_json::Value;

use super::documents;
use super::files::Footprint;
use super::generate::{self, generate, undecodable};
use crate::remotes::{Remotes, Visit};

/// Key prefix of the labels and annotations on built objects.
pub const GROUP: &str = "kustomize.toolkit.fluxcd.io";

/// What a build made.
#[derive(Debug)]
pub struct Built {
    /// The objects in build order.
    pub objects: Vec<Value>,
    /// `sha256:<hex>` over the built objects: equal builds have equal digests.
    pub digest: String,
    /// Deprecated or unknown fields that were met.
    pub warnings: Vec<String>,
    /// Whether something on the network went into it, so that the same files may give something else the next time.
    pub fetched: bool,
    inputs: Inputs,
    walked: bool,
}

impl Built {
    /// What the build depended on in the tree that it was made from.
    pub fn footprint(&self, tree: &Tree, root: &str) -> Footprint {
        Footprint::of(tree, &self.inputs, self.walked.then_some(root))
    }
}

/// Why a build failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// `spec.path` is not in the artifact.
    #[error("kustomization path not found: stat {0}: no such file or directory")]
    NoSuchPath(String),
    /// `spec.path` is a file.
    #[error("kustomization path is not a directory: {0}")]
    NotDirectory(String),
    /// A field that this controller does not serve.
    #[error("{0}")]
    Unsupported(&'static str),
    /// No kustomization file could be made.
    #[error(transparent)]
    Generate(#[from] generate::Error),
    /// A file that a generated kustomization lists does not hold objects.
    #[error("{0}")]
    Undecodable(String),
    /// The engine refused, for each of these reasons.
    #[error("kustomize build failed: {0}")]
    Kustomize(String),
    /// An object of the result is none.
    #[error("failed to decode Kubernetes apiVersion, kind and name from: {0}")]
    NoObject(String),
    /// Substitution failed in an object.
    #[error("post build failed for '{object}': {reason}")]
    PostBuild {
        /// `Kind/namespace/name`.
        object: String,
        /// What failed.
        reason: String,
    },
    /// A Secret is still encrypted.
    #[error("{0} is SOPS encrypted, configuring decryption is required for this secret to be reconciled")]
    Encrypted(String),
}

impl Error {
    /// Whether the failure belongs to applying: the guard against encrypted Secrets.
    pub fn is_guard(&self) -> bool {
        matches!(self, Error::Encrypted(_))
    }
}

/// `spec.path` as a path in the artifact: absolute ones begin at its root, and `..` does not lead out of it.
pub fn clamped(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The directory to build, if the artifact has it.
///
/// # Errors
/// When nothing is there, or a file.
pub fn locate(tree: &Tree, path: Option<&str>) -> Result<String, Error> {
    let path = clamped(path.unwrap_or_default());
    match tree.kind(&path) {
        Some(artifact::Kind::Directory) => Ok(path),
        Some(artifact::Kind::File) => Err(Error::NotDirectory(path)),
        None => Err(Error::NoSuchPath(path)),
    }
}

/// What a build takes beside the files.
pub struct Settings<'a> {
    /// The spec.
    pub spec: &'a KustomizationSpec,
    /// Values to substitute, if anything is to be.
    pub variables: Option<&'a Variables>,
    /// What happens to a variable without value.
    pub unset: Unset,
    /// Options of the engine.
    pub options: &'a Options,
    /// What fetches remote bases and files, if any are allowed.
    pub remotes: Option<&'a Remotes>,
}

/// Builds the directory `root` of some files.
///
/// # Errors
/// See [`Error`].
pub fn build(files: &dyn FileSystem, root: &str, settings: &Settings<'_>) -> Result<Built, Error> {
    if settings.spec.decryption.is_some() {
        return Err(Error::Unsupported(
            "spec.decryption is not supported by this controller yet: remove the field, or apply this Kustomization with \
             a controller that decrypts",
        ));
    }
    let generated = generate(files, root, settings.spec)?;
    let mut upper = MemoryFileSystem::new();
    upper.insert(&generated.path, generated.content.as_str());
    let overlay = OverlayFileSystem::new(files, upper);
    let visit = settings.remotes.map(|remotes| remotes.visit(&overlay));
    let fetch = |remote: &Remote| match &visit {
        Some(visit) => visit.fetch(remote),
        None => Err("remote bases are not fetched".to_owned()),
    };
    let outside = Outside { fetch: visit.is_some().then_some(&fetch as &Fetch<'_>), ..Outside::default() };
    let seen: &dyn FileSystem = visit.as_ref().map_or(&overlay, |visit| visit);
    let build = kustomize::build_with(seen, root, settings.options, outside).map_err(|errors| {
        let undecodable = generated.walked.then(|| undecodable(files, root, &generated)).flatten();
        undecodable.map_or_else(|| Error::Kustomize(errors.to_string()), Error::Undecodable)
    })?;
    let mut documents = Vec::with_capacity(build.resources.len());
    for resource in build.resources {
        let value = resource.into_value();
        let object = value.to_json().map_err(|error| Error::Kustomize(error.to_string()))?;
        let identity = ObjectRef::of(&object).map_err(|error| Error::NoObject(error.to_string()))?;
        match settings.variables.filter(|_| wants_substitution(&object)) {
            Some(variables) => {
                let text = substitute(&value, &identity, variables, settings.unset)?;
                let failed = |reason| Error::PostBuild { object: identity.to_string(), reason };
                documents.extend(documents::substituted(&text).map_err(failed)?);
            }
            None => documents.push(object),
        }
    }
    let objects = object::expand_lists(documents);
    let mut hasher = HashingWriter::new(Algorithm::Sha256, std::io::sink());
    for object in &objects {
        let identity = ObjectRef::of(object).map_err(|error| Error::NoObject(error.to_string()))?;
        guard(object, &identity)?;
        serde_json::to_writer(&mut hasher, object).map_err(|error| Error::NoObject(error.to_string()))?;
    }
    let digest = hasher.finish().1.to_string();
    let fetched = visit.as_ref().is_some_and(Visit::has_fetched);
    let (warnings, inputs) = (build.warnings, build.inputs);
    Ok(Built { objects, digest, warnings, fetched, inputs, walked: generated.walked })
}

fn disabled(object: &Value, switch: &str, also_label: bool) -> bool {
    let key = format!("{GROUP}/{switch}");
    object::annotation(object, &key) == Some("disabled")
        || (also_label && object::label(object, &key) == Some("disabled"))
}

/// An object without a dollar sign comes out of a substitution as it went in.
fn wants_substitution(object: &Value) -> bool {
    has_dollar(object) && !disabled(object, "substitute", true)
}

fn has_dollar(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains(['$', '\0']),
        Value::Array(items) => items.iter().any(has_dollar),
        Value::Object(fields) => fields.iter().any(|(key, value)| key.contains('$') || has_dollar(value)),
        _ => false,
    }
}

/// The object's text with its variables replaced.
fn substitute(
    value: &yaml::Value,
    identity: &ObjectRef,
    variables: &Variables,
    unset: Unset,
) -> Result<String, Error> {
    let failed = |reason: String| Error::PostBuild { object: identity.to_string(), reason };
    let text = yaml::to_yaml(value).map_err(|error| failed(error.to_string()))?;
    envsubst::substitute(&text, variables, unset).map_err(|error| failed(format!("envsubst error: {error}")))
}

/// Ciphertext never reaches the cluster, wherever in a Secret it stands.
fn guard(object: &Value, identity: &ObjectRef) -> Result<(), Error> {
    let encrypted = identity.gvk.is("", "Secret") && object.get("sops").is_some();
    if encrypted && !disabled(object, "decrypt", false) {
        return Err(Error::Encrypted(identity.to_string()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn files(entries: &[(&str, &str)]) -> MemoryFileSystem {
        let mut files = MemoryFileSystem::new();
        for (path, content) in entries {
            files.insert(path, *content);
        }
        files
    }

    fn spec(change: Value) -> KustomizationSpec {
        let mut value =
            json!({"interval": "1m", "prune": true, "sourceRef": {"kind": "GitRepository", "name": "x"}});
        for (key, field) in change.as_object().unwrap() {
            value[key] = field.clone();
        }
        serde_json::from_value(value).unwrap()
    }

    fn made(
        entries: &[(&str, &str)],
        spec: &KustomizationSpec,
        variables: Option<&[(&str, &str)]>,
    ) -> Result<Built, Error> {
        let values = variables.map(|pairs| {
            let mut values = Variables::new();
            pairs.iter().for_each(|(name, value)| values.insert(*name, value));
            values
        });
        let options = Options::default();
        let settings = Settings {
            spec,
            variables: values.as_ref(),
            unset: Unset::Refused,
            options: &options,
            remotes: None,
        };
        build(&files(entries), "app", &settings)
    }

    #[test]
    fn paths_are_clamped() {
        for (path, expected) in [
            ("", ""),
            ("./", ""),
            ("./a/b/", "a/b"),
            ("/a", "a"),
            ("../../etc", "etc"),
            ("a/../../b", "b"),
            ("..", ""),
        ] {
            assert_eq!(clamped(path), expected, "{path}");
        }
    }

    #[test]
    fn spec_and_variables_shape_the_objects() {
        let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: '${v}', y: 'plain'}\n";
        let list =
            "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: l}}\n";
        let spec = spec(json!({"targetNamespace": "ns", "namePrefix": "p-"}));
        let built = made(&[("app/a.yaml", map), ("app/b.yaml", list)], &spec, Some(&[("v", "yes")])).unwrap();
        assert_eq!(built.objects[0]["metadata"], json!({"name": "p-a", "namespace": "ns"}));
        assert_eq!(
            built.objects[0]["data"],
            json!({"x": true, "y": "plain"}),
            "an unquoted yes becomes a boolean"
        );
        assert_eq!(built.objects[1]["metadata"]["name"], "p-l");
        let again = made(&[("app/a.yaml", map), ("app/b.yaml", list)], &spec, Some(&[("v", "yes")])).unwrap();
        assert_eq!(again.digest, built.digest);
        let other = made(&[("app/a.yaml", map), ("app/b.yaml", list)], &spec, Some(&[("v", "no")])).unwrap();
        assert_ne!(other.digest, built.digest);
    }

    #[test]
    fn untouched_text_keeps_its_dollars() {
        let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: {kustomize.toolkit.fluxcd.io/substitute: disabled}}\ndata: {x: '${v}'}\n";
        let built = made(&[("app/a.yaml", map)], &spec(json!({})), Some(&[("v", "1")])).unwrap();
        assert_eq!(built.objects[0]["data"]["x"], "${v}");
        let plain = map.replace("disabled", "enabled");
        assert_eq!(
            made(&[("app/a.yaml", &plain)], &spec(json!({})), None).unwrap().objects[0]["data"]["x"],
            "${v}"
        );
        let error = made(&[("app/a.yaml", &plain)], &spec(json!({})), Some(&[])).unwrap_err().to_string();
        assert_eq!(
            error,
            "post build failed for 'ConfigMap/a': envsubst error: variable substitution failed: variable not set (strict mode): \"v\""
        );
    }

    #[test]
    fn ciphertext_is_guarded() {
        let secret =
            "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {k: ENC}\nsops: {mac: x}\n";
        let error = made(&[("app/a.yaml", secret)], &spec(json!({})), None).unwrap_err();
        assert!(error.is_guard() && error.to_string().starts_with("Secret/s is SOPS encrypted"), "{error}");
        let marked = secret
            .replace("{name: s}", "{name: s, annotations: {kustomize.toolkit.fluxcd.io/decrypt: disabled}}");
        assert!(made(&[("app/a.yaml", &marked)], &spec(json!({})), None).is_ok());
        let error = made(&[("app/a.yaml", secret)], &spec(json!({"decryption": {"provider": "sops"}})), None)
            .unwrap_err();
        assert!(matches!(error, Error::Unsupported(text) if text.contains("spec.decryption")));
    }

    #[test]
    fn errors_name_the_file() {
        let error = made(&[("app/a.yaml", "a: b\n")], &spec(json!({})), None).unwrap_err().to_string();
        assert!(error.starts_with("failed to decode Kubernetes YAML from app/a.yaml: "), "{error}");
        let file = "resources: [missing.yaml]\n";
        let error =
            made(&[("app/kustomization.yaml", file)], &spec(json!({})), None).unwrap_err().to_string();
        assert!(error.starts_with("kustomize build failed: ") && error.contains("missing.yaml"), "{error}");
        assert!(made(&[("app/notes.txt", "")], &spec(json!({})), None).unwrap().objects.is_empty());
    }
}
