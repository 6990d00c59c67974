//! `Chart.yaml`

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::archive::{ArchiveLimits, unpack_some};
use crate::decode::{self, Shape, Struct};
use crate::error::Error;
use crate::load::overlay;
use crate::time::Time;

/// What a chart says of itself. The order of the fields is that of Helm's JSON.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Metadata {
    /// Name; sub-charts with an alias have that.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Web page of the project.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub home: String,
    /// Where the sources are.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "strings")]
    pub sources: Vec<String>,
    /// Version of the chart.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// What it is, in a sentence.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Keywords.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "strings")]
    pub keywords: Vec<String>,
    /// Who looks after it; a null is only possible before validation.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "list")]
    pub maintainers: Vec<Option<Maintainer>>,
    /// URL of a picture.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub icon: String,
    /// `v1` or `v2`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub api_version: String,
    /// Not used by Helm.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub condition: String,
    /// Not used by Helm.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub tags: String,
    /// Version of what it installs.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub app_version: String,
    /// No longer looked after.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub deprecated: bool,
    /// Further remarks.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "map")]
    pub annotations: BTreeMap<String, String>,
    /// Range of Kubernetes versions.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kube_version: String,
    /// Sub-charts; a null is only possible before validation.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "list")]
    pub dependencies: Vec<Option<Dependency>>,
    /// `application` (the default) or `library`.
    #[serde(rename = "type", skip_serializing_if = "String::is_empty")]
    pub kind: String,
}

/// Somebody who looks after a chart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Maintainer {
    /// Name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Address.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub email: String,
    /// Web page.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub url: String,
}

/// A sub-chart that a chart asks for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Dependency {
    /// Name; once dependencies are processed, the alias if there is one.
    pub name: String,
    /// Range of versions.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// Where it comes from.
    pub repository: String,
    /// Paths of values, separated by commas; the first that is a boolean decides.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub condition: String,
    /// Tags that enable or disable it.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "strings")]
    pub tags: Vec<String>,
    /// Set when dependencies are processed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub enabled: bool,
    /// Values that the parent takes from it: names of exports, or maps with `child` and `parent`.
    #[serde(rename = "import-values", skip_serializing_if = "Vec::is_empty", deserialize_with = "list")]
    pub import_values: Vec<Json>,
    /// Another name, so that a chart can stand there twice.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub alias: String,
}

/// `Chart.lock`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lock {
    /// When it was written.
    #[serde(default = "Time::zero")]
    pub generated: Time,
    /// Hash of the dependencies in `Chart.yaml`.
    #[serde(default)]
    pub digest: String,
    /// What was chosen.
    #[serde(default)]
    pub dependencies: Option<Vec<Option<Dependency>>>,
}

fn list<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

fn strings<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let found: Option<Vec<Option<String>>> = Option::deserialize(deserializer)?;
    Ok(found.unwrap_or_default().into_iter().map(Option::unwrap_or_default).collect())
}

fn map<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

pub(crate) const METADATA: Struct = Struct {
    name: "Metadata",
    package: "v2.",
    fields: &[
        ("name", Shape::Text),
        ("home", Shape::Text),
        ("sources", Shape::List(&Shape::Text)),
        ("version", Shape::Text),
        ("description", Shape::Text),
        ("keywords", Shape::List(&Shape::Text)),
        ("maintainers", Shape::List(&Shape::Struct(&MAINTAINER))),
        ("icon", Shape::Text),
        ("apiVersion", Shape::Text),
        ("condition", Shape::Text),
        ("tags", Shape::Text),
        ("appVersion", Shape::Text),
        ("deprecated", Shape::Bool),
        ("annotations", Shape::Map(&Shape::Text)),
        ("kubeVersion", Shape::Text),
        ("dependencies", Shape::List(&Shape::Struct(&DEPENDENCY))),
        ("type", Shape::Text),
    ],
};

const MAINTAINER: Struct = Struct {
    name: "Maintainer",
    package: "v2.",
    fields: &[("name", Shape::Text), ("email", Shape::Text), ("url", Shape::Text)],
};

const DEPENDENCY: Struct = Struct {
    name: "Dependency",
    package: "v2.",
    fields: &[
        ("name", Shape::Text),
        ("version", Shape::Text),
        ("repository", Shape::Text),
        ("condition", Shape::Text),
        ("tags", Shape::List(&Shape::Text)),
        ("enabled", Shape::Bool),
        ("import-values", Shape::List(&Shape::Any)),
        ("alias", Shape::Text),
    ],
};

pub(crate) const LOCK: Struct = Struct {
    name: "Lock",
    package: "v2.",
    fields: &[
        ("generated", Shape::Text),
        ("digest", Shape::Text),
        ("dependencies", Shape::List(&Shape::Struct(&DEPENDENCY))),
    ],
};

impl Metadata {
    pub(crate) fn from_fields(fields: Map<String, Json>) -> Result<Metadata, String> {
        serde_json::from_value(Json::Object(fields)).map_err(|error| error.to_string())
    }

