//! Hierarchical timing wheel: O(1) insert and cancel, memory bounded by the number of armed timers.

const LEVELS: usize = 6;
const SLOT_BITS: u32 = 6;
const SLOTS: usize = 1 << SLOT_BITS;
/// 2^35 ticks ahead, two years at 2 ms; later deadlines fire then.
const HORIZON_TICKS: u64 = 1 << (SLOT_BITS * LEVELS as u32 - 1);
const NONE: u32 = u32::MAX;

/// An armed timer, until it fires or is cancelled; from then on it means nothing, whatever takes its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerKey {
    index: u32,
    generation: u32,
}

#[derive(Clone, Copy)]
struct Entry {
    deadline: u64,
    token: u64,
    next: u32,
    prev: u32,
    /// Of those that had this place one after the other.
    generation: u32,
    /// `level * SLOTS + slot`, or `u16::MAX` when free.
    place: u16,
}

/// Timers by tick; the owner gives tokens their meaning.
pub struct Wheel {
    now: u64,
    entries: Vec<Entry>,
    free: u32,
    heads: Box<[u32; LEVELS * SLOTS]>,
    occupied: [u64; LEVELS],
}

impl Wheel {
    pub fn new(now: u64) -> Self {
        Self {
            now,
            entries: Vec::new(),
            free: NONE,
            heads: Box::new([NONE; LEVELS * SLOTS]),
            occupied: [0; LEVELS],
        }
    }

    /// Arms a timer; a deadline that is not in the future fires at the next tick.
    pub fn insert(&mut self, deadline: u64, token: u64) -> TimerKey {
        let deadline = deadline.clamp(self.now + 1, self.now + HORIZON_TICKS);
        let mut entry = Entry {
            deadline,
            token,
            next: NONE,
            prev: NONE,
            generation: 0,
            place: 0,
        };
        let index = if self.free == NONE {
            let index = u32::try_from(self.entries.len()).expect("fewer than 2^32 timers");
            self.entries.push(entry);
            index
        } else {
            let index = self.free;
            let freed = self.entries[index as usize];
            self.free = freed.next;
            entry.generation = freed.generation;
            self.entries[index as usize] = entry;
            index
        };
        self.link(index);
        TimerKey {
            index,
            generation: entry.generation,
        }
    }

    /// Disarms a timer. One that has fired needs that no more: of those that fire together, the first to be handled may
    /// end what another one was armed for.
    pub fn cancel(&mut self, key: TimerKey) {
        if self.entries[key.index as usize].generation == key.generation {
            self.unlink(key.index);
            self.release(key.index);
        }
    }

    /// The tick of the next work, or `None` when no timer is armed. Never later than the next deadline.
    pub fn next_tick(&self) -> Option<u64> {
        self.next_slot().map(|(_, tick)| tick)
    }

    /// Moves time to `to` and appends the tokens that fired, earliest deadline first.
    pub fn advance(&mut self, to: u64, fired: &mut Vec<u64>) {
        while let Some((place, tick)) = self.next_slot() {
            if tick > to {
                break;
            }
            self.now = tick;
            let mut index = self.heads[place];
            self.heads[place] = NONE;
            self.occupied[place / SLOTS] &= !(1 << (place % SLOTS));
            while index != NONE {
                let entry = self.entries[index as usize];
                if entry.deadline <= tick {
                    fired.push(entry.token);
                    self.release(index);
                } else {
                    self.link(index);
                }
                index = entry.next;
            }
        }
        self.now = self.now.max(to);
    }

    /// The first occupied slot and the tick it begins at. A lower level is always due before a higher one.
    fn next_slot(&self) -> Option<(usize, u64)> {
        let level = self.occupied.iter().position(|&bits| bits != 0)?;
        let shift = SLOT_BITS * level as u32;
        let now_slot = (self.now >> shift) & (SLOTS as u64 - 1);
        let ahead = self.occupied[level]
            .rotate_right(now_slot as u32)
            .trailing_zeros();
        let slot = (now_slot + u64::from(ahead)) % SLOTS as u64;
        let turn = 1u64 << (shift + SLOT_BITS);
        let mut tick = (self.now & !(turn - 1)) + (slot << shift);
        if tick <= self.now {
            tick += turn;
        }
        Some((level * SLOTS + slot as usize, tick))
    }

    fn link(&mut self, index: u32) {
        let deadline = self.entries[index as usize].deadline;
        let differing = (self.now ^ deadline) | (SLOTS as u64 - 1);
        let level = ((63 - differing.leading_zeros()) / SLOT_BITS).min(LEVELS as u32 - 1);
        let slot = (deadline >> (SLOT_BITS * level)) & (SLOTS as u64 - 1);
        let place = level as usize * SLOTS + slot as usize;
        let head = self.heads[place];
        let entry = &mut self.entries[index as usize];
        entry.place = place as u16;
        entry.prev = NONE;
        entry.next = head;
        if head != NONE {
            self.entries[head as usize].prev = index;
        }
        self.heads[place] = index;
        self.occupied[level as usize] |= 1 << slot;
    }

