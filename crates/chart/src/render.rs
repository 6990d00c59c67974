//! Charts into manifests.

use std::collections::BTreeMap;
use std::sync::{Arc, mpsc};

use gotemplate::Value;
use sprig::{Beside, Compiling, Templates};

use crate::capabilities::Capabilities;
use crate::context::{ReleaseOptions, Scopes, templates};
use crate::error::Error;
use crate::load::Chart;
use crate::schema;
use crate::values::{Nulls, Table, Warnings, coalesce, template_values};

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

/// From how many bytes on a second thread helps to compile the templates, first while the values are made ready: that
/// takes milliseconds then, a thread some ten microseconds.
const WORTH_A_THREAD: usize = 96 << 10;
/// From how many bytes on schemas are checked by that thread, while the templates are rendered.
const SCHEMA_WORTH_A_THREAD: usize = 16 << 10;

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
        let values = coalesce(self, &user.into(), Nulls::Delete, warnings)?;
        if schemas == SchemaCheck::Validate {
            schema::validate(self, &values.plain(), warnings).map_err(Error::Schema)?;
        }
        Ok(template_values(&values))
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
        let mut files = Vec::new();
        templates(self, self.name(), &mut files);
        let helps = files.iter().map(|(_, text)| text.len()).sum::<usize>() >= WORTH_A_THREAD;
        let compiling = Arc::new(Compiling::new(files));
        let checks = request.schemas == SchemaCheck::Validate;
        let checks_beside = checks && schema::bytes(self) >= SCHEMA_WORTH_A_THREAD;
        let (sender, receiver) = mpsc::channel();
        let helper = (helps || checks_beside).then(|| {
            let compiling = helps.then(|| Arc::clone(&compiling));
            let chart = checks_beside.then(|| self.clone());
            Beside::start(move || {
                if let Some(compiling) = compiling {
                    compiling.help();
                }
                let chart = chart?;
                // There are none when they cannot be combined.
                receiver.into_iter().next().map(|values| {
                    let mut warnings = Warnings::new();
                    (schema::validate(&chart, &values, &mut warnings), warnings)
                })
            })
        });
        let values = coalesce(self, &user.into(), Nulls::Delete, warnings)?;
        if checks_beside {
            // The helper waits for them.
            _ = sender.send(values.plain());
        } else if checks {
            schema::validate(self, &values.plain(), warnings).map_err(Error::Schema)?;
        }
        // As on every other way out of here: nobody waits for what does not come.
        drop(sender);
        let values = template_values(&values);
        compiling.help();
        let rendered = self
            .check_version(&request.capabilities)
            .and_then(|()| compiling.end().map_err(render))
            .and_then(|compiled| Compiled(compiled).render(self, &values, request, options));
        let checked = helper.map(Beside::end).transpose().map_err(render)?;
        if let Some((outcome, remarks)) = checked.flatten() {
            // What is wrong with the values comes first.
            warnings.extend(remarks);
            outcome.map_err(Error::Schema)?;
        }
        rendered
    }

    /// Whether the chart supports the cluster.
    fn check_version(&self, capabilities: &Capabilities) -> Result<(), Error> {
        let range = &self.metadata.kube_version;
        if range.is_empty() || capabilities.admits(range) {
            return Ok(());
        }
        Err(Error::KubeVersion { range: range.clone(), version: capabilities.kube_version.version.clone() })
    }

    fn templates(&self) -> Result<Compiled, Error> {
        let mut found = Vec::new();
        templates(self, self.name(), &mut found);
        Templates::compile(found).map(Compiled).map_err(render)
    }
}

/// As the errors of this crate.
pub(crate) fn render(error: sprig::Error) -> Error {
    Error::Render(error.to_string())
}

struct Compiled(Templates);

impl Compiled {
    fn render(
        &self,
        chart: &Chart,
        values: &Value,
        request: &Request,
        options: sprig::Options,
    ) -> Result<Files, Error> {
        let scopes = Scopes::new(chart, values, &request.release, &request.capabilities);
        self.0.render(|path| scopes.of(path), options).map_err(render)
    }
}

/// A chart whose dependencies are processed and whose templates are compiled: it can be kept, shared between threads
/// and rendered any number of times with other values, as long as these enable the same sub-charts.
pub struct CompiledChart {
    chart: Chart,
    templates: Compiled,
}

impl CompiledChart {
    /// Compiles the templates of a chart.
    ///
    /// # Errors
    /// The first template that cannot be parsed.
    pub fn new(chart: Chart) -> Result<CompiledChart, Error> {
        Ok(CompiledChart { templates: chart.templates()?, chart })
    }

    /// The chart.
    #[must_use]
    pub fn chart(&self) -> &Chart {
        &self.chart
    }

    /// As [`Chart::render`].
    ///
    /// # Errors
    /// As [`Chart::render`].
    pub fn render(
        &self,
        user: &Table,
        request: &Request,
        options: sprig::Options,
        warnings: &mut Warnings,
    ) -> Result<Files, Error> {
        let values = self.chart.render_values(user, request.schemas, warnings)?;
        self.chart.check_version(&request.capabilities)?;
        self.render_templates(&values, request, options)
    }

    /// Renders with values that are ready, those of [`Chart::render_values`].
    ///
    /// # Errors
    /// A template that fails.
    pub fn render_templates(
        &self,
        values: &Value,
        request: &Request,
        options: sprig::Options,
    ) -> Result<Files, Error> {
        self.templates.render(&self.chart, values, request, options)
    }
}
