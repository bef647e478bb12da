//! What waits to be collected by the host program: one entry a target, bounded queues a channel, answers.

use crate::news::{Answer, ChannelEvent, ChannelNews, Collected, Completion, Due, Transition};
use crate::sync::Mutex;
use rustc_hash::FxHashMap;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Events of one channel that are kept while nobody collects them.
pub const MAX_CHANNEL_EVENTS: usize = 256;
/// Bytes of JSON in them.
pub const MAX_CHANNEL_EVENT_BYTES: usize = 1024 * 1024;

/// A target's place in the outbox: valid while the outbox has the same turn.
#[derive(Clone, Copy, Debug, Default)]
pub struct Dirty {
    turn: u32,
    /// Place + 1; 0: none.
    transition: u32,
    due: u32,
}

#[derive(Default)]
struct ChannelQueue {
    events: VecDeque<(u64, ChannelNews)>,
    bytes: usize,
    dropped: u64,
}

#[derive(Default)]
struct Inner {
    turn: u32,
    transitions: Vec<Transition>,
    dues: Vec<Due>,
    completions: Vec<Completion>,
    channels: FxHashMap<u32, ChannelQueue>,
}

/// Tells the host program, from any thread, that there is something to collect. Must not block.
pub type Notify = Arc<dyn Fn() + Send + Sync>;

/// One per reactor: written by it, emptied by the host program.
pub struct Outbox {
    inner: Mutex<Inner>,
    /// Shared by all reactors: a signal is on its way and nothing was collected since.
    signalled: Arc<AtomicBool>,
    notify: Notify,
    coalesced: AtomicU64,
}

impl Outbox {
    pub fn new(signalled: Arc<AtomicBool>, notify: Notify) -> Self {
        Self {
            inner: Mutex::default(),
            signalled,
            notify,
            coalesced: AtomicU64::new(0),
        }
    }

    /// Keeps the first `from` and the newest rest of what was not collected.
    pub fn transition(&self, dirty: &mut Dirty, mut next: Transition) {
        let mut inner = self.inner.lock();
        dirty.renew(inner.turn);
        if let Some(entry) = place_mut(&mut inner.transitions, dirty.transition) {
            if entry.epoch == next.epoch {
                next.change.from = entry.change.from;
            }
            next.coalesced = entry.coalesced + 1;
            *entry = next;
            self.coalesced.fetch_add(1, Ordering::Relaxed);
        } else {
            inner.transitions.push(next);
            dirty.transition = inner.transitions.len() as u32;
        }
    }

    pub fn due(&self, dirty: &mut Dirty, next: Due) {
        let mut inner = self.inner.lock();
        dirty.renew(inner.turn);
        if let Some(entry) = place_mut(&mut inner.dues, dirty.due) {
            *entry = next;
        } else {
            inner.dues.push(next);
            dirty.due = inner.dues.len() as u32;
        }
    }

    pub fn complete(&self, call: u32, answer: Answer) {
        self.inner
            .lock()
            .completions
            .push(Completion { call, answer });
    }

    pub fn channel_event(&self, channel: u32, at_ms: u64, news: ChannelNews) {
        let mut inner = self.inner.lock();
        let queue = inner.channels.entry(channel).or_default();
        queue.bytes += news.bytes();
        queue.events.push_back((at_ms, news));
        while queue.events.len() > MAX_CHANNEL_EVENTS || queue.bytes > MAX_CHANNEL_EVENT_BYTES {
            let Some((_, old)) = queue.events.pop_front() else {
                break;
            };
            queue.bytes -= old.bytes();
            queue.dropped += 1;
        }
    }

    /// Signals unless a signal is on its way.
    pub fn signal(&self) {
        if !self.signalled.swap(true, Ordering::AcqRel) {
            (self.notify)();
        }
    }

