//! Handles of targets and channels: which reactor has them, and whether they are still the same.

use crate::error::EngineError;
use std::collections::VecDeque;

const SLOT_BITS: u32 = 24;
const MAX_SLOT: u32 = (1 << SLOT_BITS) - 1;

/// A handle: 8 bits that change with each use of a slot (never 0), then the slot. The slot decides the reactor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub shard: usize,
    /// Index within the reactor.
    pub local: u32,
}

#[derive(Clone, Copy, Default)]
pub struct Slot<T> {
    generation: u8,
    live: Option<T>,
}

/// Handles that are alive, each with what the calling side must know at once.
pub struct Handles<T> {
    what: &'static str,
    shards: usize,
    slots: Vec<Slot<T>>,
    /// By reactor: slots to use again, oldest first, and the next fresh local index.
    free: Vec<VecDeque<u32>>,
    fresh: Vec<u32>,
    len: usize,
}

impl<T: Clone + Default> Handles<T> {
    pub fn new(what: &'static str, shards: usize) -> Self {
        Self {
            what,
            shards,
            slots: Vec::new(),
            free: vec![VecDeque::new(); shards],
            fresh: vec![0; shards],
            len: 0,
        }
    }

    /// Handles that are alive.
    pub fn len(&self) -> usize {
        self.len
    }

    /// A new handle on a reactor.
    pub fn insert(&mut self, shard: usize, value: T) -> Result<(u32, Place), EngineError> {
        let local = match self.free[shard].pop_front() {
            Some(local) => local,
            None => {
                self.fresh[shard] += 1;
                self.fresh[shard] - 1
            }
        };
        let slot = local as usize * self.shards + shard;
        if slot > MAX_SLOT as usize {
            self.fresh[shard] -= 1;
            return Err(EngineError::argument(format!(
                "an engine holds at most {MAX_SLOT} {}s; use a second engine",
                self.what
            )));
        }
        if self.slots.len() <= slot {
            self.slots.resize(slot + 1, Slot::default());
        }
        let entry = &mut self.slots[slot];
        entry.generation = if entry.generation == u8::MAX {
            1
        } else {
            entry.generation + 1
        };
        entry.live = Some(value);
        self.len += 1;
        let handle = u32::from(entry.generation) << SLOT_BITS | slot as u32;
        Ok((handle, Place { shard, local }))
    }

    pub fn place(&self, handle: u32) -> Place {
        let slot = (handle & MAX_SLOT) as usize;
        Place {
            shard: slot % self.shards,
            local: (slot / self.shards) as u32,
        }
    }

    /// The value of a handle that is alive.
    pub fn get(&mut self, handle: u32) -> Option<&mut T> {
        let slot = self.slots.get_mut((handle & MAX_SLOT) as usize)?;
        (u32::from(slot.generation) == handle >> SLOT_BITS).then_some(slot.live.as_mut())?
    }

    /// As `get`, or the error that says what is wrong.
    pub fn expect(&mut self, handle: u32) -> Result<&mut T, EngineError> {
        let what = self.what;
        self.get(handle).ok_or_else(|| {
            EngineError::argument(format!(
                "no {what} has the handle {handle}; it was removed, or is of another engine"
            ))
        })
    }

    pub fn remove(&mut self, handle: u32) -> Option<T> {
        self.get(handle)?;
        let value = self.slots[(handle & MAX_SLOT) as usize].live.take();
        let place = self.place(handle);
        self.free[place.shard].push_back(place.local);
        self.len -= 1;
        value
    }

    /// All that are alive on a reactor.
    pub fn of_shard(&self, shard: usize) -> impl Iterator<Item = (u32, &T)> {
        let slots = self.slots.iter().enumerate().skip(shard);
        slots.step_by(self.shards).filter_map(|(slot, entry)| {
            let handle = u32::from(entry.generation) << SLOT_BITS | slot as u32;
            entry.live.as_ref().map(|value| (handle, value))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_removed_handle_stays_dead_when_its_slot_is_used_again() {
        let mut handles = Handles::new("target", 2);
        let (first, place) = handles.insert(1, 'a').unwrap();
        assert_eq!((place.shard, place.local), (1, 0));
        assert_eq!(handles.place(first), place);
        assert_eq!(handles.remove(first), Some('a'));
        let (second, _) = handles.insert(1, 'b').unwrap();
        assert_ne!(first, second);
        assert!(handles.get(first).is_none());
        assert_eq!(handles.remove(first), None);
        assert_eq!(handles.get(second), Some(&mut 'b'));
        let (other, place) = handles.insert(0, 'c').unwrap();
        assert_eq!((place.shard, place.local), (0, 0));
        assert_eq!(handles.of_shard(0).collect::<Vec<_>>(), [(other, &'c')]);
        assert_eq!(handles.len(), 2);
        assert!(
            handles
                .expect(77)
                .unwrap_err()
                .message
                .contains("handle 77")
        );
    }
}
