//! `spec.healthCheckExprs`: the health of custom resources, told by expressions.

use std::collections::HashMap;

use serde_json::Value;

use crate::{Error, Expression};

/// One entry of `spec.healthCheckExprs`, as the user wrote it.
#[derive(Debug, Clone, Default)]
pub struct HealthCheck<'a> {
    /// API group without the version; empty for the core group.
    pub group: &'a str,
    /// Kind; empty stands for every kind of the group.
    pub kind: &'a str,
    /// Required: true when the object is healthy.
    pub current: &'a str,
    /// Optional, may be empty: true while the object is on its way.
    pub in_progress: &'a str,
    /// Optional, may be empty: true when the object failed.
    pub failed: &'a str,
}

/// The parsed expressions of one entry.
#[derive(Debug)]
pub struct HealthExpressions {
    in_progress: Option<Expression>,
    failed: Option<Expression>,
    current: Expression,
}

/// All entries of a Kustomization, by group and kind.
#[derive(Debug, Default)]
pub struct HealthChecks(HashMap<(String, String), HealthExpressions>);

/// What the expressions say of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HealthVerdict {
    /// On its way, or none of the expressions holds.
    InProgress,
    /// Failed.
    Failed,
    /// Healthy.
    Current,
}

impl HealthChecks {
    /// Parses all entries. A duplicate of group and kind, a missing `current` or a text that does not parse is an error
    /// that no retry can cure.
    pub fn parse<'a>(checks: impl IntoIterator<Item = HealthCheck<'a>>) -> Result<Self, Error> {
        let mut parsed = HashMap::new();
        for (index, check) in checks.into_iter().enumerate() {
            let expressions = HealthExpressions::parse(&check).map_err(|why| {
                Error::HealthCheck(format!(
                    "failed to create custom status evaluator for healthchecks[{index}]: {why}"
                ))
            })?;
            let key = (check.group.to_owned(), check.kind.to_owned());
            if parsed.insert(key, expressions).is_some() {
                let name = match (check.kind, check.group) {
                    (kind, "") => kind.to_owned(),
                    (kind, group) => format!("{kind}.{group}"),
                };
                return Err(Error::HealthCheck(format!(
                    "duplicate custom health check for GroupKind {name} at healthchecks[{index}]"
                )));
            }
        }
        Ok(Self(parsed))
    }

    /// Whether there is no entry at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The expressions for a kind: its own entry, else the entry of its whole group.
    pub fn find(&self, group: &str, kind: &str) -> Option<&HealthExpressions> {
        let entry = |kind: &str| self.0.get(&(group.to_owned(), kind.to_owned()));
        entry(kind).or_else(|| entry(""))
    }
}

impl HealthExpressions {
    fn parse(check: &HealthCheck<'_>) -> Result<Self, Error> {
        if check.current.is_empty() {
            return Err(Error::HealthCheck("expression Current not specified".to_owned()));
        }
        let parse = |name: &str, text: &str| {
            Expression::parse(text)
                .map_err(|why| Error::HealthCheck(format!("failed to parse the expression {name}: {why}")))
        };
        let optional = |name, text: &str| (!text.is_empty()).then(|| parse(name, text)).transpose();
        Ok(Self {
            current: parse("Current", check.current)?,
            failed: optional("Failed", check.failed)?,
            in_progress: optional("InProgress", check.in_progress)?,
        })
    }

    /// Judges a live object. A status of an older generation is in progress whatever the expressions say; then
    /// `inProgress`, `failed` and `current` are asked in this order. An error, for example a missing field, means that
    /// the health is unknown.
    pub fn evaluate(&self, object: &Value) -> Result<HealthVerdict, Error> {
        let integer = |pointer: &str| object.pointer(pointer).and_then(Value::as_i64);
        if let (Some(observed), Some(generation)) =
            (integer("/status/observedGeneration"), integer("/metadata/generation"))
            && observed != generation
        {
            return Ok(HealthVerdict::InProgress);
        }
        let fields: Vec<(&str, &Value)> =
            object.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value)).collect();
        let ordered = [
            (self.in_progress.as_ref(), HealthVerdict::InProgress),
            (self.failed.as_ref(), HealthVerdict::Failed),
            (Some(&self.current), HealthVerdict::Current),
        ];
        for (expression, verdict) in ordered {
            if let Some(expression) = expression
                && expression.evaluate(fields.iter().copied())?
            {
                return Ok(verdict);
            }
        }
        Ok(HealthVerdict::InProgress)
    }
}
