//! Charts into manifests.

use std::collections::BTreeMap;

use gotemplate::Value;
use sprig::Templates;

use crate::capabilities::Capabilities;
use crate::context::{ReleaseOptions, Scopes};
use crate::error::Error;
use crate::load::Chart;
use crate::schema;
use crate::values::{Nulls, Table, Warnings, coalesce_values, to_table};

/// Whether the values are checked against the schemas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaCheck {
    /// They are.
    Validate,
    /// They are not.
    Skip,
}

/// What to render a chart with, apart from its values.
#[derive(Debug, Clone)]
pub struct Request {
    /// `.Release`
    pub release: ReleaseOptions,
    /// `.Capabilities`
    pub capabilities: Capabilities,
    /// Whether schemas count.
    pub schemas: SchemaCheck,
}

/// Rendered files by their full paths, `NOTES.txt` included, partials not.
pub type Files = BTreeMap<String, Vec<u8>>;

impl Chart {
    /// The values that templates will see: the user's over the defaults, checked against the schemas.
    ///
    /// # Errors
    /// Values of the wrong shape, or such as a schema does not allow.
    pub fn render_values(
        &self,
        user: &Table,
        schemas: SchemaCheck,
        warnings: &mut Warnings,
    ) -> Result<Value, Error> {
        let values = coalesce_values(self, &to_table(user), Nulls::Delete, warnings)?;
        if schemas == SchemaCheck::Validate {
            schema::validate(self, &values).map_err(Error::Schema)?;
        }
        Ok(values)
    }

    /// Renders every template of the chart, whose dependencies must have been processed, and of its sub-charts.
    ///
    /// Templates can nest deeply: call this within [`sprig::with_stack`].
    ///
    /// # Errors
    /// Values that do not fit, a cluster that the chart does not support, a template that fails.
    ///
    /// ```
    /// use chart::{Action, ArchiveLimits, Capabilities, Chart, ReleaseOptions, Request, SchemaCheck, Table};
    ///
    /// let files = [
    ///     ("Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0\n"),
    ///     ("values.yaml", "replicas: 2\n"),
    ///     ("templates/web.yaml", "name: {{ .Release.Name }}-{{ .Chart.Name }}\nreplicas: {{ .Values.replicas }}\n"),
    /// ];
    /// let mut chart = Chart::from_folder(&files, &ArchiveLimits::default())?;
    /// let (user, mut warnings) = (Table::new(), Vec::new());
    /// chart.process_dependencies(&user, &mut warnings)?;
    /// let request = Request {
    ///     release: ReleaseOptions {
    ///         name: "shop".to_owned(),
    ///         namespace: "default".to_owned(),
    ///         revision: 1,
    ///         action: Action::Install,
    ///     },
    ///     capabilities: Capabilities::default(),
    ///     schemas: SchemaCheck::Validate,
    /// };
    /// let options = sprig::Options::new(0, [7; 32]);
    /// let rendered = chart.render(&user, &request, options, &mut warnings)?;
    /// assert_eq!(rendered["web/templates/web.yaml"], b"name: shop-web\nreplicas: 2\n");
    /// # Ok::<(), chart::Error>(())
    /// ```
    pub fn render(
        &self,
        user: &Table,
        request: &Request,
        options: sprig::Options,
        warnings: &mut Warnings,
    ) -> Result<Files, Error> {
        let values = self.render_values(user, request.schemas, warnings)?;
        let range = &self.metadata.kube_version;
        if !range.is_empty() && !request.capabilities.admits(range) {
            let version = request.capabilities.kube_version.version.clone();
            return Err(Error::KubeVersion { range: range.clone(), version });
        }
        self.render_templates(&values, request, options)
    }

    /// Renders with values that are ready.
    ///
    /// # Errors
    /// A template that cannot be parsed, or fails.
    pub fn render_templates(
        &self,
        values: &Value,
        request: &Request,
        options: sprig::Options,
    ) -> Result<Files, Error> {
        let scopes = Scopes::new(self, values, &request.release, &request.capabilities);
        let files = scopes.templates.iter().map(|(path, (text, _))| (path.as_str(), *text));
        let failed = |error: sprig::Error| Error::Render(error.to_string());
        let templates = Templates::compile(files).map_err(failed)?;
        let scope = |path: &str| {
            scopes.of(path).unwrap_or_else(|| sprig::Scope {
                context: Value::dict(BTreeMap::new()),
                base_path: String::new(),
            })
        };
        templates.render(scope, options).map_err(failed)
    }
}
