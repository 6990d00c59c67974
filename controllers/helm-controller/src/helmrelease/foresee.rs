//! Foresee: what the controller would do next about an object. The steps are those of a run, as far as they only look.

use std::sync::Arc;

use ::release::Storage;
use api::helm::{ChartReferenceKind, HelmRelease, HelmReleaseStatus, ReleaseAction, ValuesReferenceKind};
use api::meta::Timestamp;
use api::object::Reconciled as _;
use api::source::HelmChart;
use chart::{Chart, Release};
use runtime::Recorder;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::attempt::Attempt;
use super::charts::Charts;
use super::decide::{Action, Facts, GaveUp, Next, decide};
use super::dependencies::{Dependency, Unmet, unmet};
use super::drive::{described, why_not_target};
use super::gate::{Gate, configuration};
use super::identity::Identities;
use super::names::{helm_chart, namespace, source, storage_namespace};
use super::prepare::{note_attempt, read_contents, target_changed};
use super::revision::{Tracking, versioned};
use super::sources::{Source, Sources};
use super::state::{Wanted, determine};
use super::strategy::Remediation;
use super::template::desired;
use super::values::{self, Contents};
use super::{Behaviour, digest, history, requests, wake};
use crate::act;

/// Looks ahead.
pub struct Foresight {
    /// Reads objects, sources and values.
    pub client: kube::Client,
    /// Clusters and identities.
    pub identities: Identities,
    /// Downloads charts.
    pub charts: Charts,
    /// Flags and gates.
    pub behaviour: Behaviour,
    /// Nothing is sent through it; attempts have one.
    pub events: Recorder,
}

/// What lies ahead of an object.
pub struct Foreseen {
    /// What a run would work with.
    pub attempt: Attempt,
    /// The turns that a run would make, one at least. What comes after the last one depends on how that goes.
    pub turns: Vec<Turn>,
    /// The last record now.
    pub last: Option<Release>,
    /// What stands in the way of a run, and the like.
    pub remarks: Vec<String>,
    /// The values that come from Secrets, those of the last record included: they are not to be shown.
    pub confidential: Vec<Value>,
}

/// One turn of a run.
pub struct Turn {
    /// What is done.
    pub ahead: Ahead,
    /// Why.
    pub why: String,
    /// The status before it.
    pub status: HelmReleaseStatus,
    /// The last record before it.
    pub last: Option<Release>,
}

/// What is done in a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ahead {
    /// An action.
    Run(Action),
    /// The release is taken into the history.
    Adopt,
    /// Nothing: the release is as it is wanted.
    Rest,
    /// Nothing, since all tries are used up.
    GiveUp(GaveUp),
    /// Nothing, since there is no revision to return to.
    NoTarget,
}

impl Foresight {
    /// Looks at an object. `chart` is used instead of what its source made.
    ///
    /// # Errors
    /// The text of what stands in the way of knowing.
    pub async fn foresee(&self, object: HelmRelease, chart: Option<Chart>) -> Result<Foreseen, String> {
        let object = Arc::new(object);
        let checks = match configuration(&object, &self.behaviour) {
            Gate::Proceed(checks) => checks,
            Gate::Stall { message, .. } => return Err(message),
            _ => return Err("invalid Chart reference".to_owned()),
        };
        let mut remarks = Vec::new();
        if object.suspend_state(Timestamp::now()).is_suspended() {
            remarks.push("the HelmRelease is suspended: nothing is done until it is resumed".to_owned());
        }
        if let Some(text) = self.waits_for(&object).await {
            remarks.push(format!("nothing is done until its dependencies are ready: {text}"));
        }
        let (composed, contents) = self.values(&object).await?;
        remarks.extend(composed.forgiven);
        let values = composed.values;
        let (chart, oci_digest) = match chart {
            Some(chart) => (chart, String::new()),
            None => self.chart(&object).await?,
        };
        let cluster = self.identities.of(&object).await.map_err(|error| error.to_string())?;
        let attempt = Attempt {
            config_digest: digest::config(self.behaviour.algorithm, &values).to_string(),
            storage: Storage::new(&cluster, storage_namespace(&object)),
            cluster,
            chart,
            values,
            oci_digest,
            checks: Arc::new(checks),
            cancel: CancellationToken::new(),
            interrupt: CancellationToken::new(),
            algorithm: self.behaviour.algorithm,
            helm_3: self.behaviour.helm_3,
            dns: self.behaviour.dns,
            retry_by_default: self.behaviour.retry_by_default,
            // Taking fields over is a write.
            override_managers: Vec::new(),
            events: self.events.clone(),
            release: object,
        };
        let unread =
            |error: ::release::Error| format!("failed to retrieve last release from storage: {error}");
        let last = attempt.storage.last(&attempt.name()).await.map_err(unread)?;
        let turns = turns(&attempt, last.clone()).await?;
        let confidential = confidential(&attempt.release, &contents, last.as_ref());
        Ok(Foreseen { turns, last, remarks, confidential, attempt })
    }

