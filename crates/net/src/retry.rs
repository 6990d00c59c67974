//! When a request is sent again.

use std::time::Duration;

use rand::RngExt as _;

/// What a response says about sending the request again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Take the response as it is.
    Take,
    /// Send the request again.
    Again,
}

/// A bounded number of tries with exponential waits. Default: 4 retries after 1, 2, 4 and 8 s.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Retry {
    /// Tries after the first one.
    pub retries: u32,
    /// The wait before the first retry; each later wait is twice the one before.
    pub first_wait: Duration,
    /// No wait is longer.
    pub longest_wait: Duration,
    /// Part of each wait that is random, 0 to 1: spreads clients that failed together.
    pub spread: f64,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            retries: 4,
            first_wait: Duration::from_secs(1),
            longest_wait: Duration::from_secs(30),
            spread: 0.0,
        }
    }
}

impl Retry {
    /// Never sends a request again.
    pub const NONE: Self =
        Self { retries: 0, first_wait: Duration::ZERO, longest_wait: Duration::ZERO, spread: 0.0 };

    /// The wait before retry `number`, counted from 0; `None` when the tries are used up.
    pub fn wait(&self, number: u32) -> Option<Duration> {
        if number >= self.retries {
            return None;
        }
        let factor = 2u32.checked_pow(number).unwrap_or(u32::MAX);
        let wait = self.first_wait.saturating_mul(factor).min(self.longest_wait);
        if self.spread <= 0.0 {
            return Some(wait);
        }
        let random: f64 = rand::rng().random_range(0.0..1.0);
        Some(wait.mul_f64(1.0 - self.spread.min(1.0) * random))
    }

    /// What a response says: without one, and with a 5xx status except 501, the request is sent again. 429 is an answer:
    /// the receiver has it already (events), or wants to be left alone.
    pub fn verdict(status: Option<http::StatusCode>) -> Verdict {
        match status {
            None => Verdict::Again,
            Some(http::StatusCode::NOT_IMPLEMENTED) => Verdict::Take,
            Some(status) if status.is_server_error() => Verdict::Again,
            Some(_) => Verdict::Take,
        }
    }
}
