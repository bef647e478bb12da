//! Who may start: a bound in all and one a destination, first come first served, and none held up by another's bound.

use crate::endpoint::Destination;
use rustc_hash::FxHashMap;
use std::collections::VecDeque;

#[derive(Default)]
struct Place {
    in_flight: u32,
    waiting: VecDeque<u64>,
}

/// Queue of starts, by the owner's tokens.
pub struct Admission {
    max_in_flight: u32,
    max_per_destination: u32,
    in_flight: u32,
    ready: VecDeque<(u64, Destination)>,
    /// Those that someone waits for: they get every second start, so they neither wait long nor hold up the schedule.
    urgent: VecDeque<(u64, Destination)>,
    urgent_turn: bool,
    places: FxHashMap<Destination, Place>,
}

impl Admission {
    pub fn new(max_in_flight: u32, max_per_destination: u32) -> Self {
        Self {
            max_in_flight,
            max_per_destination,
            in_flight: 0,
            ready: VecDeque::new(),
            urgent: VecDeque::new(),
            urgent_turn: true,
            places: FxHashMap::default(),
        }
    }

    pub fn request(&mut self, token: u64, destination: Destination) {
        self.ready.push_back((token, destination));
    }

    /// Before others (someone waits for it), but not before all of them.
    pub fn request_urgent(&mut self, token: u64, destination: Destination) {
        self.urgent.push_back((token, destination));
    }

    /// The next that may start; it counts as in flight until [`release`](Self::release).
    pub fn next(&mut self) -> Option<(u64, Destination)> {
        while self.in_flight < self.max_in_flight {
            let (token, destination) = self.pop()?;
            if destination != Destination::Nowhere {
                let place = self.places.entry(destination).or_default();
                if place.in_flight >= self.max_per_destination {
                    place.waiting.push_back(token);
                    continue;
                }
                place.in_flight += 1;
            }
            self.in_flight += 1;
            return Some((token, destination));
        }
        None
    }

    /// True when a call of `next` may give something.
    pub fn has_ready(&self) -> bool {
        let waits = !self.ready.is_empty() || !self.urgent.is_empty();
        waits && self.in_flight < self.max_in_flight
    }

    fn pop(&mut self) -> Option<(u64, Destination)> {
        self.urgent_turn = !self.urgent_turn;
        let (first, second) = if self.urgent_turn {
            (&mut self.ready, &mut self.urgent)
        } else {
            (&mut self.urgent, &mut self.ready)
        };
        first.pop_front().or_else(|| second.pop_front())
    }

    /// One to this destination ended; whoever waited longest for it queues again behind the others.
    pub fn release(&mut self, destination: Destination) {
        self.in_flight -= 1;
        let Some(place) = self.places.get_mut(&destination) else {
            return;
        };
        place.in_flight -= 1;
        if let Some(token) = place.waiting.pop_front() {
            self.ready.push_back((token, destination));
        } else if place.in_flight == 0 {
            self.places.remove(&destination);
        }
    }

    /// Forgets all that waits and all that runs.
    pub fn reset(&mut self) {
        *self = Self::new(self.max_in_flight, self.max_per_destination);
    }

    pub fn in_flight(&self) -> u32 {
        self.in_flight
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Destination = Destination::Unix(1);
    const B: Destination = Destination::Unix(2);

    #[test]
    fn a_full_destination_does_not_hold_up_the_others() {
        let mut admission = Admission::new(10, 2);
        for token in 0..5 {
            admission.request(token, A);
        }
        admission.request(9, B);
        let started: Vec<_> = std::iter::from_fn(|| admission.next())
            .map(|s| s.0)
            .collect();
        assert_eq!(started, [0, 1, 9]);
        admission.release(A);
        admission.request(10, B);
        let started: Vec<_> = std::iter::from_fn(|| admission.next())
            .map(|s| s.0)
            .collect();
        assert_eq!(started, [2, 10]);
    }

    #[test]
    fn a_flood_of_calls_takes_every_second_start_and_no_more() {
        let mut admission = Admission::new(100, 100);
        for token in 0..5 {
            admission.request(token, Destination::Nowhere);
            admission.request_urgent(10 + token, Destination::Nowhere);
            admission.request_urgent(20 + token, Destination::Nowhere);
        }
        let started: Vec<_> = std::iter::from_fn(|| admission.next())
            .map(|s| s.0)
            .collect();
        assert_eq!(started[..10], [10, 0, 20, 1, 11, 2, 21, 3, 12, 4]);
        assert_eq!(started.len(), 15, "whoever is left gets the rest");
        assert!(!admission.has_ready());
    }

    /// The silent ones hold their places until their deadlines; whoever comes next waits for those before it only.
    #[test]
    fn starts_are_in_the_order_of_arrival_whatever_holds_the_places() {
        let silent = |n| Destination::Unix(100 + n);
        let mut admission = Admission::new(4, 2);
        (0..8).for_each(|n| admission.request(n, silent(n)));
        admission.request(50, A);
        (8..16).for_each(|n| admission.request(n, silent(n)));
        let mut order = Vec::new();
        let mut running = VecDeque::new();
        loop {
            while let Some((token, destination)) = admission.next() {
                order.push(token);
                running.push_back(destination);
            }
            match running.pop_front() {
                Some(destination) => admission.release(destination),
                None => break,
            }
        }
        assert_eq!(
            order,
            [0, 1, 2, 3, 4, 5, 6, 7, 50, 8, 9, 10, 11, 12, 13, 14, 15]
        );
    }

    #[test]
    fn the_total_is_bounded_and_all_get_their_turn() {
        let mut admission = Admission::new(3, 2);
        for token in 0..100 {
            admission.request(
                token,
                if token % 2 == 0 {
                    A
                } else {
                    Destination::Nowhere
                },
            );
        }
        let mut running = VecDeque::new();
        let mut order = Vec::new();
        loop {
            while let Some(started) = admission.next() {
                running.push_back(started);
            }
            assert!(running.len() <= 3 && admission.in_flight() as usize == running.len());
            let Some((token, destination)) = running.pop_front() else {
                break;
            };
            order.push(token);
            admission.release(destination);
        }
        order.sort_unstable();
        assert_eq!(order, (0..100).collect::<Vec<_>>());
        assert!(admission.places.is_empty());
    }
}