    fn unlink(&mut self, index: u32) {
        let Entry {
            next, prev, place, ..
        } = self.entries[index as usize];
        assert_ne!(place, u16::MAX, "the timer is armed");
        if next != NONE {
            self.entries[next as usize].prev = prev;
        }
        if prev == NONE {
            self.heads[usize::from(place)] = next;
            if next == NONE {
                self.occupied[usize::from(place) / SLOTS] &= !(1 << (usize::from(place) % SLOTS));
            }
        } else {
            self.entries[prev as usize].next = next;
        }
    }

    fn release(&mut self, index: u32) {
        let entry = &mut self.entries[index as usize];
        entry.place = u16::MAX;
        entry.generation = entry.generation.wrapping_add(1);
        entry.next = self.free;
        self.free = index;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// xorshift: deterministic, no dependency.
    struct Random(u64);
    impl Random {
        fn below(&mut self, bound: u64) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0 % bound
        }
    }

    #[test]
    fn fires_at_its_tick_and_not_before() {
        for delay in [1, 2, 63, 64, 65, 4095, 4096, 4097, 262_144, 1 << 30] {
            for start in [0, 1, 63, 64, 1_000_003] {
                let mut wheel = Wheel::new(start);
                let mut fired = Vec::new();
                wheel.insert(start + delay, 7);
                wheel.advance(start + delay - 1, &mut fired);
                assert!(fired.is_empty(), "start {start} delay {delay}: early");
                wheel.advance(start + delay, &mut fired);
                assert_eq!(fired, [7], "start {start} delay {delay}");
                assert_eq!(wheel.next_tick(), None);
            }
        }
    }

    #[test]
    fn the_past_fires_at_the_next_tick() {
        let mut wheel = Wheel::new(100);
        let mut fired = Vec::new();
        wheel.insert(5, 1);
        assert_eq!(wheel.next_tick(), Some(101));
        wheel.advance(100, &mut fired);
        assert!(fired.is_empty());
        wheel.advance(101, &mut fired);
        assert_eq!(fired, [1]);
    }

    #[test]
    fn beyond_the_horizon_fires_at_the_horizon() {
        let mut wheel = Wheel::new(3);
        let mut fired = Vec::new();
        wheel.insert(u64::MAX, 1);
        wheel.advance(3 + HORIZON_TICKS, &mut fired);
        assert_eq!(fired, [1]);
    }

    #[test]
    fn agrees_with_a_sorted_list_under_random_use() {
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        let mut wheel = Wheel::new(12_345);
        let mut model: Vec<(u64, u64, TimerKey)> = Vec::new();
        let mut now = 12_345;
        let mut fired = Vec::new();
        for token in 0..20_000u64 {
            let spread = [3, 100, 5_000, 300_000, 20_000_000][random.below(5) as usize];
            let deadline = now + 1 + random.below(spread);
            model.push((deadline, token, wheel.insert(deadline, token)));
            if random.below(4) == 0 && !model.is_empty() {
                let index = random.below(model.len() as u64) as usize;
                let (_, _, key) = model.swap_remove(index);
                wheel.cancel(key);
            }
            if random.below(3) == 0 {
                now += random.below(2_000);
                fired.clear();
                wheel.advance(now, &mut fired);
                let mut expected: Vec<_> =
                    model.iter().filter(|t| t.0 <= now).map(|t| t.1).collect();
                model.retain(|timer| timer.0 > now);
                fired.sort_unstable();
                expected.sort_unstable();
                assert_eq!(fired, expected);
            }
            assert_eq!(wheel.next_tick().is_none(), model.is_empty());
            if let Some(tick) = wheel.next_tick() {
                let first = model.iter().map(|timer| timer.0).min().unwrap();
                assert!(now < tick && tick <= first);
            }
        }
    }

    #[test]
    fn a_key_of_a_timer_that_fired_cancels_nothing_whatever_took_its_place() {
        let mut wheel = Wheel::new(0);
        let mut fired = Vec::new();
        let (first, second) = (wheel.insert(5, 1), wheel.insert(5, 2));
        wheel.advance(5, &mut fired);
        fired.sort_unstable();
        assert_eq!(fired, [1, 2]);
        // Whoever handles the one ends what the other was for.
        wheel.cancel(second);
        let (third, fourth) = (wheel.insert(9, 3), wheel.insert(9, 4));
        wheel.cancel(first);
        wheel.cancel(second);
        wheel.cancel(third);
        wheel.cancel(third);
        fired.clear();
        wheel.advance(9, &mut fired);
        assert_eq!(fired, [4]);
        assert_eq!(wheel.entries.len(), 2);
        wheel.cancel(fourth);
    }

    #[test]
    fn memory_is_bounded_by_the_timers_armed_at_once() {
        let mut wheel = Wheel::new(0);
        for round in 0..10_000 {
            let key = wheel.insert(round + 50, round);
            wheel.cancel(key);
        }
        assert_eq!(wheel.entries.len(), 1);
    }
}
