//! What every controller shares: flags, logs, metrics, probes, lease, queue, status patches, events.
