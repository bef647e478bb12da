//! Slots with generations: a key of something that ended never finds what came after it.

/// Index and generation packed: the low 32 bits are the index, the next 24 the generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key(u64);

impl Key {
    const GENERATION_MASK: u32 = 0x00ff_ffff;
    const TICKET_INDEX: u32 = 0x000f_ffff;

    /// Fits 56 bits.
    pub fn bits(self) -> u64 {
        self.0
    }

    pub fn from_bits(bits: u64) -> Self {
        Self(bits & 0x00ff_ffff_ffff_ffff)
    }

    /// Index and generation in 32 bits, as far as they fit: the low 20 bits of the one, the low 12 of the other.
    /// `None` for an index beyond.
    pub fn ticket(self) -> Option<u32> {
        let index = self.index() as u32;
        (index <= Self::TICKET_INDEX).then_some(index << 12 | self.generation() & 0xfff)
    }

    fn new(index: usize, generation: u32) -> Self {
        Self(u64::from(generation) << 32 | index as u64)
    }

    fn index(self) -> usize {
        (self.0 & 0xffff_ffff) as usize
    }

    fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// A slab; removed slots are used again with the next generation.
pub struct Slab<T> {
    slots: Vec<(u32, Option<T>)>,
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T> Slab<T> {
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub fn insert(&mut self, value: T) -> Key {
        if let Some(index) = self.free.pop() {
            let slot = &mut self.slots[index as usize];
            slot.1 = Some(value);
            return Key::new(index as usize, slot.0);
        }
        let index = self.slots.len();
        assert!(index < u32::MAX as usize, "fewer than 2^32 entries");
        self.slots.push((0, Some(value)));
        Key::new(index, 0)
    }

    pub fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let slot = self.slots.get_mut(key.index())?;
        (slot.0 == key.generation()).then_some(slot.1.as_mut())?
    }

    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().filter_map(|(_, value)| value.as_ref())
    }

    /// Removes all; their keys stay stale.
    pub fn clear(&mut self) {
        for index in 0..self.slots.len() {
            let generation = self.slots[index].0;
            self.remove(Key::new(index, generation));
        }
    }

    /// The key of a ticket, if what it was given for is still there (or 4,096 generations later).
    pub fn find(&self, ticket: u32) -> Option<Key> {
        let index = (ticket >> 12) as usize;
        let (generation, value) = self.slots.get(index)?;
        let is_same = value.is_some() && generation & 0xfff == ticket & 0xfff;
        is_same.then(|| Key::new(index, *generation))
    }

    pub fn remove(&mut self, key: Key) -> Option<T> {
        let slot = self.slots.get_mut(key.index())?;
        if slot.0 != key.generation() {
            return None;
        }
        let value = slot.1.take()?;
        slot.0 = (slot.0 + 1) & Key::GENERATION_MASK;
        self.free.push(key.index() as u32);
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_key_finds_nothing() {
        let mut slab = Slab::default();
        let first = slab.insert('a');
        assert_eq!(slab.remove(first), Some('a'));
        let second = slab.insert('b');
        assert_ne!(first, second);
        assert_eq!(slab.get_mut(first), None);
        assert_eq!(slab.remove(first), None);
        assert_eq!(
            slab.get_mut(Key::from_bits(second.bits() | 7 << 56)),
            Some(&mut 'b')
        );
        assert_eq!(slab.find(second.ticket().unwrap()), Some(second));
        assert_eq!(slab.find(first.ticket().unwrap()), None);
        assert_eq!(slab.find(77 << 12), None);
        assert_eq!(slab.len(), 1);
        assert_eq!(slab.slots.len(), 1);
        slab.clear();
        assert_eq!(slab.len(), 0);
        let third = slab.insert('c');
        assert_eq!(slab.get_mut(second), None);
        assert_eq!(slab.get_mut(third), Some(&mut 'c'));
    }
}
