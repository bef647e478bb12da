//! What a panic leaves behind, and how the reactor goes on with it.

use super::{Reactor, Token};
use crate::channel::Channel;
use crate::clock;
use crate::error::EngineError;
use crate::raw::{LaneId, Raw};
use crate::running::Owner;
use crate::target::Phase;
use crate::wheel::Wheel;
use vmpulse_proto::{Outcome, Reason};

/// For so long the target or channel that was worked for is left alone: it may be why, and others must not suffer by it.
const HOLD_BACK_US: u64 = 60_000_000;

/// Whom the reactor works for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Suspect {
    Target(u32),
    Call(u32),
    Channel(u32),
}

impl Reactor {
    pub(super) fn suspect_of(&mut self, token: Token) -> Option<Suspect> {
        match token {
            // A raw socket is for many; whom a packet is about is known once it was read.
            Token::Wake | Token::Raw(_) | Token::Ring | Token::Stream(_) => None,
            Token::Target(handle) => Some(Suspect::Target(handle)),
            Token::Channel(handle) => Some(Suspect::Channel(handle)),
            Token::Call(call) => Some(Suspect::Call(call)),
            Token::Probe(key) => Some(match self.running.get_mut(key)?.owner {
                Owner::Target(handle) => Suspect::Target(handle),
                Owner::Call(call) => Suspect::Call(call),
            }),
        }
    }

    /// After a panic: keeps what was asked for (targets with their thresholds, channels, unread commands), lets go of
    /// everything that was under way, and begins anew. Probes that ran end as inconclusive, calls with an error.
    pub fn revive(&mut self) {
        let suspect = self.suspect.take();
        self.reset();
        if let Some(Suspect::Call(call)) = suspect {
            self.complete_error(call, EngineError::restarted());
        }
        self.end_calls(EngineError::restarted);
        self.open_ring();
        for handle in self.channels.keys().copied().collect::<Vec<_>>() {
            let held = suspect == Some(Suspect::Channel(handle));
            self.with_channel(handle, |channel, context| {
                Channel::restart(channel, if held { HOLD_BACK_US } else { 0 }, context);
            });
        }
        for local in 0..self.targets.len() {
            if let Some(handle) = self.targets[local].as_ref().map(|target| target.handle) {
                self.revive_target(handle, suspect == Some(Suspect::Target(handle)));
            }
        }
        self.obey_all();
    }

    /// Lets go of all that was under way.
    fn reset(&mut self) {
        // No `..`: whoever adds a field decides here what becomes of it.
        let Self {
            shared: _,
            options,
            poller: _,
            inbox: _,
            wheel,
            targets,
            registered: _,
            running,
            admission,
            calls: _,
            channels: _,
            backlog,
            conntrack,
            streams,
            ring,
            ended,
            anew,
            kept,
            raw,
            heard,
            unsent,
            listened_us,
            neighbours,
            pace,
            again,
            effects,
            buffer: _,
            now_us,
            looked_us,
            starved_us: _,
            telling: _,
            stopping: _,
            suspect: _,
        } = self;
        *now_us = clock::mono_us();
        *looked_us = *now_us;
        *wheel = Wheel::new(*now_us / options.tick_us);
        // Closing a socket takes it out of epoll.
        running.clear();
        kept.clear();
        *raw = Raw::default();
        for lane in targets
            .iter()
            .flatten()
            .filter_map(|target| target.check.lane())
        {
            raw.hold(lane);
        }
        heard.clear();
        unsent.clear();
        *listened_us = [0; LaneId::ALL.len()];
        neighbours.clear();
        pace.clear();
        streams.reset();
        // Closing it ends what it had under way.
        *ring = None;
        ended.clear();
        anew.clear();
        admission.reset();
        again.clear();
        effects.clear();
        *backlog = Default::default();
        *conntrack = Default::default();
    }

    fn revive_target(&mut self, handle: u32, held: bool) {
        let now_us = self.now_us;
        let Some(target) = self.target(handle) else {
            return;
        };
        let ran = matches!(target.phase, Phase::Running(_));
        target.phase = Phase::Resting;
        if target.suspended {
            return;
        }
        if ran || held {
            self.lose_probe(handle, held);
        }
        let Some(target) = self.target(handle) else {
            return;
        };
        let at_us = if held {
            now_us + HOLD_BACK_US
        } else {
            let period_us = target.thresholds.period_us(&target.timing);
            target.timing.start_from(now_us, period_us, target.id_hash)
        };
        self.schedule(handle, at_us);
        self.watch_process(handle);
    }

    /// A probe that nobody will finish. A target that is held back turns blind at once, as it will not be probed.
    fn lose_probe(&mut self, handle: u32, held: bool) {
        let blind_after = if held { 1 } else { self.options.blind_after };
        let Some(target) = self.target(handle) else {
            return;
        };
        let outcome = Outcome::Inconclusive(Reason::ProberFault);
        let (kind, timing) = (target.check.kind(), std::sync::Arc::clone(&target.timing));
        let change = target
            .thresholds
            .observe(outcome, clock::wall_ms(), &timing, blind_after);
        self.shared.stats.finished(kind, outcome, 0);
        if let Some(change) = change {
            self.emit(handle, change);
        }
    }

    /// After too many panics: what is unread is refused, and so is all that comes.
    pub fn go_down(&mut self) {
        if let Some(Suspect::Call(call)) = self.suspect.take() {
            self.complete_error(call, EngineError::down());
        }
        self.end_calls(EngineError::down);
        self.reset();
        let unread = std::mem::take(&mut self.inbox);
        self.shared.go_down(unread);
    }
}
