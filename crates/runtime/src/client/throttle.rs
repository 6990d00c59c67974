//! A token bucket for API servers that do not protect themselves.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Limits the rate of requests of all clients that share it. Off until told otherwise.
#[derive(Clone, Debug)]
pub struct Throttle(Arc<Mutex<Option<Bucket>>>);

#[derive(Debug)]
struct Bucket {
    per_second: f64,
    burst: f64,
    tokens: f64,
    filled: Instant,
}

impl Throttle {
    /// A throttle without limit.
    #[must_use]
    pub fn off() -> Self {
        Self(Arc::default())
    }

    /// Allows `burst` requests at once and `per_second` in the long run. A rate of zero or less means no limit.
    pub fn limit(&self, per_second: f32, burst: u32) {
        let burst = f64::from(burst.max(1));
        let bucket =
            Bucket { per_second: f64::from(per_second), burst, tokens: burst, filled: Instant::now() };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (per_second > 0.0).then_some(bucket);
    }

    /// Waits until a request may be sent.
    pub async fn wait(&self) {
        let delay = self.reserve(Instant::now());
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
    }

    /// Takes a token, which may have to be waited for.
    fn reserve(&self, now: Instant) -> Duration {
        let mut guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(bucket) = guard.as_mut() else { return Duration::ZERO };
        let passed = now.saturating_duration_since(bucket.filled).as_secs_f64();
        bucket.filled = now;
        bucket.tokens = (bucket.tokens + passed * bucket.per_second).min(bucket.burst) - 1.0;
        if bucket.tokens >= 0.0 {
            Duration::ZERO
        } else {
            Duration::from_secs_f64(-bucket.tokens / bucket.per_second)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_burst_is_free_and_the_rest_waits() {
        let throttle = Throttle::off();
        let now = Instant::now();
        assert_eq!(throttle.reserve(now), Duration::ZERO);
        throttle.limit(50.0, 2);
        let delays: Vec<u128> = (0..4).map(|_| throttle.reserve(now).as_millis()).collect();
        assert_eq!(delays, [0, 0, 20, 40]);
        assert_eq!(throttle.reserve(now + Duration::from_secs(60)), Duration::ZERO);
    }
}