    async fn waits_for(&self, object: &HelmRelease) -> Option<String> {
        let mut found = Vec::new();
        for (reference, key) in object.spec.depends_on.iter().zip(wake::dependencies(object)) {
            let path = runtime::client::object_path::<HelmRelease>(&key);
            let there = match runtime::client::get::<HelmRelease>(&self.client, &path).await {
                Ok(Some(found)) => Ok(Arc::new(found)),
                Ok(None) => Err(format!("HelmRelease/{key} not found")),
                Err(error) => Err(error.to_string()),
            };
            found.push(Dependency {
                namespace: key.namespace().to_owned(),
                name: key.name().to_owned(),
                ready_expr: reference.ready_expr.clone(),
                object: there,
                cycle: None,
            });
        }
        match unmet(object, &found, self.behaviour.additive_dependency_check)? {
            Unmet::Terminal(text) | Unmet::Wait(text) => Some(text),
        }
    }

    async fn values(&self, object: &HelmRelease) -> Result<(values::Composed, Contents), String> {
        let (spec, own) = (&object.spec, namespace(object));
        let contents = read_contents(&self.client, own, &spec.values_from).await;
        let contents = contents.map_err(|error| error.to_string())?;
        let composed = values::compose(own, spec.values.as_ref(), &spec.values_from, &contents);
        Ok((composed.map_err(|error| error.to_string())?, contents))
    }

    /// The chart that the source has made, and its digest in a registry.
    async fn chart(&self, object: &HelmRelease) -> Result<(Chart, String), String> {
        const INSTEAD: &str = "pass the chart with --chart";
        let made = helm_chart(object).map(|key| (ChartReferenceKind::HelmChart, key));
        let Some((kind, key)) = made.or_else(|| source(object)) else {
            return Err("invalid Chart reference".to_owned());
        };
        let name = format!("{}/{key}", kind.as_str());
        if let Some(template) = &object.spec.chart {
            let path = runtime::client::object_path::<HelmChart>(&key);
            let known = runtime::client::get::<HelmChart>(&self.client, &path).await;
            match known.map_err(|error| error.to_string())? {
                None => {
                    return Err(format!("{name}, which the controller makes, is not there yet: {INSTEAD}"));
                }
                Some(known) if !makes_the_same(&known, desired(object, template, &key)) => {
                    return Err(format!(
                        "{name} in the cluster is made from another chart, version or source than spec.chart asks for: {INSTEAD}"
                    ));
                }
                Some(_) => {}
            }
        }
        let sources = Sources::new(self.client.clone(), true, true);
        let artifact = match sources.get(kind, &key).await {
            Source::Ready(artifact) => artifact,
            Source::NotReady(why) => return Err(format!("{why}; {INSTEAD}")),
            Source::Unreadable(why) => return Err(format!("could not get Source object: {why}; {INSTEAD}")),
        };
        let loaded = self.charts.get(&artifact).await.map_err(|error| {
            format!(
                "could not load the chart of {name}: {error}; from outside the cluster, {INSTEAD}, or forward a port to \
                 source-controller and name it in SOURCE_CONTROLLER_LOCALHOST"
            )
        })?;
        let tracking = if self.behaviour.track_digests { Tracking::On } else { Tracking::Off };
        let mut chart = Chart::clone(&loaded);
        let found = versioned(kind, &artifact.revision, &chart.metadata.version, tracking);
        let found = found.map_err(|error| error.to_string())?;
        chart.metadata.version = found.version;
        Ok((chart, found.oci_digest))
    }
}

