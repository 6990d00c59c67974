use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use object::{GroupKind, Gvk, ObjectRef};
use serde::Deserialize;
use tokio::time::Instant;

use crate::failure::Failure;
use crate::http::{Accept, Http};
use crate::lock;

/// A kind as the API server serves it.
#[derive(Debug, PartialEq, Eq)]
pub struct Resource {
    /// The kind.
    pub gvk: Gvk,
    /// `/api/v1` or `/apis/<group>/<version>`.
    base: String,
    plural: String,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
}

impl Resource {
    /// A kind that a definition will make the API server serve.
    pub fn new(gvk: Gvk, plural: &str, namespaced: bool) -> Self {
        let base = match gvk.group.as_str() {
            "" => format!("/api/{}", gvk.version),
            group => format!("/apis/{group}/{}", gvk.version),
        };
        Resource { gvk, base, plural: plural.to_owned(), namespaced }
    }

    /// The path of all objects, in one namespace or (with an empty one) in the cluster.
    pub fn collection(&self, namespace: &str) -> String {
        if self.namespaced && !namespace.is_empty() {
            format!("{}/namespaces/{namespace}/{}", self.base, self.plural)
        } else {
            format!("{}/{}", self.base, self.plural)
        }
    }

    /// The path of one object.
    pub fn item(&self, object: &ObjectRef) -> String {
        let name = segment(&object.name);
        format!("{}/{name}", self.collection(&object.namespace))
    }

    /// The object as this kind's scope has it: a cluster-scoped one has no namespace.
    pub fn scoped(&self, object: &ObjectRef) -> ObjectRef {
        let mut scoped = object.clone();
        if !self.namespaced {
            scoped.namespace.clear();
        }
        scoped
    }
}

/// A name as a path segment. RBAC names may hold colons, which need no escape, and rarely other characters.
fn segment(name: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b':' | b'~');
    let mut escaped = String::with_capacity(name.len());
    for byte in name.bytes() {
        if plain(byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

/// Why a kind could not be resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoMapping {
    /// The API server answers well and does not serve the kind.
    NoMatch(Gvk),
    /// The group's own server is away, so nothing is known about its kinds.
    GroupDown(Gvk),
    /// Discovery failed.
    Discovery(Failure),
}

impl std::fmt::Display for NoMapping {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoMatch(gvk) => {
                write!(f, "no matches for kind \"{}\" in version \"{}\"", gvk.kind, gvk.api_version())
            }
            Self::GroupDown(gvk) => write!(
                f,
                "no matches for kind \"{}\" in version \"{}\": the API server of the group does not answer",
                gvk.kind,
                gvk.api_version()
            ),
            Self::Discovery(failure) => write!(f, "API discovery failed: {failure}"),
        }
    }
}

#[derive(Default)]
struct Index {
    resources: HashMap<Gvk, Arc<Resource>>,
    /// The version the server prefers, by group and kind.
    preferred: HashMap<GroupKind, Arc<Resource>>,
    stale_groups: Vec<String>,
    /// `group/version` and `group/version/Kind`, those of subresources included.
    versions: BTreeSet<String>,
    /// The entity tags of the two documents.
    tags: [String; 2],
}

/// Which kinds an API server serves: read once, read again when a kind is not found or after definitions were applied.
pub struct Mapping {
    http: Http,
    index: Mutex<Option<(Arc<Index>, Instant)>>,
    reading: tokio::sync::Mutex<()>,
    version: Mutex<Option<(ServerVersion, Instant)>>,
}

/// The version of an API server, as it tells it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ServerVersion {
    /// The whole version, such as `v1.35.4`.
    #[serde(rename = "gitVersion")]
    pub git: String,
    /// First number.
    #[serde(default)]
    pub major: String,
    /// Second number; some add a `+`.
    #[serde(default)]
    pub minor: String,
}

/// A server is upgraded so rarely that its version may be this old.
const VERSION_FOR: Duration = Duration::from_secs(600);

/// A kind that is not found makes discovery run again, at most this often.
const REFRESH_EVERY: Duration = Duration::from_secs(1);

impl Mapping {
    pub(crate) fn new(http: Http) -> Self {
        Self {
            http,
            index: Mutex::new(None),
            reading: tokio::sync::Mutex::new(()),
            version: Mutex::new(None),
        }
    }

    /// Forgets what was read, so that the next question reads again.
    pub fn invalidate(&self) {
        *lock(&self.index) = None;
    }

    /// The server's version; it may be ten minutes old.
    ///
    /// # Errors
    /// When the server does not tell.
    pub async fn server_version(&self) -> Result<ServerVersion, Failure> {
        if let Some((version, at)) = lock(&self.version).as_ref()
            && at.elapsed() < VERSION_FOR
        {
            return Ok(version.clone());
        }
        let answer = self.http.get("/version", Accept::Object).await?;
        let version: ServerVersion = serde_json::from_slice(&answer.body)
            .map_err(|e| Failure::transport(format!("/version: cannot read the answer: {e}")))?;
        *lock(&self.version) = Some((version.clone(), Instant::now()));
        Ok(version)
    }

