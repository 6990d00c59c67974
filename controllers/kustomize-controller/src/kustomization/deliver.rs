//! Deliver: artifact, build, apply, prune; then health has the word.

use std::sync::Arc;

use api::condition::Reason;
use api::kustomize::Kustomization;
use api::meta::{Artifact, go_duration};
use apply::{ApplyOptions, Entry, IgnoreRule, IgnoreRules, Manifest, Preparation};
use artifact::{Reference, Tree};
use cel::HealthChecks;
use futures::FutureExt as _;
use object::{InventoryEntry, Owner, difference};
use runtime::{Key, Outcome, Severity};
use tokio::sync::Mutex;

use super::download::Download;
use super::files::{Files, Footprint};
use super::gate::{Passage, namespace};
use super::identity::Identity;
use super::ledger::{Ledger, WriteError};
use super::memory::{Fingerprint, KEPT_BYTES, Memo};
use super::status::{Phase, union};
use super::variables::{self, Substitution};
use super::wait::Applied;
use super::{Kustomizations, build};

/// Why there is nothing to apply.
enum Early {
    /// The download goes on by itself and wakes the object.
    Pending,
    /// The artifact is not on the server: the source will make another.
    Missing(String),
    /// In the object's words.
    Failed(Reason, String),
}

/// A build that was just made.
struct Fresh {
    manifests: Vec<Manifest>,
    digest: String,
    /// Whether something on the network went into it.
    fetched: bool,
    footprint: Footprint,
    warnings: Vec<String>,
}

/// The objects of a pass.
struct Desired {
    manifests: Vec<Manifest>,
    digest: String,
}

impl Kustomizations {
    /// Brings the cluster to what the artifact says.
    pub(super) async fn deliver(
        &self,
        object: &Arc<Kustomization>,
        key: &Key,
        passage: Passage,
        ledger: &mut Ledger,
    ) -> Result<Outcome, WriteError> {
        let Passage { artifact, health_checks } = passage;
        let health_checks = Arc::new(health_checks);
        ledger.revision.clone_from(&artifact.revision);
        if let Some(outcome) = self.resume(object, key, &artifact, ledger).await? {
            return Ok(outcome);
        }
        ledger.enter(Phase::Fetching).await?;
        let identity = match self.identities.of(object).await {
            Ok(identity) => identity,
            Err(text) => return self.failed(ledger, Reason::ReconciliationFailed, text, &artifact).await,
        };
        let desired = match self.desire(object, key, &artifact, &identity, ledger).await? {
            Ok(desired) => desired,
            Err(Early::Pending) => {
                ledger.tell().await?;
                return Ok(Outcome::Done);
            }
            Err(Early::Missing(message)) => {
                ledger.draft.not_ready(Reason::ArtifactFailed, message.clone());
                ledger.close().await?;
                tracing::info!(revision = artifact.revision, "{message}");
                return Ok(Outcome::After(self.behaviour.rules.requeue_dependency));
            }
            Err(Early::Failed(reason, message)) => {
                return self.failed(ledger, reason, message, &artifact).await;
            }
        };
        self.apply(object, key, &artifact, &identity, desired, health_checks, ledger).await
    }

