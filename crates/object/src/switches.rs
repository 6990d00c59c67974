use serde_json::Value;

/// How an object wants to be applied (`<group>/ssa`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SsaMode {
    /// Our manifest wins over fields that known foreign managers added.
    #[default]
    Override,
    /// Fields of other managers are left alone.
    Merge,
    /// Created when absent, else never touched.
    IfNotPresent,
    /// Never touched.
    Ignore,
}

/// The switches in an object's labels and annotations. Values compare without regard to case; an annotation and a label
/// have the same effect, and of two different `ssa` values the most protective counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Switches {
    /// `reconcile: disabled`: not applied, not pruned, not health-checked.
    pub reconcile_disabled: bool,
    /// `prune: disabled`: never deleted.
    pub prune_disabled: bool,
    /// `force: enabled`: deleted and created again on an immutable change.
    pub force: bool,
    /// `ssa: …`.
    pub ssa: SsaMode,
}

impl Switches {
    /// Reads the switches of an object under a key prefix such as `kustomize.toolkit.fluxcd.io`.
    pub fn of(object: &Value, group: &str) -> Self {
        let mut switches = Self::default();
        for field in ["labels", "annotations"] {
            let values = object.get("metadata").and_then(|m| m.get(field)).and_then(Value::as_object);
            for (key, value) in values.into_iter().flatten() {
                if let Some(value) = value.as_str() {
                    switches.read(group, key, value);
                }
            }
        }
        switches
    }

    /// Takes one label or annotation into account.
    pub fn read(&mut self, group: &str, key: &str, value: &str) {
        let Some(switch) = key.strip_prefix(group).and_then(|k| k.strip_prefix('/')) else {
            return;
        };
        let is = |expected: &str| value.eq_ignore_ascii_case(expected);
        match switch {
            "reconcile" => self.reconcile_disabled |= is("disabled"),
            "prune" => self.prune_disabled |= is("disabled"),
            "force" => self.force |= is("enabled"),
            "ssa" => {
                let mode = if is("ignore") {
                    SsaMode::Ignore
                } else if is("ifnotpresent") {
                    SsaMode::IfNotPresent
                } else if is("merge") {
                    SsaMode::Merge
                } else {
                    SsaMode::Override
                };
                if mode.rank() > self.ssa.rank() {
                    self.ssa = mode;
                }
            }
            _ => {}
        }
    }

    /// The object is not to be applied at all.
    pub fn apply_disabled(self) -> bool {
        self.reconcile_disabled || self.ssa == SsaMode::Ignore
    }

    /// The object is not to be deleted.
    pub fn delete_disabled(self) -> bool {
        self.prune_disabled || self.apply_disabled()
    }
}

impl SsaMode {
    fn rank(self) -> u8 {
        match self {
            Self::Override => 0,
            Self::Merge => 1,
            Self::IfNotPresent => 2,
            Self::Ignore => 3,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const GROUP: &str = "kustomize.toolkit.fluxcd.io";

    #[test]
    fn labels_and_annotations_of_any_case() {
        let object = json!({"metadata": {
            "labels": {"kustomize.toolkit.fluxcd.io/prune": "Disabled"},
            "annotations": {"kustomize.toolkit.fluxcd.io/ssa": "MERGE", "kustomize.toolkit.fluxcd.io/force": "enabled"},
        }});
        let switches = Switches::of(&object, GROUP);
        assert!(switches.prune_disabled && switches.force && switches.delete_disabled());
        assert_eq!(switches.ssa, SsaMode::Merge);
        assert!(!switches.apply_disabled());
    }

    #[test]
    fn ignore_disables_apply_and_delete() {
        for value in [
            json!({"kustomize.toolkit.fluxcd.io/ssa": "Ignore"}),
            json!({"kustomize.toolkit.fluxcd.io/reconcile": "disabled"}),
        ] {
            let switches = Switches::of(&json!({"metadata": {"annotations": value}}), GROUP);
            assert!(switches.apply_disabled() && switches.delete_disabled());
        }
    }

    #[test]
    fn other_groups_and_values_do_nothing() {
        let object = json!({"metadata": {"labels": {
            "helm.toolkit.fluxcd.io/prune": "disabled",
            "kustomize.toolkit.fluxcd.io/reconcile": "enabled",
            "kustomize.toolkit.fluxcd.io/ssa": "whatever",
        }}});
        assert_eq!(Switches::of(&object, GROUP), Switches::default());
    }
}
