//! Tokens of short life, kept while they are good.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use net::Secret;
use runtime::Key;
use runtime::metrics::{Family, Registry};

use super::step::Error;

/// The longest time that a token is kept, whatever is asked for.
const LONGEST: Duration = Duration::from_secs(3600);
/// The part of a token's life after which it is obtained anew, as kubelet has it.
const USED_UP: f64 = 0.8;

/// What is counted of the cache, under Flux's names.
#[derive(Clone)]
pub struct TokenMetrics {
    events: Family,
    items: Family,
    requests: Family,
    evictions: Family,
}

impl TokenMetrics {
    /// The families of a process.
    pub fn register(registry: &Registry) -> Self {
        Self {
            events: registry.counter(
                "gotk_token_cache_events_total",
                "Total number of cache retrieval events for a Gitops Toolkit resource reconciliation.",
                &["event_type", "kind", "name", "namespace", "operation"],
            ),
            items: registry.gauge("gotk_token_cached_items", "Total number of items in the cache.", &[]),
            requests: registry.counter(
                "gotk_token_cache_requests_total",
                "Total number of cache requests partioned by success or failure.",
                &["status"],
            ),
            evictions: registry.counter(
                "gotk_token_cache_evictions_total",
                "Total number of cache evictions.",
                &[],
            ),
        }
    }

    /// Forgets what was counted for a Provider that is gone.
    pub fn forget(&self, provider: &Key) {
        self.events.remove(&[
            ("kind", "Provider"),
            ("name", provider.name()),
            ("namespace", provider.namespace()),
        ]);
    }

    fn asked(&self, provider: &Key, event: &str, status: &str) {
        self.events.inc(&[event, "Provider", provider.name(), provider.namespace(), "post"]);
        self.requests.inc(&[status]);
    }
}

/// The cache. Clones share it.
#[derive(Clone)]
pub struct Tokens {
    most: usize,
    longest: Duration,
    held: Arc<Mutex<HashMap<String, Held>>>,
    metrics: TokenMetrics,
}

struct Held {
    token: Secret,
    until: Instant,
    used: Instant,
}

impl Tokens {
    /// An empty cache for at most so many tokens, none kept for longer than `longest`. Without room for any, nothing is
    /// counted either.
    pub fn new(most: usize, longest: Duration, metrics: TokenMetrics) -> Self {
        Self { most, longest: longest.min(LONGEST), held: Arc::default(), metrics }
    }

    /// A token that is still good.
    pub fn get(&self, provider: &Key, key: &str) -> Option<Secret> {
        let now = Instant::now();
        let token = {
            let mut held = self.held();
            held.retain(|_, held| held.until > now);
            let found = held.get_mut(key)?;
            found.used = now;
            found.token.clone()
        };
        self.metrics.asked(provider, "cache_hit", "success");
        Some(token)
    }

    /// Takes in what became of obtaining a token that was not there.
    pub fn obtained(&self, provider: &Key, key: String, outcome: &Result<Option<(Secret, Duration)>, Error>) {
        if self.most == 0 {
            return;
        }
        let Ok(Some((token, life))) = outcome else {
            return self.metrics.asked(provider, "cache_miss", "failure");
        };
        let now = Instant::now();
        let mut held = self.held();
        if held.len() >= self.most && !held.contains_key(&key) {
            let oldest = held.iter().min_by_key(|(_, held)| held.used).map(|(key, _)| key.clone());
            if let Some(oldest) = oldest {
                held.remove(&oldest);
                self.metrics.evictions.inc(&[]);
            }
        }
        let until = now + life.mul_f64(USED_UP).min(self.longest);
        held.insert(key, Held { token: token.clone(), until, used: now });
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52 tokens")]
        self.metrics.items.set(&[], held.len() as f64);
        drop(held);
        self.metrics.asked(provider, "cache_miss", "success");
    }

    fn held(&self) -> MutexGuard<'_, HashMap<String, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_that_was_not_used_for_longest_goes_first() {
        let registry = Registry::default();
        let tokens = Tokens::new(2, Duration::from_secs(60), TokenMetrics::register(&registry));
        let provider = Key::new("n", "p");
        let put = |key: &str, life: u64| {
            let token = (Secret::new(key), Duration::from_secs(life));
            tokens.obtained(&provider, key.to_owned(), &Ok(Some(token)));
        };
        let has = |key: &str| tokens.get(&provider, key).is_some();
        put("a", 60);
        put("b", 60);
        assert!(has("a"));
        put("c", 60);
        assert!(has("a") && has("c") && !has("b"));
        put("a", 0);
        assert!(!has("a"), "it is good for no time at all");
        tokens.obtained(&provider, "d".to_owned(), &Err(Error::Delivery("refused".to_owned())));
        let text = registry.print();
        for line in [
            r#"gotk_token_cache_events_total{event_type="cache_hit",kind="Provider",name="p",namespace="n",operation="post"} 3"#,
            r#"gotk_token_cache_events_total{event_type="cache_miss",kind="Provider",name="p",namespace="n",operation="post"} 5"#,
            r#"gotk_token_cache_requests_total{status="failure"} 1"#,
            r#"gotk_token_cache_requests_total{status="success"} 7"#,
            "gotk_token_cache_evictions_total 1",
            "gotk_token_cached_items 2",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
        tokens.metrics.forget(&provider);
        assert!(!registry.print().contains("cache_hit"));
    }

    #[test]
    fn without_room_nothing_is_kept_or_counted() {
        let registry = Registry::default();
        let tokens = Tokens::new(0, Duration::from_secs(60), TokenMetrics::register(&registry));
        let provider = Key::new("n", "p");
        let token = (Secret::new("t"), Duration::from_secs(60));
        tokens.obtained(&provider, "a".to_owned(), &Ok(Some(token)));
        assert!(tokens.get(&provider, "a").is_none());
        assert!(!registry.print().contains("gotk_token"));
    }
}