    /// The objects to apply: those of the last pass when nothing that they depend on has changed, else from a build.
    async fn desire(
        &self,
        object: &Arc<Kustomization>,
        key: &Key,
        artifact: &Artifact,
        identity: &Identity,
        ledger: &mut Ledger,
    ) -> Result<Result<Desired, Early>, WriteError> {
        let substitution =
            variables::read(&self.client, namespace(object), object.spec.post_build.as_ref()).await;
        let fingerprint = Fingerprint {
            uid: object.metadata.uid.clone().unwrap_or_default(),
            generation: object.metadata.generation.unwrap_or_default(),
            variables: substitution.as_ref().ok().and_then(Option::as_ref).map(Substitution::hash),
            identity: identity.name.clone(),
        };
        let memo = self.remember(key, |memory| memory.memo.clone());
        let memo = memo.filter(|memo| memo.fingerprint == fingerprint && substitution.is_ok());
        if let Some(memo) = memo.as_ref().filter(|memo| memo.artifact == artifact.digest) {
            ledger.draft.status.last_attempted_revision = Some(artifact.revision.clone());
            return Ok(Ok(Desired { manifests: memo.manifests.clone(), digest: memo.digest.clone() }));
        }
        let reference = Reference { url: artifact.url.clone(), digest: artifact.digest.clone() };
        let tree = match self.downloads.get(&reference, key).await {
            Download::Tree(tree) => tree,
            Download::Pending => return Ok(Err(Early::Pending)),
            Download::NotFound => {
                let retry = go_duration(self.behaviour.rules.requeue_dependency);
                let message = format!("Source is not ready, artifact not found, retrying in {retry}");
                return Ok(Err(Early::Missing(message)));
            }
            Download::Failed(text) => return Ok(Err(Early::Failed(Reason::ArtifactFailed, text))),
        };
        let root = match build::locate(&tree, object.spec.path.as_deref()) {
            Ok(root) => root,
            Err(error) => return Ok(Err(Early::Failed(Reason::ArtifactFailed, error.to_string()))),
        };
        ledger.draft.status.last_attempted_revision = Some(artifact.revision.clone());
        ledger.enter(Phase::Building).await?;
        if let Some(memo) = memo.filter(|memo| memo.footprint.holds(&tree)) {
            let desired = Desired { manifests: memo.manifests.clone(), digest: memo.digest.clone() };
            let memo = Memo { artifact: artifact.digest.clone(), ..memo };
            self.remember(key, |memory| memory.memo = Some(memo));
            return Ok(Ok(desired));
        }
        let substitution = match substitution {
            Ok(substitution) => substitution,
            Err(message) => return Ok(Err(Early::Failed(Reason::BuildFailed, message))),
        };
        let built = self.build(object, tree, root, substitution, ledger).await?;
        Ok(built.map(|built| {
            for warning in &built.warnings {
                tracing::info!(warning, "kustomize build");
            }
            let fetched = built.fetched;
            let memo = Memo {
                fingerprint,
                artifact: artifact.digest.clone(),
                footprint: built.footprint,
                digest: built.digest.clone(),
                manifests: built.manifests.clone(),
            };
            // A branch may have moved the next time.
            let kept = !fetched && memo.manifests.iter().map(Manifest::size).sum::<usize>() <= KEPT_BYTES;
            self.remember(key, |memory| memory.memo = kept.then_some(memo));
            Desired { manifests: built.manifests, digest: built.digest }
        }))
    }

    /// Builds on a thread of its own: it is all computation.
    async fn build(
        &self,
        object: &Arc<Kustomization>,
        tree: Arc<Tree>,
        root: String,
        substitution: Option<Substitution>,
        ledger: &mut Ledger,
    ) -> Result<Result<Fresh, Early>, WriteError> {
        let (subject, options, unset) =
            (Arc::clone(object), self.behaviour.options.clone(), self.behaviour.unset);
        let identities = Arc::clone(&self.identities);
        let remotes = self.behaviour.remotes.clone();
        let mut work = tokio::task::spawn_blocking(move || {
            let settings = build::Settings {
                spec: &subject.spec,
                variables: substitution.as_ref().map(|substitution| &substitution.values),
                unset,
                options: &options,
                remotes: remotes.as_ref(),
            };
            let files = Files(Arc::clone(&tree));
            let mut built = build::build(&files, &root, &settings)?;
            let footprint = built.footprint(&tree, &root);
            let owner = owner(&subject);
            let none = api::kustomize::CommonMetadata::default();
            let common = subject.spec.common_metadata.as_ref().unwrap_or(&none);
            let preparation = Preparation {
                policy: identities.policy(),
                owner: &owner,
                labels: &common.labels,
                annotations: &common.annotations,
            };
            let manifests = std::mem::take(&mut built.objects)
                .into_iter()
                .map(|object| Manifest::prepare(object, &preparation))
                .collect::<Result<Vec<_>, _>>()
                .map_err(|error| build::Error::NoObject(error.to_string()))?;
            Ok::<_, build::Error>(Fresh {
                manifests,
                digest: built.digest,
                fetched: built.fetched,
                footprint,
                warnings: built.warnings,
            })
        });
        let result = match tokio::time::timeout(super::ledger::PATIENCE, &mut work).await {
            Ok(result) => result,
            Err(_) => {
                ledger.tell().await?;
                work.await
            }
        };
        Ok(match result {
            Ok(Ok(built)) => Ok(built),
            Ok(Err(error)) if error.is_guard() => {
                Err(Early::Failed(Reason::ReconciliationFailed, error.to_string()))
            }
            Ok(Err(error)) => Err(Early::Failed(Reason::BuildFailed, error.to_string())),
            Err(panic) => Err(Early::Failed(Reason::BuildFailed, format!("kustomize build failed: {panic}"))),
        })
    }