    /// What the server serves, as `group/version` and `group/version/Kind`, sorted: no older than `within`. Asking again
    /// costs little while nothing changed.
    ///
    /// # Errors
    /// When discovery fails.
    pub async fn api_versions(&self, within: Duration) -> Result<Vec<String>, Failure> {
        let seen = lock(&self.index).clone();
        let index = match seen {
            Some((index, at)) if at.elapsed() < within => index,
            _ => self.read_after(Instant::now()).await?,
        };
        Ok(index.versions.iter().cloned().collect())
    }

    /// The resource of exactly this group, version and kind.
    ///
    /// # Errors
    /// When the server does not serve it, or discovery fails.
    pub async fn resolve(&self, gvk: &Gvk) -> Result<Arc<Resource>, NoMapping> {
        self.find(gvk, |index| index.resources.get(gvk).cloned()).await
    }

    /// The resource in the given version or, when that is not served any more, in the preferred one.
    ///
    /// # Errors
    /// As [`Mapping::resolve`].
    pub async fn resolve_any_version(&self, gvk: &Gvk) -> Result<Arc<Resource>, NoMapping> {
        let group_kind = gvk.group_kind();
        self.find(gvk, |index| index.resources.get(gvk).or_else(|| index.preferred.get(&group_kind)).cloned())
            .await
    }

    /// The resource in the version that the server prefers.
    ///
    /// # Errors
    /// As [`Mapping::resolve`].
    pub async fn resolve_preferred(&self, gvk: &Gvk) -> Result<Arc<Resource>, NoMapping> {
        let group_kind = gvk.group_kind();
        self.find(gvk, |index| index.preferred.get(&group_kind).cloned()).await
    }

    async fn find(
        &self,
        gvk: &Gvk,
        look: impl Fn(&Index) -> Option<Arc<Resource>>,
    ) -> Result<Arc<Resource>, NoMapping> {
        let seen = lock(&self.index).clone();
        if let Some((index, at)) = seen {
            if let Some(found) = look(&index) {
                return Ok(found);
            }
            if at.elapsed() < REFRESH_EVERY {
                return Err(no_match(&index, gvk));
            }
        }
        let asked = Instant::now();
        let index = self.read_after(asked).await.map_err(NoMapping::Discovery)?;
        look(&index).ok_or_else(|| no_match(&index, gvk))
    }

    /// An index read no earlier than `asked`; many askers share one reading.
    async fn read_after(&self, asked: Instant) -> Result<Arc<Index>, Failure> {
        let _one = self.reading.lock().await;
        if let Some((index, at)) = lock(&self.index).as_ref()
            && *at >= asked
        {
            return Ok(index.clone());
        }
        let started = Instant::now();
        let known = lock(&self.index).as_ref().map(|(index, _)| index.clone());
        let tags = known.as_ref().map(|index| index.tags.clone()).unwrap_or_default();
        let mut documents = Vec::with_capacity(2);
        for (root, tag) in ["/api", "/apis"].into_iter().zip(&tags) {
            documents.push((root, self.http.get_changed(root, Accept::Discovery, tag).await?));
        }
        if let Some(known) = known
            && documents.iter().all(|(_, changed)| changed.is_none())
        {
            *lock(&self.index) = Some((known.clone(), started));
            return Ok(known);
        }
        let (mut index, mut index_tags) = (Index::default(), <[String; 2]>::default());
        for ((root, changed), kept) in documents.into_iter().zip(&mut index_tags) {
            let (body, tag) = match changed {
                Some(changed) => changed,
                // The other one changed: this one is read again, too.
                None => self.http.get_changed(root, Accept::Discovery, "").await?.unwrap_or_default(),
            };
            let list: DiscoveryList = serde_json::from_slice(&body).map_err(|e| {
                Failure::transport(format!("{root}: cannot read the discovery document: {e}"))
            })?;
            if list.kind != "APIGroupDiscoveryList" {
                return Err(Failure::transport(format!(
                    "{root}: the API server does not offer aggregated discovery (Kubernetes 1.27 or later is needed)"
                )));
            }
            index.add(list);
            *kept = tag;
        }
        index.tags = index_tags;
        let index = Arc::new(index);
        *lock(&self.index) = Some((index.clone(), started));
        Ok(index)
    }
}

fn no_match(index: &Index, gvk: &Gvk) -> NoMapping {
    if index.stale_groups.contains(&gvk.group) {
        NoMapping::GroupDown(gvk.clone())
    } else {
        NoMapping::NoMatch(gvk.clone())
    }
}

