//! Whether the kernel's table of tracked connections is full: new ones are then dropped without a word, and a probe of
//! ours looks as if its target were silent.

use std::fs;

const COUNT: &str = "/proc/sys/net/netfilter/nf_conntrack_count";
const MAX: &str = "/proc/sys/net/netfilter/nf_conntrack_max";
/// How long one look is used.
const FRESH_US: u64 = 100_000;

#[derive(Default)]
pub struct Conntrack {
    looked_at_us: Option<u64>,
    full: bool,
}

impl Conntrack {
    /// The table of this thread's network namespace. Without connection tracking it is never full.
    pub fn is_full(&mut self, now_us: u64) -> bool {
        if self.looked_at_us.is_none_or(|at| now_us - at > FRESH_US) {
            self.looked_at_us = Some(now_us);
            self.full = match (number(COUNT), number(MAX)) {
                (Some(count), Some(max)) => is_full(count, max),
                _ => false,
            };
        }
        self.full
    }
}

/// The look comes up to a time-out after the drop, so a table that is full but for a twentieth counts as well.
fn is_full(count: u64, max: u64) -> bool {
    max > 0 && count >= max - max / 20
}

fn number(path: &str) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_full_from_nineteen_twentieths_on() {
        assert!(is_full(262_144, 262_144) && is_full(249_037, 262_144) && is_full(4, 4));
        assert!(!is_full(249_036, 262_144) && !is_full(0, 262_144));
        assert!(!is_full(5, 0), "0: no bound");
    }
}