    #[expect(clippy::too_many_arguments, reason = "the values of one pass, each of another kind")]
    async fn apply(
        &self,
        object: &Arc<Kustomization>,
        key: &Key,
        artifact: &Artifact,
        identity: &Identity,
        desired: Desired,
        health_checks: Arc<HealthChecks>,
        ledger: &mut Ledger,
    ) -> Result<Outcome, WriteError> {
        let ignore = match ignore_rules(object) {
            Ok(rules) => rules,
            Err(text) => return self.failed(ledger, Reason::ReconciliationFailed, text, artifact).await,
        };
        ledger.enter(Phase::Detecting).await?;
        let owner = owner(object);
        let before = ledger.draft.owned();
        let first = ledger.object.status.as_ref().is_none_or(|status| status.inventory.is_none());
        let applied = self.apply_told(object, identity, &owner, &desired, &ignore, &before, ledger).await?;
        let now: Vec<InventoryEntry> = applied.entries.iter().map(Entry::inventory).collect();
        let lines = lines(&applied.entries);
        self.log_changes(&applied.entries, artifact);
        if let Some(error) = applied.error {
            // What was written before the failure is ours, and nothing that was ours has ceased to be.
            if !(first && now.is_empty()) {
                ledger.draft.own(&union(&before, &now));
            }
            let message = if lines.is_empty() { error.to_string() } else { format!("{error}\n{lines}") };
            ledger.draft.record(
                &desired.digest,
                Reason::ReconciliationFailed,
                ledger.begun.elapsed(),
                artifact,
            );
            return self.failed(ledger, Reason::ReconciliationFailed, message, artifact).await;
        }
        if !lines.is_empty() {
            let metadata = super::metadata(Some(artifact), &ledger.draft.status);
            self.events.emit(
                &*ledger.object,
                Severity::Normal,
                Reason::Progressing,
                lines.as_str(),
                metadata,
            );
        }
        let mut inventory = now;
        let stale = difference(&before, &inventory);
        let mut changed = !lines.is_empty();
        if object.spec.prune && !stale.is_empty() {
            let pruned = identity.target.prune(&owner, &stale).await;
            let text = entry_lines(pruned.entries.iter());
            if !text.is_empty() {
                changed = true;
                tracing::info!(revision = artifact.revision, output = text, "garbage collection completed");
                let metadata = super::metadata(Some(artifact), &ledger.draft.status);
                self.events.emit(
                    &*ledger.object,
                    Severity::Normal,
                    Reason::Progressing,
                    text.as_str(),
                    metadata,
                );
            }
            inventory.extend(pruned.unsettled);
            ledger.draft.own(&inventory);
            if let Some(error) = pruned.error {
                ledger.draft.record(&desired.digest, Reason::PruneFailed, ledger.begun.elapsed(), artifact);
                return self.failed(ledger, Reason::PruneFailed, error.to_string(), artifact).await;
            }
        }
        ledger.draft.own(&inventory);
        let waiting = Applied {
            artifact: artifact.clone(),
            digest: desired.digest,
            changed,
            inventory,
            objects: applied.entries,
            manifests: desired.manifests,
        };
        self.await_health(object, key, identity, waiting, health_checks, ledger).await
    }

