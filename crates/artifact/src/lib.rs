//! Deterministic tar.gz writer, hardened reader, digests, store, file server, fetch.
