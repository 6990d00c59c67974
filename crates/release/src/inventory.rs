//! What a release consists of, as `status.inventory` lists it.

use apply::NoMapping;
use chart::{Chart, Release};
use object::{InventoryEntry, ObjectRef};
use serde_json::Value;

use crate::cluster::Cluster;
use crate::error::Error;
use crate::objects::read;

/// The objects of a release's manifest, without hooks, then the definitions of its chart. The second part names kinds
/// whose scope is unknown: their objects are listed as they stand in the manifest.
///
/// # Errors
/// When the manifest or a definition cannot be read.
pub async fn inventory(
    cluster: &Cluster,
    release: &Release,
    chart: Option<&Chart>,
) -> Result<(Vec<InventoryEntry>, Vec<String>), Error> {
    let (mut entries, mut warnings) = (Vec::new(), Vec::new());
    let objects = read(&release.manifest)
        .map_err(|problem| Error::Build(format!("failed to parse manifest: {problem}")))?;
    for object in &objects {
        if object::annotation(object, "helm.sh/hook").is_some() {
            continue;
        }
        let mut reference = reference(object);
        if reference.namespace.is_empty() {
            match cluster.mapping().resolve(&reference.gvk).await {
                Ok(resource) if resource.namespaced => reference.namespace.clone_from(&release.namespace),
                Ok(_) => {}
                Err(NoMapping::Discovery(failure)) => return Err(Error::of(&failure, Error::Build)),
                Err(missing) => warnings.push(format!(
                    "failed to determine if {} is namespace scoped, skipping namespace: {missing}",
                    reference.gvk.kind
                )),
            }
        }
        entries.push(InventoryEntry::of(&reference));
    }
    for (path, file) in chart.map(Chart::crds).unwrap_or_default() {
        let objects = read(&String::from_utf8_lossy(&file.data))
            .map_err(|problem| Error::Build(format!("failed to parse CRD {path}: {problem}")))?;
        entries.extend(objects.iter().map(|object| InventoryEntry::of(&reference(object))));
    }
    Ok((entries, warnings))
}

fn reference(object: &Value) -> ObjectRef {
    let text = |path: &[&str]| object::string_at(object, path).unwrap_or_default().to_owned();
    ObjectRef {
        gvk: object::Gvk::new(&text(&["apiVersion"]), &text(&["kind"])),
        namespace: text(&["metadata", "namespace"]),
        name: text(&["metadata", "name"]),
    }
}
