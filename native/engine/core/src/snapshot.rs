//! Thresholds of all targets as bytes, keyed by the hash of the id, to survive a restart.

use crate::sync::Mutex;
use crate::thresholds::{State, Thresholds};
use crate::timing::id_hash;
use rustc_hash::FxHashMap;
use vmpulse_proto::Reason;

const MAGIC: &[u8; 8] = b"VMPSNAP\x01";
const ENTRY_BYTES: usize = 8 + 2 + 4 + 4 + 8 + 8 + 8;
const NO_REASON: u8 = u8::MAX;

/// What a snapshot says of each target, by id hash.
pub type Saved = FxHashMap<u64, Thresholds>;

/// A snapshot that is being made: each reactor adds what it has, and whoever is the last has the whole.
pub struct Gathering {
    inner: Mutex<Gathered>,
}

struct Gathered {
    bytes: Vec<u8>,
    /// Reactors that have not added theirs.
    missing: usize,
}

impl Gathering {
    /// `waiting`: entries of targets that no reactor has. They come first: of two entries of one target the later counts.
    pub fn new(waiting: &[u8], reactors: usize) -> Self {
        Self {
            inner: Mutex::new(Gathered {
                bytes: [MAGIC.as_slice(), waiting].concat(),
                missing: reactors,
            }),
        }
    }

    /// Adds the entries of a reactor; the whole snapshot, if it was the last.
    pub fn add(&self, entries: &[u8]) -> Option<Vec<u8>> {
        let mut inner = self.inner.lock();
        inner.bytes.extend_from_slice(entries);
        inner.missing -= 1;
        if inner.missing > 0 {
            return None;
        }
        let mut bytes = std::mem::take(&mut inner.bytes);
        bytes.extend_from_slice(&checksum(&bytes).to_le_bytes());
        Some(bytes)
    }
}

/// Entries of a snapshot. Blindness is about the prober that ended, so only the known state is kept.
pub fn entries<'a>(targets: impl Iterator<Item = (u64, &'a Thresholds)>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (id_hash, thresholds) in targets {
        bytes.extend_from_slice(&id_hash.to_le_bytes());
        bytes.push(thresholds.known as u8);
        bytes.push(
            thresholds
                .known_reason
                .map_or(NO_REASON, |reason| reason as u8),
        );
        bytes.extend_from_slice(&thresholds.consecutive_ok.to_le_bytes());
        bytes.extend_from_slice(&thresholds.consecutive_failed.to_le_bytes());
        bytes.extend_from_slice(&thresholds.streak_start_ms.to_le_bytes());
        bytes.extend_from_slice(&thresholds.last_at_ms.to_le_bytes());
        bytes.extend_from_slice(&thresholds.last_ok_ms.to_le_bytes());
    }
    bytes
}

/// Reads a snapshot; damage of any kind is an error.
pub fn decode(bytes: &[u8]) -> Result<Saved, &'static str> {
    let (body, sum) = bytes
        .split_last_chunk::<8>()
        .ok_or("the snapshot is cut off")?;
    let Some(entries) = body.strip_prefix(MAGIC) else {
        return Err("this is no snapshot of this version");
    };
    if u64::from_le_bytes(*sum) != checksum(body) {
        return Err("the snapshot is damaged: its checksum differs");
    }
    if entries.len() % ENTRY_BYTES != 0 {
        return Err("the snapshot is cut off");
    }
    entries.chunks_exact(ENTRY_BYTES).map(entry).collect()
}

fn entry(bytes: &[u8]) -> Result<(u64, Thresholds), &'static str> {
    let mut rest = bytes;
    let id_hash = u64::from_le_bytes(take(&mut rest));
    let [state, reason] = take(&mut rest);
    let known = State::from_index(state).ok_or("the snapshot holds an unknown state")?;
    let mut thresholds = Thresholds::new(known);
    if reason != NO_REASON {
        thresholds.known_reason =
            Some(Reason::from_index(reason).ok_or("the snapshot holds an unknown reason")?);
    }
    thresholds.consecutive_ok = u32::from_le_bytes(take(&mut rest));
    thresholds.consecutive_failed = u32::from_le_bytes(take(&mut rest));
    thresholds.streak_start_ms = u64::from_le_bytes(take(&mut rest));
    thresholds.last_at_ms = u64::from_le_bytes(take(&mut rest));
    thresholds.last_ok_ms = u64::from_le_bytes(take(&mut rest));
    Ok((id_hash, thresholds))
}

/// The next N bytes of an entry, whose length is fixed.
fn take<const N: usize>(rest: &mut &[u8]) -> [u8; N] {
    let (head, tail) = rest.split_first_chunk().expect("an entry has its bytes");
    *rest = tail;
    *head
}

fn checksum(bytes: &[u8]) -> u64 {
    let mut sum = id_hash("vmpulse");
    for chunk in bytes.chunks(8) {
        let mut word = [0u8; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        sum = (sum ^ u64::from_le_bytes(word)).wrapping_mul(0x0000_0100_0000_01b3);
        sum ^= sum >> 29;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<(u64, Thresholds)> {
        let mut thresholds = Thresholds::new(State::Failed);
        thresholds.known_reason = Some(Reason::BadStatus);
        thresholds.consecutive_failed = 4;
        thresholds.streak_start_ms = 1_700_000_000_000;
        vec![(7, thresholds), (8, Thresholds::new(State::Unknown))]
    }

    fn entries_of(targets: &[(u64, Thresholds)]) -> Vec<u8> {
        entries(targets.iter().map(|(hash, thresholds)| (*hash, thresholds)))
    }

    fn encode(targets: &[(u64, Thresholds)]) -> Vec<u8> {
        Gathering::new(&[], 1).add(&entries_of(targets)).unwrap()
    }

    #[test]
    fn round_trip() {
        let decoded = decode(&encode(&sample())).unwrap();
        assert_eq!(decoded, sample().into_iter().collect());
        assert!(decode(&encode(&[])).unwrap().is_empty());
    }

    #[test]
    fn the_last_of_many_has_the_whole_and_a_reactor_knows_better_than_who_waits() {
        let sample = sample();
        let outdated = entries_of(&[(8, sample[0].1), (9, sample[0].1)]);
        let gathering = Gathering::new(&outdated, 3);
        assert!(gathering.add(&entries_of(&sample[..1])).is_none());
        assert!(gathering.add(&[]).is_none());
        let decoded = decode(&gathering.add(&entries_of(&sample[1..])).unwrap()).unwrap();
        let expected = [sample[0], sample[1], (9, sample[0].1)];
        assert_eq!(decoded, expected.into_iter().collect());
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_found() {
        let bytes = encode(&sample());
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert!(decode(&damaged).is_err(), "byte {at}");
            assert!(decode(&bytes[..at]).is_err(), "cut at {at}");
        }
    }
}
