//! Merging configurations: the default, the files named in `configurations`, the `crds`, and those of the bases.

use std::cmp::Ordering;

use super::{BackReference, Config, FieldSpec};
use crate::resource::{Gvk, type_order};

impl Config {
    /// Adds what `other` has more.
    ///
    /// # Errors
    /// If both name a field, one to be created and the other not.
    pub(crate) fn merge(&mut self, other: &Self) -> Result<(), String> {
        for (own, others) in [
            (&mut self.name_prefix, &other.name_prefix),
            (&mut self.name_suffix, &other.name_suffix),
            (&mut self.namespace, &other.namespace),
            (&mut self.common_labels, &other.common_labels),
            (&mut self.labels, &other.labels),
            (&mut self.template_labels, &other.template_labels),
            (&mut self.volume_claim_template_labels, &other.volume_claim_template_labels),
            (&mut self.common_annotations, &other.common_annotations),
            (&mut self.var_reference, &other.var_reference),
            (&mut self.images, &other.images),
            (&mut self.replicas, &other.replicas),
        ] {
            merge_specs(own, others)?;
        }
        for reference in &other.name_reference {
            self.merge_reference(reference)?;
        }
        self.sort();
        Ok(())
    }

    pub(super) fn merge_reference(&mut self, reference: &BackReference) -> Result<(), String> {
        match self.name_reference.iter_mut().find(|own| own.target == reference.target) {
            Some(own) => merge_specs(&mut own.referrers, &reference.referrers),
            None => {
                self.name_reference.push(reference.clone());
                Ok(())
            }
        }
    }

    /// Orders every list by kind, so that Namespaces and service accounts come before what refers to them.
    pub(super) fn sort(&mut self) {
        for specs in [
            &mut self.name_prefix,
            &mut self.name_suffix,
            &mut self.namespace,
            &mut self.common_labels,
            &mut self.labels,
            &mut self.template_labels,
            &mut self.volume_claim_template_labels,
            &mut self.common_annotations,
            &mut self.var_reference,
            &mut self.images,
            &mut self.replicas,
        ] {
            specs.sort_by(|left, right| compare(&left.gvk, &right.gvk));
        }
        self.name_reference.sort_by(|left, right| compare(&left.target, &right.target));
    }
}

/// Adds specifications that are not there yet.
pub(crate) fn merge_specs(own: &mut Vec<FieldSpec>, others: &[FieldSpec]) -> Result<(), String> {
    for spec in others {
        let same = |own: &&FieldSpec| own.path == spec.path && own.gvk.is_selected_by(&spec.gvk);
        match own.iter().find(same) {
            Some(found) if found.create != spec.create => {
                return Err(format!(
                    "conflicting field specifications: {} of {} is both created and not created",
                    spec.path.text(),
                    spec.gvk
                ));
            }
            Some(_) => {}
            None => own.push(spec.clone()),
        }
    }
    Ok(())
}

fn compare(left: &Gvk, right: &Gvk) -> Ordering {
    fn text(gvk: &Gvk) -> String {
        let or =
            |text: &str, missing: &str| if text.is_empty() { missing.to_owned() } else { text.to_owned() };
        format!("{}_{}_{}", or(&gvk.group, "~G"), or(&gvk.version, "~V"), or(&gvk.kind, "~K"))
    }
    type_order(&left.kind).cmp(&type_order(&right.kind)).then_with(|| text(left).cmp(&text(right)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(kind: &str, path: &str, create: bool) -> FieldSpec {
        let gvk = Gvk { kind: kind.into(), ..Gvk::default() };
        FieldSpec { gvk, ..FieldSpec::everywhere(path, create) }
    }

    #[test]
    fn adds_what_is_new_and_refuses_conflicts() {
        let mut own = vec![spec("A", "x", false)];
        merge_specs(&mut own, &[spec("A", "x", false), spec("B", "x", true)]).unwrap();
        assert_eq!(own.len(), 2);
        assert!(merge_specs(&mut own, &[spec("A", "x", true)]).is_err());
        // A specification without a kind is taken for one that is there for any kind.
        merge_specs(&mut own, &[spec("", "x", false)]).unwrap();
        assert_eq!(own.len(), 2);
    }
}
