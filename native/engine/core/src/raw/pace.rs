//! How fast raw packets may leave: a token bucket, first come first served.

use std::collections::VecDeque;

/// What may leave at once after a pause: 10 ms' worth, so that a late turn catches up and a long one does not flood.
const BURST_US: u64 = 10_000;
const MICRO: u64 = 1_000_000;

pub struct Pace {
    per_second: u64,
    /// Millionths of a packet; below 0 when more left than was saved up.
    saved: i64,
    at_us: u64,
    waiting: VecDeque<u32>,
}

impl Pace {
    pub fn new(per_second: u32, now_us: u64) -> Self {
        Self {
            per_second: per_second.into(),
            saved: 0,
            at_us: now_us,
            waiting: VecDeque::new(),
        }
    }

    /// A target waits for its turn.
    pub fn wait(&mut self, handle: u32) {
        self.waiting.push_back(handle);
    }

    pub fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Time passes.
    pub fn advance(&mut self, now_us: u64) {
        let most = (self.per_second * BURST_US).max(MICRO) as i64;
        let gained = self.per_second * (now_us - self.at_us).min(MICRO);
        self.saved = (self.saved + gained as i64).min(most);
        self.at_us = now_us;
    }

    /// The next that may go; `spend` says what it sends.
    pub fn next(&mut self) -> Option<u32> {
        if self.saved < MICRO as i64 {
            return None;
        }
        self.waiting.pop_front()
    }

    pub fn spend(&mut self, packets: u8) {
        self.saved -= i64::from(packets) * MICRO as i64;
    }

    pub fn clear(&mut self) {
        self.waiting.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pass(pace: &mut Pace, now_us: u64, packets: u8) -> Vec<u32> {
        pace.advance(now_us);
        std::iter::from_fn(|| {
            let next = pace.next()?;
            pace.spend(packets);
            Some(next)
        })
        .collect()
    }

    #[test]
    fn all_get_their_turn_in_order_and_at_the_rate() {
        let mut pace = Pace::new(1000, 0);
        (0..100).for_each(|handle| pace.wait(handle));
        let mut passed = Vec::new();
        for tick in 1..=50u64 {
            let now = pass(&mut pace, tick * 2000, 1);
            assert_eq!(now.len(), 2, "tick {tick}");
            passed.extend(now);
        }
        assert_eq!(passed, (0..100).collect::<Vec<_>>());
        assert!(!pace.is_waiting());
    }

    #[test]
    fn a_pause_saves_up_no_flood_and_several_packets_are_paid_for() {
        let mut pace = Pace::new(1000, 0);
        (0..100).for_each(|handle| pace.wait(handle));
        assert_eq!(pass(&mut pace, 3_600_000_000, 1).len(), 10);
        // Five packets each: one goes in advance, and is paid for by what comes in.
        assert_eq!(pass(&mut pace, 3_600_001_000, 5).len(), 1);
        assert_eq!(pass(&mut pace, 3_600_004_000, 5).len(), 0);
        assert_eq!(pass(&mut pace, 3_600_006_000, 5).len(), 1);
    }

    #[test]
    fn even_the_lowest_rate_lets_one_through_at_a_time() {
        let mut pace = Pace::new(1, 0);
        pace.wait(7);
        assert!(pass(&mut pace, 999_999, 1).is_empty());
        assert_eq!(pass(&mut pace, 1_000_000, 1), [7]);
    }
}
