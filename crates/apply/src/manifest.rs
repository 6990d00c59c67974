use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use bytes::Bytes;
use object::{Error, ObjectRef, Owner, Switches};
use serde_json::Value;

use crate::policy::Policy;

/// A desired object, ready to be sent: the request body, a hash of it, and what of it decides how it is applied. Cheap
/// to clone and worth keeping while its sources do not change.
#[derive(Clone)]
pub struct Manifest(Arc<Parts>);

struct Parts {
    object: ObjectRef,
    body: Bytes,
    hash: u64,
    switches: Switches,
    job_with_ttl: bool,
}

/// Never the body: it may hold secrets.
impl std::fmt::Debug for Manifest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Manifest({})", self.0.object)
    }
}

/// What every object of one owner gets.
#[derive(Debug, Clone, Copy)]
pub struct Preparation<'a> {
    /// Whose rules hold.
    pub policy: &'a Policy,
    /// The owner written into the labels.
    pub owner: &'a Owner,
    /// Labels of `commonMetadata`.
    pub labels: &'a BTreeMap<String, String>,
    /// Annotations of `commonMetadata`.
    pub annotations: &'a BTreeMap<String, String>,
}

impl Manifest {
    /// Normalises an object, adds common metadata and owner labels, and writes it down.
    ///
    /// # Errors
    /// [`Error::MissingField`] when it has no kind, apiVersion or name.
    pub fn prepare(mut object: Value, preparation: &Preparation<'_>) -> Result<Self, Error> {
        let Preparation { policy, owner, labels, annotations } = preparation;
        object::normalise(&mut object);
        fn pairs(map: &BTreeMap<String, String>) -> impl Iterator<Item = (&str, &str)> {
            map.iter().map(|(k, v)| (k.as_str(), v.as_str()))
        }
        object::set_common_metadata(&mut object, pairs(labels), pairs(annotations));
        object::set_owner_labels(&mut object, &policy.owner_labels(), owner);
        object::drop_invalid_ca_bundle(&mut object);

        let reference = ObjectRef::of(&object)?;
        let switches = Switches::of(&object, &policy.group);
        let job_with_ttl = reference.gvk.is("batch", "Job")
            && object.pointer("/spec/ttlSecondsAfterFinished").is_some_and(Value::is_number);
        let body = object.to_string();
        let mut hasher = DefaultHasher::new();
        body.hash(&mut hasher);
        Ok(Self(Arc::new(Parts {
            object: reference,
            hash: hasher.finish(),
            body: Bytes::from(body),
            switches,
            job_with_ttl,
        })))
    }

    /// Which object this is, as the manifest names it.
    pub fn reference(&self) -> &ObjectRef {
        &self.0.object
    }

    /// A Job that removes itself when it is done: its absence is a success.
    pub fn job_with_ttl(&self) -> bool {
        self.0.job_with_ttl
    }

    /// Size of the request body in bytes.
    pub fn size(&self) -> usize {
        self.0.body.len()
    }

    pub(crate) fn body(&self) -> Bytes {
        self.0.body.clone()
    }

    pub(crate) fn hash(&self) -> u64 {
        self.0.hash
    }

    pub(crate) fn switches(&self) -> Switches {
        self.0.switches
    }

    /// The object as a value; parsed again, as only rare paths need it.
    pub(crate) fn value(&self) -> Value {
        serde_json::from_slice(&self.0.body).unwrap_or_default()
    }
}
