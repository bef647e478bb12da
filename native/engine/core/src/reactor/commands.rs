//! What the calling side asked for.

use super::Reactor;
use super::revive::Suspect;
use crate::clock;
use crate::command::Command;
use crate::news::Answer;
use crate::running::{Machine, Order};
use crate::snapshot::{self, Saved};
use crate::stats::Kind;
use crate::target::{NewTarget, Phase, Target};
use crate::thresholds::{Change, State, Thresholds};
use crate::timing::Timing;
use std::sync::Arc;
use vmpulse_proto::{Outcome, Reason};

impl Reactor {
    pub(super) fn receive_commands(&mut self) {
        self.shared.waker.reset();
        self.inbox.extend(self.shared.receive());
        self.obey_all();
    }

    /// What is not obeyed yet stays in the inbox, which outlives a panic.
    pub(super) fn obey_all(&mut self) {
        while let Some(command) = self.inbox.front_mut() {
            let obeyed = match command {
                Command::Add(batch) => batch.pop_front().map(|new| self.add(new)),
                Command::Update(batch) => batch
                    .pop_front()
                    .map(|(handle, timing)| self.update(handle, timing)),
                Command::Remove(batch) => batch.pop_front().map(|handle| self.remove(handle)),
                Command::Suspend(batch) => batch.pop_front().map(|handle| self.suspend(handle)),
                Command::Resume(batch) => batch.pop_front().map(|handle| self.resume(handle)),
                Command::NewInstance(batch) => {
                    batch.pop_front().map(|handle| self.new_instance(handle))
                }
                _ => self.inbox.pop_front().map(|command| {
                    self.suspect = command.call().map(Suspect::Call);
                    self.obey(command);
                }),
            };
            if obeyed.is_none() {
                self.inbox.pop_front();
            }
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            // Batches are taken apart before.
            Command::Add(_)
            | Command::Update(_)
            | Command::Remove(_)
            | Command::Suspend(_)
            | Command::Resume(_)
            | Command::NewInstance(_) => {}
            Command::Report {
                handle,
                epoch,
                outcome,
                duration_us,
            } => self.report(handle, epoch, outcome, duration_us),
            Command::ProbeNow {
                call,
                handle,
                timeout_us,
            } => self.probe_now(call, handle, timeout_us),
            Command::ProbeOnce {
                call,
                check,
                timeout_us,
                debug,
            } => self.order(
                call,
                Order {
                    check,
                    timeout_us,
                    debug,
                    kept_by: None,
                },
            ),
            Command::Cancel { call } => self.cancel(call),
            Command::OpenChannel { handle, options } => self.open_channel(handle, options),
            Command::CloseChannel { handle } => self.close_channel(handle),
            Command::Request {
                call,
                channel,
                command,
                arguments,
                timeout_us,
            } => self.command(call, channel, command, arguments, timeout_us),
            // A reader that gave up is no error.
            Command::Status { handle, reply } => {
                let _ = reply.send(self.target(handle).map(|target| target.status()));
            }
            Command::Snapshot { call, gathering } => {
                let targets = self.targets.iter().flatten();
                let own = snapshot::entries(targets.map(|t| (t.id_hash, &t.thresholds)));
                if let Some(whole) = gathering.add(&own) {
                    self.complete(call, Answer::Snapshot(whole));
                }
            }
            Command::Restore(saved) => self.restore(&saved),
            Command::Stop => self.stopping = true,
            #[cfg(test)]
            Command::Panic => panic!("asked to"),
            #[cfg(test)]
            Command::Stall(time) => std::thread::sleep(time),
        }
    }

    fn add(&mut self, new: NewTarget) {
        let handle = new.handle;
        let saved = new.saved;
        let target = Target::from(new);
        let at_us = target.timing.first_start(self.now_us, target.id_hash);
        let local = self.local(handle);
        if self.targets.len() <= local {
            self.targets.resize_with(local + 1, || None);
        }
        if let Some(lane) = target.check.lane() {
            self.raw.hold(lane);
        }
        self.targets[local] = Some(target);
        self.registered += 1;
        if let Some(saved) = saved {
            self.apply_saved(handle, saved);
        }
        self.schedule(handle, at_us);
        self.watch_process(handle);
    }

