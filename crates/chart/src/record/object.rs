//! The Secret or ConfigMap that a record lies in.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};

use super::Release;
use crate::error::Error;

/// Where records lie.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Driver {
    /// Secrets of type `helm.sh/release.v1`: Helm's default.
    #[default]
    Secret,
    /// ConfigMaps.
    ConfigMap,
}

/// What is done with a record, and when, in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stamp {
    /// It is new.
    Created(i64),
    /// It is changed.
    Modified(i64),
}

/// Labels that Helm sets itself.
pub const SYSTEM_LABELS: [&str; 6] = ["name", "owner", "status", "version", "createdAt", "modifiedAt"];

/// Checks labels that a user wants on records.
///
/// # Errors
/// When one of them is Helm's own.
pub fn check_labels(labels: &BTreeMap<String, String>) -> Result<(), Error> {
    if labels.keys().any(|key| SYSTEM_LABELS.contains(&key.as_str())) {
        return Err(Error::Record(format!(
            "user supplied labels contains system reserved label name. System labels: [{}]",
            SYSTEM_LABELS.join(" ")
        )));
    }
    Ok(())
}

impl Release {
    /// Name of the object with this record.
    #[must_use]
    pub fn object_name(&self) -> String {
        format!("sh.helm.release.v1.{}.v{}", self.name, self.version)
    }

    /// The labels of the object, by which Helm finds it.
    #[must_use]
    pub fn object_labels(&self, stamp: Stamp) -> BTreeMap<String, String> {
        let mut labels = self.labels.clone();
        let mut set = |key: &str, value: String| labels.insert(key.to_owned(), value);
        match stamp {
            Stamp::Created(seconds) => set("createdAt", seconds.to_string()),
            Stamp::Modified(seconds) => set("modifiedAt", seconds.to_string()),
        };
        set("name", self.name.clone());
        set("owner", "helm".to_owned());
        set("status", self.info.status.as_str().to_owned());
        set("version", self.version.to_string());
        labels
    }

    /// The object with this record, in the namespace of the storage.
    ///
    /// # Errors
    /// What cannot be written.
    pub fn object(&self, driver: Driver, namespace: &str, stamp: Stamp) -> Result<Json, Error> {
        let text = self.encode()?;
        let mut object = json!({
            "apiVersion": "v1",
            "metadata": {
                "name": self.object_name(),
                "namespace": namespace,
                "labels": self.object_labels(stamp),
            },
        });
        let fields = match driver {
            Driver::Secret => json!({
                "kind": "Secret",
                "type": "helm.sh/release.v1",
                // The API has the data of Secrets in base64 once more.
                "data": {"release": STANDARD.encode(text)},
            }),
            Driver::ConfigMap => json!({"kind": "ConfigMap", "data": {"release": text}}),
        };
        if let (Json::Object(object), Json::Object(fields)) = (&mut object, fields) {
            object.extend(fields);
        }
        Ok(object)
    }

    /// Reads the record in an object, and its labels apart from Helm's own.
    ///
    /// # Errors
    /// An object without a record, or with one that cannot be read.
    pub fn from_object(object: &Json) -> Result<Release, Error> {
        let name = object.pointer("/metadata/name").and_then(Json::as_str).unwrap_or("?");
        let problem = |what: String| Error::Record(format!("{name}: {what}"));
        let data = object.pointer("/data/release").and_then(Json::as_str);
        let data = data.ok_or_else(|| problem("has no data.release".to_owned()))?;
        let text = if object.get("kind").and_then(Json::as_str) == Some("ConfigMap") {
            data.to_owned()
        } else {
            let bytes = STANDARD.decode(data).map_err(|error| problem(format!("data.release: {error}")))?;
            String::from_utf8(bytes).map_err(|error| problem(format!("data.release: {error}")))?
        };
        let mut release = Release::decode(&text).map_err(|error| problem(error.to_string()))?;
        let labels = object.pointer("/metadata/labels").and_then(Json::as_object);
        for (key, value) in labels.into_iter().flatten() {
            if !SYSTEM_LABELS.contains(&key.as_str()) {
                release.labels.insert(key.clone(), value.as_str().unwrap_or_default().to_owned());
            }
        }
        Ok(release)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_carry_records_both_ways() {
        let mut release = Release { name: "shop".into(), version: 7, ..Release::default() };
        release.labels.insert("team".into(), "a".into());
        for driver in [Driver::Secret, Driver::ConfigMap] {
            let object = release.object(driver, "store", Stamp::Created(5)).unwrap();
            assert_eq!(object["metadata"]["name"], "sh.helm.release.v1.shop.v7");
            assert_eq!(
                object["metadata"]["labels"],
                json!({"createdAt": "5", "name": "shop", "owner": "helm", "status": "unknown", "team": "a", "version": "7"})
            );
            assert_eq!(Release::from_object(&object).unwrap(), release);
        }
        assert!(check_labels(&release.labels).is_ok());
        release.labels.insert("owner".into(), "me".into());
        assert!(check_labels(&release.labels).is_err());
        assert!(Release::from_object(&json!({"data": {}})).is_err());
    }
}
