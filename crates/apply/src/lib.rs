//! Server-side apply engine with an observed-state cache.