    fn update(&mut self, handle: u32, timing: Arc<Timing>) {
        let now_us = self.now_us;
        let Some(target) = self.target(handle) else {
            return;
        };
        target.timing = timing;
        if let Phase::Scheduled(timer) = target.phase {
            let period_us = target.thresholds.period_us(&target.timing);
            let at_us = target.timing.start_from(now_us, period_us, target.id_hash);
            self.wheel.cancel(timer);
            self.schedule(handle, at_us);
        }
    }

    fn remove(&mut self, handle: u32) {
        let Some(target) = self.target(handle) else {
            return;
        };
        let lane = target.check.lane();
        self.rest(handle);
        self.unwatch_process(handle);
        self.kept.remove(&handle);
        let local = self.local(handle);
        self.targets[local] = None;
        self.registered -= 1;
        if self.registered == 0 {
            self.streams.close_idle();
            if let Some(ring) = &mut self.ring {
                ring.close_idle();
            }
        }
        if let Some(lane) = lane {
            self.raw.release(lane);
        }
    }

    fn suspend(&mut self, handle: u32) {
        let now_ms = clock::wall_ms();
        let Some(target) = self.target(handle).filter(|target| !target.suspended) else {
            return;
        };
        target.suspended = true;
        let kind = target.check.kind();
        let running = matches!(target.phase, Phase::Running(_));
        if running {
            target.thresholds.last_outcome = Some(Outcome::Inconclusive(Reason::Suspended));
            target.thresholds.last_at_ms = now_ms;
            let stats = &self.shared.stats;
            stats.finished(kind, Outcome::Inconclusive(Reason::Suspended), 0);
        }
        self.rest(handle);
        self.unwatch_process(handle);
    }

    fn resume(&mut self, handle: u32) {
        let now_us = self.now_us;
        let Some(target) = self.target(handle).filter(|target| target.suspended) else {
            return;
        };
        target.suspended = false;
        let period_us = target.thresholds.period_us(&target.timing);
        let at_us = target.timing.start_from(now_us, period_us, target.id_hash);
        self.schedule(handle, at_us);
        self.watch_process(handle);
    }

    fn new_instance(&mut self, handle: u32) {
        self.rest(handle);
        self.unwatch_process(handle);
        self.kept.remove(&handle);
        let now_us = self.now_us;
        let Some(target) = self.target(handle) else {
            return;
        };
        target.epoch += 1;
        target.thresholds = Thresholds::new(target.start_state);
        if !target.suspended {
            let at_us = target.timing.first_start(now_us, target.id_hash);
            self.schedule(handle, at_us);
            self.watch_process(handle);
        }
    }

    fn report(&mut self, handle: u32, epoch: u32, outcome: Outcome, duration_us: u64) {
        let Some(target) = self.target(handle).filter(|target| target.epoch == epoch) else {
            return;
        };
        let (Kind::External, Phase::Running(key)) = (target.check.kind(), target.phase) else {
            return;
        };
        if let Some(running) = self.take_running(key) {
            debug_assert!(matches!(running.machine, Machine::External));
            self.finish_taken(running, outcome.into(), duration_us);
        }
    }

    fn restore(&mut self, saved: &Saved) {
        let found: Vec<(u32, Thresholds)> = self
            .targets
            .iter()
            .flatten()
            .filter_map(|target| Some((target.handle, *saved.get(&target.id_hash)?)))
            .collect();
        for (handle, thresholds) in found {
            self.apply_saved(handle, thresholds);
        }
    }

    /// Takes over what a snapshot says. A state that is not the one the caller knows is told as a transition.
    fn apply_saved(&mut self, handle: u32, saved: Thresholds) {
        let now_ms = clock::wall_ms();
        let Some(target) = self.target(handle) else {
            return;
        };
        let from = target.thresholds.state();
        target.thresholds = saved;
        let to = saved.known;
        if from == to {
            return;
        }
        let count = match to {
            State::Failed => saved.consecutive_failed,
            _ => saved.consecutive_ok,
        };
        self.emit(
            handle,
            Change {
                from,
                to,
                reason: saved.known_reason,
                at_ms: now_ms,
                streak_start_ms: saved.streak_start_ms,
                count,
                last_ok_ms: saved.last_ok_ms,
            },
        );
    }
}
