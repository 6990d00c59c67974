//! Kustomizations: loading one, and accumulating what it makes.

mod accumulate;
mod configure;
mod file;
mod plugins;
mod schema;
mod settings;
mod validate;

use std::sync::Arc;

use crate::config::{Config, default_config};
use crate::kustomization::Kustomization;
use crate::kustomization::Var;
use crate::load::Place;
use crate::origin::Origin;
use crate::resource::ResourceMap;

pub(crate) use accumulate::accumulate;
pub(crate) use file::load_target;

/// A kustomization that was loaded.
pub(crate) struct Target {
    /// Its directory, symlinks resolved.
    pub(crate) dir: String,
    /// Name of the file in it.
    pub(crate) file_name: String,
    pub(crate) kustomization: Kustomization,
    /// The file as a tree, to find lines in.
    tree: yaml::Value,
    /// Directories that led here, the root first.
    parents: Vec<String>,
    /// Root of the fetched repository that it lies in, if it does.
    repository: Option<String>,
    /// Where it is, as `buildMetadata` tells.
    pub(crate) origin: Origin,
}

/// What was accumulated so far.
#[derive(Debug, Default)]
pub(crate) struct Accumulator {
    pub(crate) resources: ResourceMap,
    /// Fields of the transformers; the default until a kustomization adds to it.
    pub(crate) config: Option<Arc<Config>>,
    pub(crate) vars: Vec<Var>,
}

impl Accumulator {
    /// The fields of the transformers.
    pub(crate) fn config(&self) -> Arc<Config> {
        self.config.clone().unwrap_or_else(default_config)
    }

    /// Adds fields to those that are there.
    fn merge_config(&mut self, more: &Arc<Config>) -> Result<(), String> {
        match &mut self.config {
            None if Arc::ptr_eq(more, &default_config()) => self.config = Some(Arc::clone(more)),
            // Even into nothing it is merged field by field: what a specific field comes before is dropped, so that a
            // custom `namePrefix` for some kinds replaces the default for all.
            None => {
                let mut config = Config::default();
                config.merge(more)?;
                self.config = Some(Arc::new(config));
            }
            Some(own) if Arc::ptr_eq(own, more) => {}
            Some(own) => Arc::make_mut(own).merge(more)?,
        }
        Ok(())
    }

    /// Adds vars whose names are free.
    fn merge_vars(&mut self, vars: Vec<Var>) -> Result<(), String> {
        for var in vars {
            if self.vars.iter().any(|own| own.name == var.name) {
                return Err(format!("the var {} is defined more than once", var.name));
            }
            self.vars.push(var);
        }
        Ok(())
    }
}

impl Target {
    /// Path of the file.
    pub(crate) fn file(&self) -> String {
        if self.dir.is_empty() { self.file_name.clone() } else { format!("{}/{}", self.dir, self.file_name) }
    }

    /// The place of a field in the file.
    pub(crate) fn at(&self, field: impl Into<String>) -> Place {
        let field = field.into();
        Place { file: self.file(), line: file::line_of(&self.tree, &field), field }
    }
}
