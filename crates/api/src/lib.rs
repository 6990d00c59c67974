//! CRD types of the four groups, conditions and reasons.
