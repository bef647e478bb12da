//! Counters, snapshots, and what waits to be collected.

use super::Engine;
use crate::command::Command;
use crate::error::EngineError;
use crate::news::{ChannelEvent, ChannelNews, Collected, Transition};
use crate::snapshot::{self, Gathering};
use crate::stats::Stats;
use crate::thresholds::{Change, State};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use vmpulse_proto::Reason;

impl Engine {
    pub fn stats(&self) -> Result<Stats, EngineError> {
        self.usable()?;
        let mut front = self.front.lock();
        let shards = self.shards.iter().map(|shard| &shard.stats);
        let mut stats = front.stats.read(shards);
        stats.targets = front.targets.len() as u64;
        stats.coalesced = self
            .shards
            .iter()
            .map(|shard| shard.outbox.coalesced())
            .sum();
        stats.reactors_down = self.shards.iter().filter(|shard| shard.is_down()).count() as u64;
        Ok(stats)
    }

    /// Thresholds of all targets, with all that the reactors were told before; the completion carries `call`.
    pub fn snapshot(&self, call: u32) -> Result<(), EngineError> {
        self.has_reactor()?;
        // Nobody knows what a reactor that stays down had; its targets begin unknown.
        let up: Vec<_> = self
            .shards
            .iter()
            .filter(|shard| !shard.is_down())
            .collect();
        // What waits for its target must survive a second restart.
        let front = self.front.lock();
        let saved = front.saved.iter();
        let waiting = snapshot::entries(saved.map(|(hash, saved)| (*hash, saved)));
        let gathering = Arc::new(Gathering::new(&waiting, up.len()));
        for shard in up {
            let gathering = Arc::clone(&gathering);
            shard.send(Command::Snapshot { call, gathering });
        }
        Ok(())
    }

    pub fn restore(&self, bytes: &[u8]) -> Result<(), EngineError> {
        self.usable()?;
        let saved = snapshot::decode(bytes).map_err(EngineError::argument)?;
        let shared = Arc::new(saved.clone());
        self.front.lock().saved = saved;
        for shard in &self.shards {
            shard.send(Command::Restore(Arc::clone(&shared)));
        }
        Ok(())
    }

    /// Moves out what waits. What is about targets that were removed, or about an instance that is over, is left out.
    pub fn collect(&self, with_transitions: bool) -> Collected {
        self.signalled.store(false, Ordering::Release);
        let mut collected = Collected::default();
        for shard in &self.shards {
            shard.outbox.collect(with_transitions, &mut collected);
        }
        {
            let mut front = self.front.lock();
            let mut current = |handle, epoch| {
                let known = front.targets.get(handle);
                known.is_some_and(|known| known.epoch == epoch)
            };
            collected
                .transitions
                .retain(|entry| current(entry.handle, entry.epoch));
            collected
                .dues
                .retain(|entry| current(entry.handle, entry.epoch));
        }
        if with_transitions {
            self.tell_downs(&mut collected);
        }
        collected
    }

    /// A reactor that stays down leaves its targets blind and its channels disconnected.
    fn tell_downs(&self, collected: &mut Collected) {
        let front = &mut *self.front.lock();
        for (index, shard) in self.shards.iter().enumerate() {
            if !shard.is_down() || front.downs_told[index] {
                continue;
            }
            front.downs_told[index] = true;
            let at_ms = crate::clock::wall_ms();
            let blind = front
                .targets
                .of_shard(index)
                .map(|(handle, known)| Transition {
                    handle,
                    epoch: known.epoch,
                    change: Change {
                        from: State::Unknown,
                        to: State::Blind,
                        reason: Some(Reason::ProberFault),
                        at_ms,
                        streak_start_ms: at_ms,
                        count: 1,
                        last_ok_ms: 0,
                    },
                    duration_us: 0,
                    coalesced: 0,
                });
            collected.transitions.extend(blind);
            let disconnected = front
                .channels
                .of_shard(index)
                .map(|(channel, ())| ChannelEvent {
                    channel,
                    at_ms,
                    news: ChannelNews::Disconnected {
                        reason: Reason::ProberFault,
                        detail: EngineError::down().message.into(),
                    },
                });
            collected.channel_events.extend(disconnected);
        }
    }
}
