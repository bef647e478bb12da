//! Rise, fall, blind and adaptive periods: what a series of outcomes means. Pure; `now` is an argument.
//!
//! `src/engine/thresholds.ts` is the same in TypeScript; `test/vectors/thresholds.json` runs against both.

use crate::timing::Timing;
use serde::Deserialize;
use vmpulse_proto::{Outcome, Reason};

/// State of a target after its thresholds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum State {
    Unknown,
    Ok,
    Failed,
    Blind,
}

impl State {
    pub const ALL: [Self; 4] = [Self::Unknown, Self::Ok, Self::Failed, Self::Blind];

    pub const fn code(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Blind => "blind",
        }
    }

    pub fn from_index(index: u8) -> Option<Self> {
        Self::ALL.get(usize::from(index)).copied()
    }
}

/// A change of state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    pub from: State,
    pub to: State,
    /// Why, for `Failed` and `Blind`.
    pub reason: Option<Reason>,
    pub at_ms: u64,
    pub streak_start_ms: u64,
    pub count: u32,
    /// 0: none in this instance.
    pub last_ok_ms: u64,
}

/// Counters of one target. The state is `known` unless inconclusive outcomes made it blind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    pub known: State,
    pub blind: bool,
    pub known_reason: Option<Reason>,
    pub blind_reason: Option<Reason>,
    pub last_outcome: Option<Outcome>,
    pub consecutive_ok: u32,
    pub consecutive_failed: u32,
    pub consecutive_inconclusive: u32,
    /// Wall clock of the first outcome of the conclusive streak and of the inconclusive one.
    pub streak_start_ms: u64,
    pub blind_start_ms: u64,
    pub last_at_ms: u64,
    pub last_ok_ms: u64,
}

impl Thresholds {
    /// A start state of `Blind` says no more than `Unknown`.
    pub fn new(start: State) -> Self {
        Self {
            known: if start == State::Blind {
                State::Unknown
            } else {
                start
            },
            blind: false,
            known_reason: None,
            blind_reason: None,
            last_outcome: None,
            consecutive_ok: 0,
            consecutive_failed: 0,
            consecutive_inconclusive: 0,
            streak_start_ms: 0,
            blind_start_ms: 0,
            last_at_ms: 0,
            last_ok_ms: 0,
        }
    }

    pub fn state(&self) -> State {
        if self.blind { State::Blind } else { self.known }
    }

    /// Why the state is `Failed` or `Blind`.
    pub fn reason(&self) -> Option<Reason> {
        if self.blind {
            self.blind_reason
        } else {
            self.known_reason
        }
    }

    /// Counts one outcome.
    pub fn observe(
        &mut self,
        outcome: Outcome,
        at_ms: u64,
        timing: &Timing,
        blind_after: u32,
    ) -> Option<Change> {
        self.last_outcome = Some(outcome);
        self.last_at_ms = at_ms;
        match outcome {
            Outcome::Inconclusive(reason) => self.inconclusive(reason, at_ms, blind_after),
            Outcome::Ok => self.ok(at_ms, timing.success_threshold),
            Outcome::Failed(reason) => self.failed(reason, at_ms, timing.failure_threshold),
        }
    }

    /// The end of a failure that needs no confirmation (a dead process is dead).
    pub fn fail_at_once(&mut self, reason: Reason, at_ms: u64) -> Option<Change> {
        self.last_outcome = Some(Outcome::Failed(reason));
        self.last_at_ms = at_ms;
        self.failed(reason, at_ms, 1)
    }

    /// The period that applies after what was seen so far.
    pub fn period_us(&self, timing: &Timing) -> u64 {
        if self.known == State::Failed {
            timing.down_period_us
        } else if self.consecutive_failed > 0 {
            timing.retry_period_us
        } else {
            timing.period_us
        }
    }

    fn inconclusive(&mut self, reason: Reason, at_ms: u64, blind_after: u32) -> Option<Change> {
        if self.consecutive_inconclusive == 0 {
            self.blind_start_ms = at_ms;
        }
        self.consecutive_inconclusive = self.consecutive_inconclusive.saturating_add(1);
        if self.blind || self.consecutive_inconclusive < blind_after {
            return None;
        }
        let from = self.state();
        self.blind = true;
        self.blind_reason = Some(reason);
        Some(Change {
            from,
            to: State::Blind,
            reason: Some(reason),
            at_ms,
            streak_start_ms: self.blind_start_ms,
            count: self.consecutive_inconclusive,
            last_ok_ms: self.last_ok_ms,
        })
    }

    fn ok(&mut self, at_ms: u64, threshold: u32) -> Option<Change> {
        if self.consecutive_ok == 0 {
            self.streak_start_ms = at_ms;
        }
        self.consecutive_ok = self.consecutive_ok.saturating_add(1);
        self.consecutive_failed = 0;
        self.last_ok_ms = at_ms;
        let to = if self.consecutive_ok >= threshold {
            State::Ok
        } else {
            self.known
        };
        self.conclude(to, None, at_ms, self.consecutive_ok)
    }

    fn failed(&mut self, reason: Reason, at_ms: u64, threshold: u32) -> Option<Change> {
        if self.consecutive_failed == 0 {
            self.streak_start_ms = at_ms;
        }
        self.consecutive_failed = self.consecutive_failed.saturating_add(1);
        self.consecutive_ok = 0;
        let to = if self.consecutive_failed >= threshold {
            State::Failed
        } else {
            self.known
        };
        self.conclude(to, Some(reason), at_ms, self.consecutive_failed)
    }

    /// Any conclusive outcome ends blindness, in the last known state or the one it leads to.
    fn conclude(
        &mut self,
        to: State,
        reason: Option<Reason>,
        at_ms: u64,
        count: u32,
    ) -> Option<Change> {
        let from = self.state();
        self.consecutive_inconclusive = 0;
        self.blind = false;
        self.blind_reason = None;
        if to == State::Failed && (self.known != State::Failed || self.known_reason.is_none()) {
            self.known_reason = reason;
        } else if to != State::Failed {
            self.known_reason = None;
        }
        self.known = to;
        (from != to).then_some(Change {
            from,
            to,
            reason: self.known_reason,
            at_ms,
            streak_start_ms: self.streak_start_ms,
            count,
            last_ok_ms: self.last_ok_ms,
        })
    }
}
