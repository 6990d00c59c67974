//! Incremental fetch into a bare object store and export of trees.
