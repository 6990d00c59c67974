//! What the user sees: one line a step, with the time since the beginning, and the sum at the end.

use std::time::{Duration, Instant};

/// The story so far.
pub(crate) struct Story {
    begun: Instant,
    measured: Vec<(String, Duration)>,
}

impl Story {
    pub(crate) fn begin() -> Self {
        Self { begun: Instant::now(), measured: Vec::new() }
    }

    /// One line: who, and what became of it.
    pub(crate) fn say(&self, who: &str, what: &str) {
        println!("{:>7.2} s  {who:<26} {what}", self.begun.elapsed().as_secs_f64());
    }

    /// A blank line and what comes next.
    pub(crate) fn chapter(&self, title: &str) {
        println!("\n{title}");
    }

    /// A time that the sum at the end repeats.
    pub(crate) fn measure(&mut self, what: &str, time: Duration) {
        self.measured.push((what.to_owned(), time));
    }

    /// When the story began: reporters in other tasks print the same clock.
    pub(crate) fn clock(&self) -> Self {
        Self { begun: self.begun, measured: Vec::new() }
    }

    pub(crate) fn sum_up(&self) {
        println!();
        for (what, time) in &self.measured {
            println!("{:>7.2} s  {what}", time.as_secs_f64());
        }
    }
}