    /// Reads `Chart.yaml`, and over it `requirements.yaml` if there is one. Nothing is checked, see
    /// [`Metadata::validate`].
    ///
    /// # Errors
    /// A file that is no YAML, or holds something else than metadata.
    pub fn read(chart: &[u8], requirements: Option<&[u8]>) -> Result<Metadata, Error> {
        let read = |name: &str, text: &[u8]| {
            let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
            decode::read(text, &METADATA)
                .map_err(|problem| Error::Load(format!("cannot load '{name}': {problem}")))
        };
        let mut fields = read("Chart.yaml", chart)?;
        if let Some(requirements) = requirements {
            overlay(&mut fields, read("requirements.yaml", requirements)?);
        }
        let mut metadata = Metadata::from_fields(fields).map_err(Error::Load)?;
        if metadata.api_version.is_empty() {
            "v1".clone_into(&mut metadata.api_version);
        }
        Ok(metadata)
    }

    /// Reads the metadata of a chart in an archive. Nothing is checked.
    ///
    /// # Errors
    /// An archive that cannot be unpacked or has no `Chart.yaml`, and as [`Metadata::read`].
    pub fn from_archive(bytes: &[u8], limits: &ArchiveLimits) -> Result<Metadata, Error> {
        let is_wanted = |name: &str| matches!(name, "Chart.yaml" | "requirements.yaml");
        let files = unpack_some(bytes, limits, is_wanted, |_| {})?;
        let find = |name: &str| files.iter().find(|file| file.name == name).map(|file| &*file.data);
        let chart = find("Chart.yaml").ok_or_else(|| Error::Load("no 'Chart.yaml' found".to_owned()))?;
        Metadata::read(chart, find("requirements.yaml"))
    }

    /// True for charts that only lend their named templates.
    #[must_use]
    pub fn is_library(&self) -> bool {
        self.kind.eq_ignore_ascii_case("library")
    }

    /// Cleans the texts of control characters and checks the fields.
    ///
    /// # Errors
    /// The first field that says what it must not say.
    pub fn validate(&mut self) -> Result<(), Error> {
        let texts = [
            &mut self.name,
            &mut self.description,
            &mut self.home,
            &mut self.icon,
            &mut self.condition,
            &mut self.tags,
            &mut self.app_version,
            &mut self.kube_version,
        ];
        texts.into_iter().chain(&mut self.sources).chain(&mut self.keywords).for_each(clean);
        let fail = |problem: String| Err(Error::Metadata(problem));
        if self.api_version.is_empty() {
            return fail("chart.metadata.apiVersion is required".to_owned());
        }
        let name = &self.name;
        if name.is_empty() {
            return fail("chart.metadata.name is required".to_owned());
        }
        if name == "." || name == ".." {
            return fail(format!("chart.metadata.name {name:?} is not allowed"));
        }
        if name.contains('/') {
            let name = gotemplate::quote(name.as_bytes());
            return fail(format!("chart.metadata.name {name} is invalid"));
        }
        if self.version.is_empty() {
            return fail("chart.metadata.version is required".to_owned());
        }
        if semver::Version::parse(&self.version).is_err() {
            let version = gotemplate::quote(self.version.as_bytes());
            return fail(format!("chart.metadata.version {version} is invalid"));
        }
        if !matches!(&*self.kind, "" | "application" | "library") {
            return fail("chart.metadata.type must be application or library".to_owned());
        }
        for maintainer in &mut self.maintainers {
            let Some(Maintainer { name, email, url }) = maintainer else {
                return fail("maintainers must not contain empty or null nodes".to_owned());
            };
            [name, email, url].into_iter().for_each(clean);
        }
        let mut seen: Vec<&str> = Vec::new();
        for dependency in &mut self.dependencies {
            let Some(dependency) = dependency else {
                return fail("dependencies must not contain empty or null nodes".to_owned());
            };
            dependency.validate()?;
            let key = if dependency.alias.is_empty() { &dependency.name } else { &dependency.alias };
            if seen.contains(&key.as_str()) {
                let key = gotemplate::quote(key.as_bytes());
                return fail(format!("{REPEATED_DEPENDENCY} {key}"));
            }
            seen.push(key);
        }
        Ok(())
    }
}

impl Dependency {
    fn validate(&mut self) -> Result<(), Error> {
        let texts = [&mut self.name, &mut self.version, &mut self.repository, &mut self.condition];
        texts.into_iter().chain(&mut self.tags).for_each(clean);
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        if !self.alias.bytes().all(allowed) {
            let name = gotemplate::quote(self.name.as_bytes());
            let problem = format!("dependency {name} has disallowed characters in the alias");
            return Err(Error::Metadata(problem));
        }
        Ok(())
    }
}

/// How the problem with a dependency that stands there twice begins.
pub(crate) const REPEATED_DEPENDENCY: &str = "more than one dependency with name or alias";

/// Every kind of space becomes a plain one, and what cannot be printed goes.
fn clean(text: &mut String) {
    let plain = |c: char| c == ' ' || (!c.is_whitespace() && gotemplate::printable(c));
    if !text.chars().all(plain) {
        let spaced = text.chars().map(|c| if c.is_whitespace() { ' ' } else { c });
        *text = spaced.filter(|c| plain(*c)).collect();
    }
}
