/// Why a text cannot be substituted. The texts are Flux's; the caller adds which object it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A variable name that the shell would refuse.
    #[error("'{0}' var name is invalid, must match '^[_[:alpha:]][_[:alpha:][:digit:]]*$'")]
    InvalidName(String),
    /// A variable without value, where that is refused.
    #[error("variable substitution failed: variable not set (strict mode): {0:?}")]
    Unset(String),
    /// `${}`, `${ x}`, `${!x}`.
    #[error("unable to parse variable name")]
    VariableName,
    /// `${a.b}`, `${a`.
    #[error("missing closing brace")]
    MissingBrace,
    /// `${a/b}` and other half operators.
    #[error("bad substitution")]
    BadSubstitution,
    /// An operator without its argument: `${a:}`.
    #[error("unable to parse substitution within function")]
    MissingArgument,
    /// Expansions inside expansions, too deep.
    #[error("expansions are nested more than {} deep", crate::MAX_DEPTH)]
    TooDeep,
    /// The result would be larger than memory should hold.
    #[error("the result is larger than {} MiB", crate::MAX_BYTES >> 20)]
    TooLarge,
    /// A byte offset cut a character in two.
    #[error("a substring ends inside a character: offsets and lengths count bytes")]
    NotText,
}

impl Error {
    /// Whether the text itself is malformed, whatever the variables.
    pub fn is_syntax(&self) -> bool {
        matches!(
            self,
            Error::VariableName
                | Error::MissingBrace
                | Error::BadSubstitution
                | Error::MissingArgument
                | Error::TooDeep
        )
    }
}
