//! Outbound HTTP and credentials from Secret data.
