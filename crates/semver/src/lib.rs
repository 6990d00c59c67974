//! Versions and version ranges in the Masterminds dialect, which Flux and Helm use.
//!
//! The dialect differs from Cargo's and npm's: a leading `v` and missing parts are accepted, `,` and a blank both mean
//! *and*, `1.2` means `~1.2`, `=>` and `=<` exist, and a pre-release is only considered when a bound of its *and* group
//! names one. The decisions are held equal to the Go library's by a table of some thousand answers (`tests/`).

mod constraint;
mod version;

pub use constraint::Constraint;
pub use version::Version;

/// Why a text is no version or no range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not of the form of a version.
    #[error("invalid semantic version")]
    Version,
    /// Nothing at all.
    #[error("version string empty")]
    Empty,
    /// A version longer than 256 bytes.
    #[error("version string is too long (max 256 bytes)")]
    VersionTooLong,
    /// A part that is no number.
    #[error("invalid characters in version")]
    Characters,
    /// A number with a leading zero.
    #[error("version segment starts with 0")]
    LeadingZero,
    /// A number beyond 64 bits.
    #[error("error parsing version segment: strconv.ParseUint: parsing \"{0}\": value out of range")]
    OutOfRange(String),
    /// A malformed pre-release.
    #[error("invalid prerelease string")]
    Prerelease,
    /// Malformed build metadata.
    #[error("invalid metadata string")]
    Metadata,
    /// A range that cannot be read.
    #[error("improper constraint: {0:?}")]
    Constraint(String),
    /// A range with a version in it that cannot be read.
    #[error("constraint parser error")]
    ConstraintVersion,
    /// A range longer than 512 bytes.
    #[error("constraint string is too long (max 512 bytes)")]
    ConstraintTooLong,
    /// A range with more than 32 alternatives.
    #[error("too many constraint groups (max 32)")]
    TooManyGroups,
}
