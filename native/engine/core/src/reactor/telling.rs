//! When the host program is woken for what was put into the outbox.

/// What probes found is gathered for so long after the program was woken last: it takes many changes at once for far
/// less than one by one, and a change that comes alone is told at once.
const GATHER_US: u64 = 50_000;
/// So many wait for nothing: more at once would hold up the program's loop.
const ENOUGH: u32 = 32;

#[derive(Default)]
pub struct Telling {
    urgent: bool,
    waiting: u32,
    last_us: u64,
}

impl Telling {
    /// An event, an answer, the end of a process: at the end of this turn.
    pub fn now(&mut self) {
        self.urgent = true;
    }

    /// Something that was found by asking, which took its time anyway.
    pub fn soon(&mut self) {
        self.waiting += 1;
    }

    /// Whether the program is to be woken; it then is.
    pub fn is_due(&mut self, now_us: u64) -> bool {
        let due = self.wait_us(now_us) == Some(0);
        if due {
            *self = Self {
                last_us: now_us,
                ..Self::default()
            };
        }
        due
    }

    /// How long until what waits has to be told.
    pub fn wait_us(&self, now_us: u64) -> Option<u64> {
        // Said between two turns, as after a panic.
        if self.urgent {
            return Some(0);
        }
        match self.waiting {
            0 => None,
            ENOUGH.. => Some(0),
            _ => Some((self.last_us + GATHER_US).saturating_sub(now_us)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ENOUGH, GATHER_US, Telling};

    const START_US: u64 = 1_000_000;

    #[test]
    fn one_change_is_told_at_once_and_what_follows_it_together() {
        let mut telling = Telling::default();
        assert!(!telling.is_due(START_US), "there is nothing to tell");
        telling.soon();
        assert!(telling.is_due(START_US));
        telling.soon();
        assert!(!telling.is_due(START_US + 1));
        assert_eq!(telling.wait_us(START_US + 1), Some(GATHER_US - 1));
        assert!(telling.is_due(START_US + GATHER_US));
        assert_eq!(telling.wait_us(START_US + GATHER_US), None);
    }

    #[test]
    fn many_changes_are_told_as_they_come() {
        let mut telling = Telling::default();
        telling.soon();
        assert!(telling.is_due(START_US));
        for _ in 1..ENOUGH {
            telling.soon();
        }
        assert!(!telling.is_due(START_US + 1));
        telling.soon();
        assert!(telling.is_due(START_US + 1));
    }

    #[test]
    fn what_is_urgent_takes_along_what_waits() {
        let mut telling = Telling::default();
        telling.soon();
        assert!(telling.is_due(START_US));
        telling.soon();
        telling.now();
        assert_eq!(telling.wait_us(START_US + 1), Some(0));
        assert!(telling.is_due(START_US + 1));
        assert!(!telling.is_due(START_US + GATHER_US * 2));
    }
}
