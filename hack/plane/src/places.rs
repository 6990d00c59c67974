//! Where things lie in the checkout.

use std::path::{Path, PathBuf};

/// The root of the checkout this program was built from.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// `target/` of the checkout, whatever `CARGO_TARGET_DIR` says: the Go binaries cost minutes and are kept in one place.
pub fn target() -> PathBuf {
    root().join("target")
}

/// The folder of the running planes, one sub-folder each.
pub fn planes() -> PathBuf {
    target().join("planes")
}
