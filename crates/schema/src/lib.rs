//! Built-in merge keys, list types and scopes as compact tables.