    /// Moves out what waits. Transitions and dues stay, and go on coalescing, unless they are asked for.
    pub fn collect(&self, with_transitions: bool, into: &mut Collected) {
        let mut inner = self.inner.lock();
        if with_transitions {
            inner.turn = inner.turn.wrapping_add(1);
            into.transitions.append(&mut inner.transitions);
            into.dues.append(&mut inner.dues);
        }
        into.completions.append(&mut inner.completions);
        for (channel, queue) in inner.channels.drain() {
            if queue.dropped > 0 {
                into.channel_events.push(ChannelEvent {
                    channel,
                    at_ms: queue.events.front().map_or(0, |event| event.0),
                    news: ChannelNews::Dropped {
                        count: queue.dropped,
                    },
                });
            }
            into.channel_events
                .extend(queue.events.into_iter().map(|(at_ms, news)| ChannelEvent {
                    channel,
                    at_ms,
                    news,
                }));
        }
    }

    /// Transitions that were replaced before they were collected, in total.
    pub fn coalesced(&self) -> u64 {
        self.coalesced.load(Ordering::Relaxed)
    }
}

impl Dirty {
    fn renew(&mut self, turn: u32) {
        if self.turn != turn {
            *self = Self {
                turn,
                ..Self::default()
            };
        }
    }
}

fn place_mut<T>(entries: &mut [T], place: u32) -> Option<&mut T> {
    entries.get_mut((place as usize).checked_sub(1)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::thresholds::{Change, State};
    use std::sync::atomic::AtomicUsize;

    fn transition(from: State, to: State, epoch: u32) -> Transition {
        Transition {
            handle: 1,
            epoch,
            change: Change {
                from,
                to,
                reason: None,
                at_ms: 1,
                streak_start_ms: 1,
                count: 1,
                last_ok_ms: 0,
            },
            duration_us: 0,
            coalesced: 0,
        }
    }

    fn outbox() -> (Outbox, Arc<AtomicUsize>) {
        let signals = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&signals);
        let notify = move || {
            counter.fetch_add(1, Ordering::Relaxed);
        };
        (Outbox::new(Arc::default(), Arc::new(notify)), signals)
    }

    #[test]
    fn one_entry_a_target_with_the_first_from_and_the_last_to() {
        let (outbox, _) = outbox();
        let mut dirty = Dirty::default();
        outbox.transition(&mut dirty, transition(State::Ok, State::Failed, 1));
        outbox.transition(&mut dirty, transition(State::Failed, State::Ok, 1));
        outbox.transition(&mut dirty, transition(State::Ok, State::Blind, 1));
        let mut collected = Collected::default();
        outbox.collect(true, &mut collected);
        assert_eq!(collected.transitions.len(), 1);
        let only = collected.transitions[0];
        assert_eq!(
            (only.change.from, only.change.to),
            (State::Ok, State::Blind)
        );
        assert_eq!(only.coalesced, 2);
        assert_eq!(outbox.coalesced(), 2);
        outbox.transition(&mut dirty, transition(State::Blind, State::Ok, 1));
        let mut next = Collected::default();
        outbox.collect(true, &mut next);
        assert_eq!(next.transitions[0].coalesced, 0);
    }

    #[test]
    fn transitions_stay_until_they_are_asked_for() {
        let (outbox, signals) = outbox();
        let mut dirty = Dirty::default();
        outbox.transition(&mut dirty, transition(State::Ok, State::Failed, 1));
        outbox.signal();
        outbox.signal();
        assert_eq!(signals.load(Ordering::Relaxed), 1);
        let mut collected = Collected::default();
        outbox.collect(false, &mut collected);
        assert!(collected.transitions.is_empty());
        outbox.transition(&mut dirty, transition(State::Failed, State::Ok, 2));
        outbox.collect(true, &mut collected);
        assert_eq!(
            collected.transitions[0].change.from,
            State::Failed,
            "another epoch"
        );
    }

    #[test]
    fn channel_events_are_bounded_and_drops_are_told() {
        let (outbox, _) = outbox();
        for _ in 0..MAX_CHANNEL_EVENTS + 10 {
            let name = "RESET".into();
            outbox.channel_event(5, 77, ChannelNews::Event { name, data: None });
        }
        let mut collected = Collected::default();
        outbox.collect(false, &mut collected);
        assert_eq!(collected.channel_events.len(), MAX_CHANNEL_EVENTS + 1);
        let ChannelNews::Dropped { count: 10 } = collected.channel_events[0].news else {
            panic!("{:?}", collected.channel_events[0]);
        };
    }
}
