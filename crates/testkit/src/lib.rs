//! The real control plane and git servers for tests.
