//! Watch over memory: a controller that comes near its limit shuts down in good time, so that no release stays pending
//! when the kernel kills it. Gate `OOMWatch`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::flags::Own;

/// Files with limit and use of the control group, in versions 2 and 1.
const GROUPS: [(&str, &str); 2] = [
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
];

/// What is watched.
#[derive(Debug)]
pub struct MemoryWatch {
    limit: u64,
    current: PathBuf,
    threshold: u8,
    interval: Duration,
}

impl MemoryWatch {
    /// By the flags, else by the control group. `None` when there is no limit: then there is nothing to watch.
    pub fn new(flags: &Own) -> Option<Self> {
        let given = |text: &str, default: &str| PathBuf::from(if text.is_empty() { default } else { text });
        let found = GROUPS.iter().find_map(|(max, current)| {
            let max = given(&flags.oom_watch_max_memory_path, max);
            Some((bytes(&max)?, given(&flags.oom_watch_current_memory_path, current)))
        });
        let Some((limit, current)) = found else {
            tracing::info!("the memory of this process has no limit: it is not watched");
            return None;
        };
        let threshold = flags.oom_watch_memory_threshold.clamp(1, 100);
        Some(MemoryWatch { limit, current, threshold, interval: flags.oom_watch_interval })
    }

    /// Watches, and asks for a stop when the use of memory comes near the limit.
    pub async fn run(self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(self.interval.max(Duration::from_millis(10)));
        loop {
            ticks.tick().await;
            if self.is_near() {
                tracing::error!(
                    limit = self.limit,
                    threshold = self.threshold,
                    "memory usage is near the limit: shutting down before releases stay pending"
                );
                stop.cancel();
                return;
            }
        }
    }

    fn is_near(&self) -> bool {
        let near = u128::from(self.limit) * u128::from(self.threshold);
        bytes(&self.current).is_some_and(|current| u128::from(current) * 100 >= near)
    }
}

/// The number in a file; `None` for `max` and where there is no such file.
fn bytes(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stop_is_asked_for_near_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        let (max, current) = (folder.path().join("max"), folder.path().join("current"));
        fs::write(&max, "max\n").unwrap();
        assert_eq!(bytes(&max), None);
        fs::write(&max, "1000\n").unwrap();
        fs::write(&current, "949\n").unwrap();
        let limit = bytes(&max).unwrap();
        let watch = MemoryWatch {
            limit,
            current: current.clone(),
            threshold: 95,
            interval: Duration::from_millis(1),
        };
        assert!(!watch.is_near());
        fs::write(&current, "950\n").unwrap();
        assert!(watch.is_near());
        let stop = CancellationToken::new();
        watch.run(stop.clone()).await;
        assert!(stop.is_cancelled());
    }
}
