//! One cluster under one identity.

use std::sync::Arc;
use std::time::Duration;

use apply::{Accept, Failure, Http, Mapping, NoMapping, Policy, Resource, Target};
use chart::{Capabilities, Chart, Table};
use object::{Gvk, ObjectRef};
use serde_json::Value;

use crate::error::Error;

/// A cluster, the identity that acts on it, and the name under which it writes. Cheap to clone; make one for each
/// action if you like: what is worth keeping (kinds, versions, watches) lies in the [`Target`].
#[derive(Clone)]
pub struct Cluster {
    pub(crate) target: Target,
    manager: Arc<str>,
    distrust: bool,
}

/// What the cluster serves may be this old when a chart asks for it. Definitions that we apply ourselves are known at
/// once.
const FRESH: Duration = Duration::from_secs(1);

impl Cluster {
    /// A cluster through a target that others may share, written to by `manager` (`helm-controller`, `helm`).
    ///
    /// The labels of the target's policy (`helm.toolkit.fluxcd.io/name`) make waiting cheap: one watch a kind covers
    /// the objects of all releases that carry them.
    pub fn new(target: Target, manager: &str) -> Cluster {
        Cluster { target, manager: manager.into(), distrust: false }
    }

    /// The same cluster, asked again at once what it serves whenever a kind is not found. Otherwise that is done at most
    /// once a second, which is enough unless a hook makes a definition and the next one an object of it.
    #[must_use]
    pub fn distrusting(self) -> Cluster {
        Cluster { distrust: true, ..self }
    }

    /// How a kind is served.
    pub(crate) async fn resolve(&self, gvk: &Gvk) -> Result<Arc<Resource>, NoMapping> {
        let found = self.mapping().resolve(gvk).await;
        if self.distrust && matches!(found, Err(NoMapping::NoMatch(_))) {
            self.mapping().invalidate();
            return self.mapping().resolve(gvk).await;
        }
        found
    }

    /// A cluster of its own.
    pub fn from_client(client: kube::Client, manager: &str) -> Cluster {
        let policy = Policy::new(manager, "helm.toolkit.fluxcd.io");
        Cluster::new(Target::new(Arc::new(policy), Arc::new(|_| ()), client), manager)
    }

    /// The field manager.
    pub fn manager(&self) -> &str {
        &self.manager
    }

    /// The target, for watches of one's own.
    pub fn target(&self) -> &Target {
        &self.target
    }

    pub(crate) fn http(&self) -> &Http {
        self.target.http()
    }

    pub(crate) fn mapping(&self) -> &Mapping {
        self.target.mapping()
    }

    /// What templates learn of the cluster. What it serves is asked again only when the chart or the values speak of
    /// it.
    ///
    /// # Errors
    /// When the API server does not tell.
    pub async fn capabilities(&self, chart: &Chart, values: &Table) -> Result<Capabilities, Error> {
        let problem = |what: &str, failure: &Failure| {
            Error::of(failure, |text| Error::Build(format!("could not get {what} from Kubernetes: {text}")))
        };
        let within = if speaks_of_capabilities(chart)
            || mentions(Value::Object(values.clone()).to_string().as_bytes())
        {
            FRESH
        } else {
            Duration::MAX
        };
        let version = self.mapping().server_version().await.map_err(|f| problem("server version", &f))?;
        let api_versions =
            self.mapping().api_versions(within).await.map_err(|f| problem("apiVersions", &f))?;
        let parsed = chart::KubeVersion::parse(&version.git).map_err(Error::Build)?;
        Ok(Capabilities {
            kube_version: chart::KubeVersion { major: version.major, minor: version.minor, ..parsed },
            api_versions,
            ..Capabilities::default()
        })
    }

    /// What `lookup` in templates asks. It blocks, so templates must be rendered outside the runtime's threads.
    pub(crate) fn lookup(&self, handle: tokio::runtime::Handle) -> sprig::Lookup {
        let cluster = self.clone();
        Box::new(move |api_version, kind, namespace, name| {
            let gvk = Gvk::new(api_version, kind);
            handle.block_on(cluster.look_up(&gvk, namespace, name)).map(|found| chart::to_value(&found))
        })
    }

    async fn look_up(&self, gvk: &Gvk, namespace: &str, name: &str) -> Result<Value, String> {
        let empty = Value::Object(serde_json::Map::new());
        let resource = self.mapping().resolve(gvk).await.map_err(|missing| {
            format!("unable to get apiresource from unstructured: {}: {missing}", gvk_text(gvk))
        })?;
        let path = match name {
            "" => resource.collection(namespace),
            name => {
                let object =
                    ObjectRef { gvk: gvk.clone(), namespace: namespace.to_owned(), name: name.to_owned() };
                resource.item(&object)
            }
        };
        match self.http().get(&path, Accept::Object).await {
            Ok(answer) => {
                let mut found: Value =
                    serde_json::from_slice(&answer.body).map_err(|error| error.to_string())?;
                name_kinds(&mut found, gvk);
                Ok(chart::floats(found))
            }
            Err(failure) if failure.is_not_found() => Ok(empty),
            Err(failure) => Err(failure.message),
        }
    }
}

/// Items of a list come without kind and version.
fn name_kinds(found: &mut Value, gvk: &Gvk) {
    for item in found.get_mut("items").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(item) = item.as_object_mut()
            && !item.contains_key("kind")
        {
            item.insert("apiVersion".to_owned(), gvk.api_version().into());
            item.insert("kind".to_owned(), gvk.kind.clone().into());
        }
    }
}

fn speaks_of_capabilities(chart: &Chart) -> bool {
    chart.templates.iter().any(|file| mentions(&file.data))
        || chart.dependencies.iter().any(speaks_of_capabilities)
}

fn mentions(text: &[u8]) -> bool {
    const WORD: &[u8] = b"Capabilities";
    text.windows(WORD.len()).any(|window| window == WORD)
}

/// As Go writes group, version and kind.
pub(crate) fn gvk_text(gvk: &Gvk) -> String {
    format!("{}/{}, Kind={}", gvk.group, gvk.version, gvk.kind)
}

/// The resource of an object, as errors name it.
pub(crate) fn identity(resource: &Resource, object: &ObjectRef) -> String {
    format!("{}/{} {}", object.namespace, object.name, gvk_text(&resource.gvk))
}
