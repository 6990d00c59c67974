//! What `diff` prints: what lies ahead on standard output, remarks on standard error.

use ::release::drift::{Found, ObjectDrift, Operation};
use ::release::{Definitions, Fate, Plan, PlannedHook, PlannedObject};
use api::helm::DriftDetectionMode;
use apply::FieldChange;
use chart::Release;
use object::ObjectRef;
use serde_json::{Value, json};

use super::confidential::Confidential;
use crate::act::Planned;
use crate::helmrelease::{Action, Ahead, Attempt, Turn};

/// Annotation with a whole object in it.
const LAST_APPLIED: &str = "last-applied-configuration";

/// The printer.
pub struct Output {
    /// The HelmRelease.
    subject: String,
    /// `name@version` of the chart.
    chart: String,
    confidential: Confidential,
}

impl Output {
    /// For an attempt.
    pub fn new(attempt: &Attempt, confidential: Confidential) -> Output {
        let metadata = &attempt.release.metadata;
        let text = |part: &Option<String>| part.clone().unwrap_or_default();
        Output {
            subject: format!("HelmRelease/{}/{}", text(&metadata.namespace), text(&metadata.name)),
            chart: format!("{}@{}", attempt.chart.name(), attempt.chart.metadata.version),
            confidential,
        }
    }

    /// A text without what is confidential.
    pub fn hide(&self, text: &str) -> String {
        self.confidential.hide(text)
    }

    /// What a reader should know.
    pub fn remark(&self, text: &str) {
        eprintln!("# {}", self.hide(text));
    }

    /// What is done in a turn, and why.
    pub fn turn(&self, turn: &Turn, corrects: bool) {
        let what = match turn.ahead {
            Ahead::Run(Action::Install) => format!("would be installed with chart {}", self.chart),
            Ahead::Run(Action::Upgrade) => format!("would be upgraded to chart {}", self.chart),
            Ahead::Run(Action::Test) => "would be tested".to_owned(),
            Ahead::Run(Action::Rollback) => "would be rolled back".to_owned(),
            Ahead::Run(Action::UninstallRemediation | Action::Uninstall) => {
                let name = turn.last.as_ref().map(full_name).unwrap_or_default();
                format!("would be uninstalled {name}").trim_end().to_owned()
            }
            Ahead::Run(Action::Unlock) => "would be unlocked".to_owned(),
            Ahead::Run(Action::CorrectDrift) => "would be corrected".to_owned(),
            Ahead::Adopt => "would take the release into its history".to_owned(),
            Ahead::Rest if corrects => "would have its drift corrected".to_owned(),
            Ahead::Rest => "would be left as it is".to_owned(),
            Ahead::GiveUp(gave_up) => format!("would be left as it is: {gave_up}"),
            Ahead::NoTarget => "would be left as it is: there is no revision to return to".to_owned(),
        };
        println!("► {} {what}: {}", self.subject, self.hide(&turn.why));
    }

    /// What an action would do. Gives how many objects the API server refuses.
    pub fn plan(&self, planned: &Planned, last: Option<&Release>, attempt: &Attempt) -> usize {
        let Planned { definitions, plan, tests } = planned;
        if let Some(plan) = plan.as_ref() {
            self.values(last, attempt, plan);
            plan.warnings.iter().for_each(|warning| self.remark(warning));
        }
        let Definitions { objects, refusals, .. } = definitions;
        self.objects(objects);
        let mut refused = refusals.len();
        refusals.iter().for_each(|refusal| self.refusal(&refusal.to_string()));
        if let Some(Plan { objects, hooks, refusals, .. }) = plan {
            let before = |hook: &&PlannedHook| hook.event.starts_with("pre-");
            hooks.iter().filter(before).for_each(|hook| self.hook(hook));
            self.objects(objects);
            hooks.iter().filter(|hook| !before(hook)).for_each(|hook| self.hook(hook));
            refused += refusals.len();
            refusals.iter().for_each(|refusal| self.refusal(&refusal.to_string()));
        }
        tests.iter().for_each(|hook| self.hook(hook));
        refused
    }

    /// Which values differ from those of the last revision, by their paths alone.
    fn values(&self, last: Option<&Release>, attempt: &Attempt, plan: &Plan) {
        let Some(last) = last.filter(|last| last.version < plan.release.version) else { return };
        let changes = apply::changes(&json!({"values": last.config}), &json!({"values": attempt.values}));
        let paths: Vec<&str> =
            changes.iter().map(|c| c.path.strip_prefix("values.").unwrap_or(&c.path)).collect();
        if !paths.is_empty() {
            println!("    values that differ: {}", paths.join(", "));
        }
    }

    fn objects(&self, objects: &[PlannedObject]) {
        for PlannedObject { object, fate } in objects {
            let (word, changes) = match fate {
                Fate::Unchanged => continue,
                Fate::Created => ("created", &[][..]),
                Fate::Changed(changes) => ("configured", changes.as_slice()),
                Fate::Deleted => ("deleted", &[][..]),
                Fate::Kept => ("kept (helm.sh/resource-policy: keep)", &[][..]),
            };
            println!("► {object} {word}");
            self.changes(object, changes.iter().cloned());
        }
    }

    fn changes(&self, object: &ObjectRef, changes: impl Iterator<Item = FieldChange>) {
        for mut change in changes {
            if object.gvk.is("", "Secret") && change.path.contains(LAST_APPLIED) {
                change.before = change.before.map(|_| Value::from("***"));
                change.after = change.after.map(|_| Value::from("***"));
            }
            println!("    {}", self.confidential.shown(change));
        }
    }

    fn hook(&self, hook: &PlannedHook) {
        let PlannedHook { event, kind, name, .. } = hook;
        println!("► {kind}/{name} runs ({event} hook)");
    }

    fn refusal(&self, text: &str) {
        println!("✗ {}", self.hide(text));
    }

    /// What differs from the current release.
    pub fn drift(&self, drift: &[ObjectDrift], last: Option<&Release>, mode: DriftDetectionMode) {
        let told: Vec<&ObjectDrift> = drift.iter().filter(|one| one.found != Found::Same).collect();
        let Some(last) = last.filter(|_| !told.is_empty()) else { return };
        let mode = match mode {
            DriftDetectionMode::Enabled => "is corrected",
            DriftDetectionMode::Warn => "is told and not corrected: spec.driftDetection.mode is warn",
            DriftDetectionMode::Disabled => "is not looked for: spec.driftDetection.mode is disabled",
        };
        println!("Drift of release {} ({mode}):", full_name(last));
        for one in told {
            let object = one.reference();
            match &one.found {
                Found::Missing => println!("► {object} removed"),
                Found::Excluded => println!("► {object} excluded"),
                _ => {
                    println!("► {object} changed");
                    self.changes(object, one.shown().into_iter().map(as_change));
                }
            }
        }
    }
}

/// From what is there to what the release says.
fn as_change(operation: Operation) -> FieldChange {
    FieldChange { path: operation.path, before: operation.old, after: operation.value }
}

fn full_name(release: &Release) -> String {
    format!("{}/{}.v{}", release.namespace, release.name, release.version)
}