    /// Applies, saying so when it takes its time, and writing down what will be created before it is.
    #[expect(clippy::too_many_arguments, reason = "the values of one pass, each of another kind")]
    async fn apply_told(
        &self,
        object: &Arc<Kustomization>,
        identity: &Identity,
        owner: &Owner,
        desired: &Desired,
        ignore: &IgnoreRules,
        before: &[InventoryEntry],
        ledger: &mut Ledger,
    ) -> Result<apply::Applied, WriteError> {
        // The hook outlives this frame, so the ledger is lent to it and taken back afterwards.
        let lent = Arc::new(Mutex::new(ledger.lend()));
        let hook = {
            let lent = Arc::clone(&lent);
            move |entries: Vec<InventoryEntry>| {
                let lent = Arc::clone(&lent);
                async move { lent.lock().await.intend(&entries).await.map_err(|error| error.to_string()) }
                    .boxed()
            }
        };
        let options = ApplyOptions {
            force: object.spec.force(),
            ignore: Some(ignore),
            timeout: object.spec.timeout(),
            known: before,
            before_create: Some(&hook),
        };
        let mut work = std::pin::pin!(identity.target.apply(owner, &desired.manifests, &options));
        let applied = match tokio::time::timeout(super::ledger::PATIENCE, &mut work).await {
            Ok(applied) => Ok(applied),
            Err(_) => {
                let told = lent.lock().await.tell().await;
                let applied = work.await;
                told.map(|()| applied)
            }
        };
        ledger.take_back(&*lent.lock().await);
        applied
    }

    fn log_changes(&self, entries: &[Entry], artifact: &Artifact) {
        if !entries.iter().any(Entry::changed) {
            return;
        }
        let mut output = serde_json::Map::new();
        for entry in entries {
            if self.behaviour.group_change_log {
                let group = output.entry(entry.action.to_string()).or_insert_with(|| serde_json::json!([]));
                if let Some(list) = group.as_array_mut() {
                    list.push(entry.object.to_string().into());
                }
            } else {
                output.insert(entry.object.to_string(), entry.action.to_string().into());
            }
        }
        let output = serde_json::Value::Object(output).to_string();
        tracing::info!(revision = artifact.revision, output, "server-side apply completed");
    }
}

/// The owner that stands in the labels of every object.
pub(super) fn owner(object: &Kustomization) -> Owner {
    Owner { namespace: namespace(object).to_owned(), name: object.metadata.name.clone().unwrap_or_default() }
}

/// `Kind/ns/name created` for every object that was changed, in apply order.
fn lines(entries: &[Entry]) -> String {
    entry_lines(entries.iter().filter(|entry| entry.changed()))
}

fn entry_lines<'a>(entries: impl Iterator<Item = &'a Entry>) -> String {
    entries.map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn ignore_rules(object: &Kustomization) -> Result<IgnoreRules, String> {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let rules: Vec<IgnoreRule> = object
        .spec
        .ignore
        .iter()
        .map(|rule| {
            let target = rule.target.clone().unwrap_or_default();
            IgnoreRule {
                paths: rule.paths.clone(),
                group: text(&target.group),
                version: text(&target.version),
                kind: text(&target.kind),
                name: text(&target.name),
                namespace: text(&target.namespace),
                label_selector: text(&target.label_selector),
                annotation_selector: text(&target.annotation_selector),
            }
        })
        .collect();
    IgnoreRules::compile(&rules).map_err(|error| error.to_string())
}
