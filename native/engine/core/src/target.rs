//! One registered target, as its reactor has it.

use crate::check::Check;
use crate::outbox::Dirty;
use crate::raw::SourceId;
use crate::slab::Key;
use crate::thresholds::{State, Thresholds};
use crate::timing::Timing;
use crate::wheel::TimerKey;
use std::sync::Arc;
use vmpulse_proto::Outcome;

/// What a target is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Suspended.
    Resting,
    Scheduled(TimerKey),
    /// Waits for admission.
    Queued,
    Running(Key),
}

pub struct Target {
    pub handle: u32,
    pub epoch: u32,
    pub id_hash: u64,
    pub check: Check,
    pub timing: Arc<Timing>,
    pub thresholds: Thresholds,
    pub start_state: State,
    pub suspended: bool,
    /// The pidfd is in epoll.
    pub watched: bool,
    /// From where raw packets go to it.
    pub source: SourceId,
    pub phase: Phase,
    /// Of the last or next start.
    pub scheduled_us: u64,
    pub last_duration_us: u32,
    pub dirty: Dirty,
    /// Each start of it panics.
    #[cfg(any(test, feature = "fault"))]
    pub panics: bool,
}

/// A target that is being registered.
pub struct NewTarget {
    pub handle: u32,
    pub id_hash: u64,
    pub check: Check,
    pub timing: Arc<Timing>,
    pub start_state: State,
    /// What a snapshot said of it.
    pub saved: Option<Thresholds>,
    #[cfg(any(test, feature = "fault"))]
    pub panics: bool,
}

impl From<NewTarget> for Target {
    fn from(new: NewTarget) -> Self {
        Self {
            handle: new.handle,
            epoch: 1,
            id_hash: new.id_hash,
            check: new.check,
            timing: new.timing,
            thresholds: Thresholds::new(new.start_state),
            start_state: new.start_state,
            suspended: false,
            watched: false,
            source: SourceId::default(),
            phase: Phase::Resting,
            scheduled_us: 0,
            last_duration_us: 0,
            dirty: Dirty::default(),
            #[cfg(any(test, feature = "fault"))]
            panics: new.panics,
        }
    }
}

/// A look at a target.
#[derive(Clone, Debug, PartialEq)]
pub struct TargetStatus {
    pub epoch: u32,
    pub state: State,
    pub suspended: bool,
    pub reason: Option<vmpulse_proto::Reason>,
    pub consecutive_ok: u32,
    pub consecutive_failed: u32,
    pub consecutive_inconclusive: u32,
    pub last_outcome: Option<Outcome>,
    pub last_at_ms: u64,
    pub last_duration_us: u32,
    pub last_ok_ms: u64,
}

impl Target {
    pub fn status(&self) -> TargetStatus {
        let thresholds = &self.thresholds;
        TargetStatus {
            epoch: self.epoch,
            state: thresholds.state(),
            suspended: self.suspended,
            reason: thresholds.reason(),
            consecutive_ok: thresholds.consecutive_ok,
            consecutive_failed: thresholds.consecutive_failed,
            consecutive_inconclusive: thresholds.consecutive_inconclusive,
            last_outcome: thresholds.last_outcome,
            last_at_ms: thresholds.last_at_ms,
            last_duration_us: self.last_duration_us,
            last_ok_ms: thresholds.last_ok_ms,
        }
    }
}
