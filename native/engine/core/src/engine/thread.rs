//! The life of a reactor's thread: a panic restarts the reactor, too many of them end it, none ends the process.

use crate::clock;
use crate::command::Shared;
use crate::reactor::Reactor;
use crate::scheduler;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// So many panics within the window are followed by a restart. A target that causes them has one a minute at most
/// (see `reactor/revive.rs`), so more than that is a fault of the reactor.
const MOST_PANICS: usize = 32;
const WINDOW_US: u64 = 60_000_000;

/// Body of a reactor thread.
pub fn run(mut reactor: Reactor, shared: &Shared) {
    scheduler::ask_for_short_slices();
    let mut restarts = Restarts::default();
    // An error of epoll_wait is as unforeseen as a panic.
    let mut ended = catch(|| reactor.run().is_ok());
    while ended != Some(true) {
        shared.stats.panicked();
        if !restarts.allow(clock::mono_us()) {
            if catch(|| reactor.go_down()).is_none() {
                shared.go_down([]);
            }
            return;
        }
        ended = catch(|| {
            reactor.revive();
            reactor.run().is_ok()
        });
    }
}

/// `None`: it panicked. What is left is made consistent by `revive`, or never looked at again.
fn catch<T>(step: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(step)).ok()
}

/// When panics happened; bounded.
#[derive(Default)]
struct Restarts {
    at_us: VecDeque<u64>,
}

impl Restarts {
    /// Counts a panic; false: there were too many in too short a time.
    fn allow(&mut self, now_us: u64) -> bool {
        while self.at_us.front().is_some_and(|at| now_us - at > WINDOW_US) {
            self.at_us.pop_front();
        }
        self.at_us.push_back(now_us);
        self.at_us.len() <= MOST_PANICS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panics_are_forgiven_when_they_are_rare() {
        let mut restarts = Restarts::default();
        for second in 0..1000 {
            assert!(restarts.allow(second * 2_000_000), "one in 2 s");
        }
        let mut restarts = Restarts::default();
        let allowed = (0..100)
            .take_while(|n| restarts.allow(n * 1_000_000))
            .count();
        assert_eq!(allowed, MOST_PANICS);
        assert!(restarts.at_us.len() <= MOST_PANICS + 1);
    }
}
