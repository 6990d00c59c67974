//! Random numbers.

/// A small generator of random numbers (splitmix64): the same seed gives the same numbers on every machine.
pub struct Random(u64);

fn mixed(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Random {
    /// Begins at `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Random {
        // Mixed, or the numbers of one seed would be those of the one before, moved by one.
        Random(mixed(seed.wrapping_add(0x5851_f42d_4c95_7f2d)))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed(self.0)
    }

    /// A number less than `end`, or 0.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).unwrap_or(0)
    }

    /// True in `percent` of 100 cases.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// One of the choices.
    ///
    /// # Panics
    /// When there are none.
    #[expect(clippy::indexing_slicing, reason = "as said")]
    pub fn pick<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.below(all.len())]
    }

    /// Any integer; small ones are more likely.
    pub fn integer(&mut self) -> i64 {
        match self.below(8) {
            0 => 0,
            1 => 1,
            2 => -1,
            3 => self.next().cast_signed(),
            4 => i64::from(self.next() as u32 as i32),
            5 => self.below(100) as i64 - 50,
            _ => self.below(12) as i64,
        }
    }

    /// Any finite number; those that people write are more likely.
    pub fn float(&mut self) -> f64 {
        match self.below(7) {
            0 => self.below(1000) as f64 / 8.0,
            1 => self.integer() as f64,
            2 => self.below(100_000) as f64 / 1000.0 - 50.0,
            3 => {
                let scale = self.below(60) as i32 - 30;
                self.below(10_000) as f64 * 10f64.powi(scale)
            }
            4 => {
                let value = f64::from_bits(self.next());
                if value.is_finite() { value } else { 0.5 }
            }
            5 => self.below(20) as f64,
            _ => (self.below(40) as f64 - 20.0) / 4.0,
        }
    }
}
