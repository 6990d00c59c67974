//! Which old artifacts go: a pure selection over a directory listing.

use std::time::{Duration, SystemTime};

/// How long and how many old artifacts are kept beside the current one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Artifacts older than this go. Default 60 s.
    pub ttl: Duration,
    /// Artifacts kept at most, the current one included. Default 2.
    pub records: usize,
}

impl Default for Retention {
    fn default() -> Self {
        Retention { ttl: Duration::from_secs(60), records: 2 }
    }
}

/// An artifact file as listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// File name inside the object's directory.
    pub name: String,
    /// When it was written.
    pub modified: SystemTime,
}

impl Retention {
    /// The names of `files` that go, oldest first. `current` is never among them.
    pub fn select(&self, files: &[Candidate], current: &str, now: SystemTime) -> Vec<String> {
        let mut old: Vec<&Candidate> = files.iter().filter(|file| file.name != current).collect();
        old.sort_by(|a, b| a.modified.cmp(&b.modified).then_with(|| a.name.cmp(&b.name)));
        let expired = old
            .iter()
            .filter(|file| now.duration_since(file.modified).is_ok_and(|age| age > self.ttl))
            .count();
        // Sorted by age, so the expired ones are a prefix; and so are those above the count.
        let surplus = (old.len() + 1).saturating_sub(self.records.max(1));
        old.into_iter().take(expired.max(surplus)).map(|file| file.name.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let now = at(1000);
        let listing = |files: &[(&str, u64)]| -> Vec<Candidate> {
            files
                .iter()
                .map(|(name, age)| Candidate { name: (*name).into(), modified: at(1000 - age) })
                .collect()
        };
        type Case = (&'static [(&'static str, u64)], &'static [&'static str]);
        let cases: &[Case] = &[
            (&[("current", 500)], &[]),
            (&[("current", 0), ("a", 10)], &[]),
            (&[("current", 0), ("a", 10), ("b", 20)], &["b"]),
            (&[("current", 0), ("a", 61), ("b", 20)], &["a"]),
            (&[("current", 500), ("a", 61), ("b", 62)], &["b", "a"]),
            (&[("current", 0), ("a", 60)], &[]),
            (&[("a", 1), ("b", 2), ("c", 3)], &["c", "b"]),
        ];
        for (files, gone) in cases {
            assert_eq!(Retention::default().select(&listing(files), "current", now), *gone, "{files:?}");
        }
        let keep_one = Retention { records: 0, ..Retention::default() };
        assert_eq!(keep_one.select(&listing(&[("current", 0), ("a", 1)]), "current", now), ["a"]);
    }
}