impl Index {
    fn add(&mut self, list: DiscoveryList) {
        for group in list.items.into_iter().flatten() {
            let name = group.metadata.name;
            for version in group.versions.into_iter().flatten() {
                let name_version = match name.as_str() {
                    "" => version.version.clone(),
                    group => format!("{group}/{}", version.version),
                };
                self.versions.insert(name_version.clone());
                if version.freshness == "Stale" {
                    self.stale_groups.push(name.clone());
                }
                for found in version.resources.into_iter().flatten() {
                    let below = found.subresources.iter().flatten().map(|sub| &sub.response_kind);
                    for kind in below.chain([&found.response_kind]).flatten().filter(|k| !k.kind.is_empty()) {
                        self.versions.insert(format!("{name_version}/{}", kind.kind));
                    }
                    let Some(kind) = found.response_kind.map(|k| k.kind).filter(|k| !k.is_empty()) else {
                        continue;
                    };
                    let gvk = Gvk { group: name.clone(), version: version.version.clone(), kind };
                    let base = if name.is_empty() {
                        format!("/api/{}", version.version)
                    } else {
                        format!("/apis/{name}/{}", version.version)
                    };
                    let resource = Arc::new(Resource {
                        gvk: gvk.clone(),
                        base,
                        plural: found.resource,
                        namespaced: found.scope == "Namespaced",
                    });
                    self.preferred.entry(gvk.group_kind()).or_insert_with(|| resource.clone());
                    self.resources.entry(gvk).or_insert(resource);
                }
            }
        }
    }
}

#[derive(Deserialize)]
struct DiscoveryList {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    items: Option<Vec<Group>>,
}

#[derive(Deserialize)]
struct Group {
    #[serde(default)]
    metadata: Name,
    #[serde(default)]
    versions: Option<Vec<Version>>,
}

#[derive(Deserialize, Default)]
struct Name {
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
struct Version {
    version: String,
    #[serde(default)]
    resources: Option<Vec<Found>>,
    #[serde(default)]
    freshness: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    resource: String,
    response_kind: Option<Kind>,
    #[serde(default)]
    scope: String,
    subresources: Option<Vec<Sub>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sub {
    response_kind: Option<Kind>,
}

#[derive(Deserialize)]
struct Kind {
    #[serde(default)]
    kind: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn index() -> Index {
        let list = json!({"kind": "APIGroupDiscoveryList", "items": [
            {"metadata": {"creationTimestamp": null}, "versions": [{"version": "v1", "freshness": "Current", "resources": [
                {"resource": "configmaps", "responseKind": {"group": "", "version": "", "kind": "ConfigMap"}, "scope": "Namespaced"},
                {"resource": "namespaces", "responseKind": {"kind": "Namespace"}, "scope": "Cluster"}]}]},
            {"metadata": {"name": "autoscaling"}, "versions": [
                {"version": "v2", "resources": [{"resource": "horizontalpodautoscalers", "responseKind": {"kind": "HorizontalPodAutoscaler"}, "scope": "Namespaced"}]},
                {"version": "v1", "resources": [{"resource": "horizontalpodautoscalers", "responseKind": {"kind": "HorizontalPodAutoscaler"}, "scope": "Namespaced"}]}]},
            {"metadata": {"name": "metrics.k8s.io"}, "versions": [{"version": "v1beta1", "freshness": "Stale", "resources": []}]},
        ]});
        let mut index = Index::default();
        index.add(serde_json::from_value(list).unwrap());
        index
    }

    #[test]
    fn paths() {
        let index = index();
        let map = &index.resources[&Gvk::new("v1", "ConfigMap")];
        let object = ObjectRef { gvk: map.gvk.clone(), namespace: "a".into(), name: "b:c%d".into() };
        assert_eq!(map.item(&object), "/api/v1/namespaces/a/configmaps/b:c%25d");
        assert_eq!(map.collection(""), "/api/v1/configmaps");
        let namespace = &index.resources[&Gvk::new("v1", "Namespace")];
        assert_eq!(namespace.item(&object), "/api/v1/namespaces/b:c%25d");
        assert_eq!(namespace.scoped(&object).namespace, "");
    }

    #[test]
    fn the_first_version_is_preferred() {
        let index = index();
        let hpa = GroupKind::new("autoscaling", "HorizontalPodAutoscaler");
        assert_eq!(index.preferred[&hpa].gvk.version, "v2");
        assert!(index.resources.contains_key(&Gvk::new("autoscaling/v1", "HorizontalPodAutoscaler")));
    }

    #[test]
    fn a_stale_group_is_not_a_missing_kind() {
        let index = index();
        let gvk = Gvk::new("metrics.k8s.io/v1beta1", "PodMetrics");
        assert_eq!(no_match(&index, &gvk), NoMapping::GroupDown(gvk));
        let gvk = Gvk::new("example.com/v1", "Widget");
        let missing = no_match(&index, &gvk);
        assert_eq!(missing.to_string(), "no matches for kind \"Widget\" in version \"example.com/v1\"");
    }
}
