//! When targets are due, how their probes end, and what comes of it.

use super::{Reactor, Token};
use crate::clock;
use crate::news::{Answer, Due, Transition};
use crate::running::{Machine, Owner, Running, Verdict};
use crate::slab::Key;
use crate::stats::Kind;
use crate::target::Phase;
use crate::thresholds::Change;
use vmpulse_proto::{Outcome, Reason};

impl Reactor {
    /// The schedule of a target says now.
    pub(super) fn target_is_due(&mut self, handle: u32) {
        let Some(target) = self.target(handle) else {
            return;
        };
        target.phase = Phase::Queued;
        let destination = target.check.destination();
        if target.check.kind() == Kind::External {
            self.emit_due(handle);
        } else if target.check.packets() > 0 {
            self.pace.wait(handle);
        } else {
            self.admission.request(u64::from(handle), destination);
        }
    }

    /// Asks the host program to probe an external target.
    fn emit_due(&mut self, handle: u32) {
        let now_us = self.now_us;
        let Some(target) = self.target(handle) else {
            return;
        };
        let timeout_us = target.timing.timeout_us;
        let late_us = now_us.saturating_sub(target.scheduled_us);
        let epoch = target.epoch;
        self.shared.stats.started(late_us);
        self.run_probe(
            Owner::Target(handle),
            Kind::External,
            Machine::External,
            None,
            now_us + timeout_us,
        );
        let due = Due {
            handle,
            epoch,
            deadline_ms: clock::wall_ms() + timeout_us / 1000,
        };
        let local = self.local(handle);
        if let Some(target) = self.targets[local].as_mut() {
            self.shared.outbox.due(&mut target.dirty, due);
            self.telling.now();
        }
    }

    /// A running probe ended.
    pub(super) fn finish(&mut self, key: Key, verdict: Verdict) {
        let Some(running) = self.take_running(key) else {
            return;
        };
        let duration_us = self.now_us.saturating_sub(running.started_us);
        self.finish_taken(running, verdict, duration_us);
    }

    /// As `finish`, for a probe that was taken out already.
    pub(super) fn finish_taken(
        &mut self,
        running: Running,
        mut verdict: Verdict,
        duration_us: u64,
    ) {
        if self.now_us > running.deadline_us + self.options.late_us {
            // Seen so late that nobody can say whether it came in time.
            verdict.outcome = Outcome::Inconclusive(Reason::ProberLate);
        }
        self.conclude(running.owner, running.kind, verdict, duration_us);
    }

    /// Takes a running probe out and gives back what it held, without a verdict.
    pub(super) fn take_running(&mut self, key: Key) -> Option<Running> {
        let mut running = self.running.remove(key)?;
        if let Some(timer) = running.timer.take() {
            self.wheel.cancel(timer);
        }
        if let Some(destination) = running.admitted {
            self.admission.release(destination);
        }
        match &running.machine {
            Machine::Raw(probe) => self.forget_raw(key, probe),
            Machine::Ring(slot) => self.leave_ring(*slot, key),
            _ => {}
        }
        Some(running)
    }

    /// Ends a running probe that nobody wants any more.
    pub(super) fn abort(&mut self, key: Key) {
        if let Some(running) = self.take_running(key)
            && let Machine::Request { channel, id } = running.machine
        {
            self.forget_request(channel, id);
        }
    }

    /// Counts a verdict and gives it to whom it is for.
    pub(super) fn conclude(
        &mut self,
        owner: Owner,
        kind: Kind,
        verdict: Verdict,
        duration_us: u64,
    ) {
        self.shared
            .stats
            .finished(kind, verdict.outcome, duration_us);
        match owner {
            Owner::Target(handle) => self.observe(handle, verdict.outcome, duration_us),
            Owner::Call(call) => {
                self.complete(
                    call,
                    Answer::Probe(Box::new(verdict.into_report(duration_us))),
                );
                self.calls.remove(&call);
            }
        }
    }

    pub(super) fn complete(&mut self, call: u32, answer: Answer) {
        self.shared.outbox.complete(call, answer);
        self.telling.now();
    }