/// Whether two HelmCharts come to the same artifact.
fn makes_the_same(known: &HelmChart, mut wanted: HelmChart) -> bool {
    wanted.metadata = known.metadata.clone();
    wanted.metadata.deletion_timestamp = None;
    wanted.spec.interval = known.spec.interval.clone();
    let known = HelmChart { metadata: wanted.metadata.clone(), ..known.clone() };
    super::template::is_as_wanted(&known, &wanted)
}

/// The turns of a run, until one whose outcome nobody knows.
async fn turns(attempt: &Attempt, mut last: Option<Release>) -> Result<Vec<Turn>, String> {
    let unclear = |error: &dyn std::fmt::Display| format!("cannot determine release state: {error}");
    let object = &attempt.release;
    let mut status = object.status.clone().unwrap_or_default();
    let mut turns: Vec<Turn> = Vec::new();
    if let Some(why) = target_changed(object, &mut status, attempt.chart.name()) {
        let (known, version) =
            status.history.first().map(|s| (s.name.clone(), s.version)).unwrap_or_default();
        let stored = Storage::new(&attempt.cluster, status.storage_namespace.as_deref().unwrap_or_default());
        let old = stored.get(&known, version).await.map_err(|error| unclear(&error))?;
        let same_place = last.as_ref().zip(old.as_ref()).is_some_and(|(last, old)| {
            (&last.name, &last.namespace, last.version) == (&old.name, &old.namespace, old.version)
        });
        turns.push(Turn {
            ahead: Ahead::Run(Action::Uninstall),
            why: format!("release target configuration changed ({why})"),
            status: status.clone(),
            last: old,
        });
        status.history.clear();
        requests::clear_failures(&mut status);
        if same_place {
            last = None;
        }
    }
    note_attempt(attempt, &mut status);
    let forced = requests::force(object, &mut status);
    loop {
        let wanted = Wanted {
            release: object,
            status: &status,
            chart_name: attempt.chart.name(),
            chart_version: &attempt.chart.metadata.version,
            values: &attempt.values,
            algorithm: attempt.algorithm,
        };
        let state = determine(last.as_ref(), &wanted).map_err(|error| unclear(&error))?;
        let facts =
            Facts { release: object, status: &status, forced, retry_by_default: attempt.retry_by_default };
        let decision = decide(&state, &facts);
        if decision.forget_history {
            status.history.clear();
        }
        history::trim(&mut status.history, decision.trim);
        let mut why = described(&state);
        if forced {
            why.push_str("; an action is asked for by annotation");
        }
        let ahead = match decision.next {
            Next::Run(action) => Ahead::Run(action),
            Next::Adopt => Ahead::Adopt,
            Next::Rest => Ahead::Rest,
            Next::GiveUp(gave_up) => Ahead::GiveUp(gave_up),
            Next::RollBack => match rollback_target(object, &status) {
                None => Ahead::NoTarget,
                Some(target) => match why_not_target(attempt, target).await? {
                    None => Ahead::Run(Action::Rollback),
                    Some(unsound) => {
                        why = format!("{why}; the revision to return to cannot be used: {unsound}");
                        Ahead::Run(Action::Upgrade)
                    }
                },
            },
        };
        turns.push(Turn { ahead, why, status: status.clone(), last: last.clone() });
        match last.take() {
            Some(record) if ahead == Ahead::Run(Action::Unlock) && turns.len() < 3 => {
                let record = act::unlocked(record);
                act::note_unlocked(attempt.algorithm, &mut status, &record)
                    .map_err(|error| unclear(&error))?;
                last = Some(record);
            }
            _ => return Ok(turns),
        }
    }
}

