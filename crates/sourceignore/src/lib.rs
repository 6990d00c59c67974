//! .sourceignore rules.