    fn observe(&mut self, handle: u32, outcome: Outcome, duration_us: u64) {
        let blind_after = self.options.blind_after;
        let Some(target) = self.target(handle) else {
            return;
        };
        target.last_duration_us = u32::try_from(duration_us).unwrap_or(u32::MAX);
        let timing = std::sync::Arc::clone(&target.timing);
        let change = target
            .thresholds
            .observe(outcome, clock::wall_ms(), &timing, blind_after);
        if let Some(change) = change {
            self.emit(handle, change);
        }
        self.schedule_next(handle);
    }

    pub(super) fn emit(&mut self, handle: u32, change: Change) {
        let local = self.local(handle);
        let Some(target) = self.targets[local].as_mut() else {
            return;
        };
        let transition = Transition {
            handle,
            epoch: target.epoch,
            change,
            duration_us: target.last_duration_us,
            coalesced: 0,
        };
        self.shared.outbox.transition(&mut target.dirty, transition);
        self.telling.soon();
    }

    /// The start after the one that just ended.
    pub(super) fn schedule_next(&mut self, handle: u32) {
        let now_us = self.now_us;
        let Some(target) = self.target(handle) else {
            return;
        };
        let timing = &target.timing;
        let period_us = target.thresholds.period_us(timing);
        let at_us = timing.next_start(target.scheduled_us, period_us, now_us, target.id_hash);
        self.schedule(handle, at_us);
    }

    pub(super) fn schedule(&mut self, handle: u32, at_us: u64) {
        let timer = self.arm(at_us, Token::Target(handle));
        let Some(target) = self.target(handle) else {
            return self.wheel.cancel(timer);
        };
        target.scheduled_us = at_us;
        target.phase = Phase::Scheduled(timer);
    }

    /// Takes a target out of its schedule, whatever it is doing.
    pub(super) fn rest(&mut self, handle: u32) {
        let Some(target) = self.target(handle) else {
            return;
        };
        let phase = std::mem::replace(&mut target.phase, Phase::Resting);
        match phase {
            Phase::Scheduled(timer) => self.wheel.cancel(timer),
            Phase::Running(key) => self.abort(key),
            // Admission skips it when its turn comes.
            Phase::Queued | Phase::Resting => {}
        }
    }

    /// The deadline of a probe passed. Readiness is looked at once more before that is said.
    pub(super) fn probe_timed_out(&mut self, key: Key) {
        match self.running.get_mut(key) {
            Some(running) => running.timer = None,
            None => return,
        }
        if self.ping_again(key) {
            return;
        }
        self.look_once_more(key);
        // A lane is asked what silence means; it must not close before with its last probe.
        let lane = self.running.get_mut(key).and_then(|it| it.machine.lane());
        if let Some(lane) = lane {
            self.raw.hold(lane);
        }
        self.conclude_timed_out(key);
        if let Some(lane) = lane {
            self.raw.release(lane);
        }
    }

    fn conclude_timed_out(&mut self, key: Key) {
        let Some(mut running) = self.take_running(key) else {
            return;
        };
        let starved = self.starved_us - running.starved_us > self.options.late_us;
        let mut verdict: Verdict = match &mut running.machine {
            Machine::Raw(_) => self.raw_silence(&running),
            Machine::Connect { .. } | Machine::Ring(_) => Reason::ConnectTimeout.into(),
            Machine::Stream(run) => match run.on_timeout() {
                Ok(result) => result.into(),
                Err(reason) => reason.into(),
            },
            Machine::Request { channel, id } => self.request_deadline(*channel, *id).into(),
            // Whoever should have reported is part of us.
            Machine::External => Reason::ProberLate.into(),
        };
        let silent = verdict.outcome == Outcome::Failed(Reason::ConnectTimeout);
        if silent && (running.anew || self.conntrack.is_full(self.now_us)) {
            verdict.outcome = Outcome::Inconclusive(Reason::ProberResources);
        }
        if starved {
            verdict.outcome = Outcome::Inconclusive(Reason::ProberLate);
        }
        let duration_us = self.now_us.saturating_sub(running.started_us);
        self.finish_taken(running, verdict, duration_us);
    }
}