/// The revision that a rollback would return to.
pub fn rollback_target<'s>(
    object: &HelmRelease,
    status: &'s HelmReleaseStatus,
) -> Option<&'s api::helm::ReleaseSnapshot> {
    let active = Remediation::of(object, ReleaseAction::Upgrade);
    history::previous(&status.history, active.ignore_test_failures)
}

/// The values that come from Secrets, and what the last record has in their places.
fn confidential(object: &HelmRelease, contents: &Contents, last: Option<&Release>) -> Vec<Value> {
    let secrets = object.spec.values_from.iter().filter(|r| r.kind == ValuesReferenceKind::Secret);
    let mut found = Vec::new();
    for reference in secrets {
        let alone = values::compose("", None, std::slice::from_ref(reference), contents);
        let values = Value::Object(alone.map(|composed| composed.values).unwrap_or_default());
        if let Some(last) = last {
            in_their_places(&values, &Value::Object(last.config.clone()), &mut found);
        }
        found.push(values);
        // The text itself, too: it may be no YAML that says anything.
        if reference.target_path.is_some()
            && let Some(Some(data)) = contents.get(&(reference.kind, reference.name.clone()))
            && let Some(bytes) = data.get(reference.values_key())
        {
            found.push(Value::String(String::from_utf8_lossy(bytes).into_owned()));
        }
    }
    found
}

/// What stands in `config` where `values` has a value.
fn in_their_places(values: &Value, config: &Value, found: &mut Vec<Value>) {
    match (values, config) {
        (Value::Object(values), Value::Object(config)) => {
            for (key, value) in values {
                if let Some(there) = config.get(key) {
                    in_their_places(value, there, found);
                }
            }
        }
        (_, there) => found.push(there.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::collections::BTreeMap;

    #[test]
    fn values_of_secrets_are_known_as_they_are_and_as_they_were() {
        let object: HelmRelease = serde_json::from_value(json!({"metadata": {"name": "a", "namespace": "n"}, "spec": {"interval": "1m", "valuesFrom": [
            {"kind": "Secret", "name": "s"}, {"kind": "Secret", "name": "s", "valuesKey": "token", "targetPath": "api.token"},
            {"kind": "ConfigMap", "name": "c"}, {"kind": "Secret", "name": "gone", "optional": true}]}}))
        .unwrap();
        let data = |pairs: &[(&str, &str)]| -> BTreeMap<String, Vec<u8>> {
            pairs.iter().map(|(key, text)| ((*key).to_owned(), text.as_bytes().to_vec())).collect()
        };
        let contents = Contents::from([
            (
                (ValuesReferenceKind::Secret, "s".to_owned()),
                Some(data(&[("values.yaml", "db: {password: new}"), ("token", "t0ken")])),
            ),
            ((ValuesReferenceKind::ConfigMap, "c".to_owned()), Some(data(&[("values.yaml", "color: red")]))),
        ]);
        let last: Release = serde_json::from_value(
            json!({"name": "a", "namespace": "n", "version": 1, "info": {"status": "deployed"},
            "config": {"db": {"password": "old", "host": "h"}, "api": {"token": "0ld"}, "color": "blue"}}),
        )
        .unwrap();
        let found = confidential(&object, &contents, Some(&last));
        for text in ["new", "old", "t0ken", "0ld"] {
            assert!(found.iter().any(|value| value.to_string().contains(text)), "{text}: {found:?}");
        }
        assert!(
            !found.iter().any(|value| ["red", "blue", "\"h\""].iter().any(|t| value.to_string().contains(t)))
        );
    }
}
