//! Observe: the source and the dependencies of an object, from what the watches have told.

use std::sync::Arc;

use api::kustomize::Kustomization;
use runtime::Key;

use super::Kustomizations;
use super::gate::{Dependency, Source, namespace, not_found, source_namespace};

impl Kustomizations {
    pub(super) async fn look(&self, object: &Kustomization) -> (Source, Vec<Dependency>) {
        let reference = &object.spec.source_ref;
        let source =
            self.sources.get(reference.kind, &Key::new(source_namespace(object), &reference.name)).await;
        if !matches!(source, Source::Produced(_)) {
            // The gate stops there, before any dependency.
            return (source, Vec::new());
        }
        let mut dependencies = Vec::with_capacity(object.spec.depends_on.len());
        for reference in &object.spec.depends_on {
            let own = namespace(object);
            let namespace = reference.namespace.as_deref().filter(|n| !n.is_empty()).unwrap_or(own);
            let key = Key::new(namespace, &reference.name);
            dependencies.push(Dependency {
                namespace: namespace.to_owned(),
                name: reference.name.clone(),
                ready_expr: reference.ready_expr.clone(),
                object: self.dependency(&key).await,
                cycle: self.index().cycle(&Key::of(object), &key),
            });
        }
        (source, dependencies)
    }

    /// From the watch; one that is not there may belong to another shard, so the API server has the last word.
    async fn dependency(&self, key: &Key) -> Result<Arc<Kustomization>, String> {
        if let Some(known) = self.store.get(key) {
            return Ok(known);
        }
        let path = runtime::client::object_path::<Kustomization>(key);
        match runtime::client::get::<Kustomization>(&self.client, &path).await {
            Ok(Some(found)) => Ok(Arc::new(found)),
            Ok(None) => Err(not_found("kustomizations.kustomize.toolkit.fluxcd.io", key.name())),
            Err(error) => Err(error.to_string()),
        }
    }
}
