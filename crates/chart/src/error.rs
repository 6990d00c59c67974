//! What can go wrong.

/// Why a chart cannot be loaded, its values not be used, or its templates not be rendered. The texts are Helm's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The archive is no archive, is too large, or holds a path that it must not hold.
    #[error("{0}")]
    Archive(String),
    /// A file of the chart cannot be used, for example `Chart.yaml`, `values.yaml` or `.helmignore`.
    #[error("{0}")]
    Load(String),
    /// `Chart.yaml` says something that charts may not say.
    #[error("validation: {0}")]
    Metadata(String),
    /// Values cannot be read, set or combined.
    #[error("{0}")]
    Values(String),
    /// The values do not fit the schemas of the chart or of its sub-charts.
    #[error("values don't meet the specifications of the schema(s) in the following chart(s):\n{0}")]
    Schema(String),
    /// The chart does not support the cluster's version.
    #[error("chart requires kubeVersion: {range} which is incompatible with Kubernetes {version}")]
    KubeVersion {
        /// What the chart supports.
        range: String,
        /// The cluster's version.
        version: String,
    },
    /// A template cannot be parsed or executed.
    #[error("{0}")]
    Render(String),
    /// A rendered file is not YAML, or not an object's.
    #[error("YAML parse error on {path}: {problem}")]
    Manifest {
        /// Path of the template.
        path: String,
        /// What is wrong.
        problem: String,
    },
    /// The documents cannot be handed to a post-renderer, it fails, or its answer is no YAML.
    #[error("{0}")]
    PostRender(String),
    /// A release record cannot be read or written.
    #[error("{0}")]
    Record(String),
}
