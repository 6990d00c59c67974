//! Scenarios on the real control plane.
