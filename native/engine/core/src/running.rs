//! A probe in flight.

use crate::check::Check;
use crate::endpoint::{Destination, Quirk};
use crate::news::ProbeReport;
use crate::raw::{LaneId, RawProbe};
use crate::slab::Key;
use crate::stats::Kind;
use crate::stream_pool::Stream;
use crate::stream_run::StreamRun;
use crate::wheel::TimerKey;
use vmpulse_proto::{Details, ExchangeResult, Outcome, Reason};

/// For whom a probe runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// A target's schedule, by handle.
    Target(u32),
    /// A call outside the schedule.
    Call(u32),
}

/// Owns what its kind needs; dropping it ends the connection and the probe's share in epoll.
pub enum Machine {
    Connect {
        stream: Stream,
        quirk: Quirk,
    },
    Stream(Box<StreamRun>),
    Request {
        channel: u32,
        id: u64,
    },
    Raw(RawProbe),
    /// A connect of the ring, by its place there.
    Ring(Key),
    External,
}

impl Machine {
    /// The raw socket that it shares with others.
    pub fn lane(&self) -> Option<LaneId> {
        match self {
            Self::Raw(probe) => Some(probe.lane()),
            _ => None,
        }
    }
}

pub struct Running {
    pub owner: Owner,
    pub kind: Kind,
    pub machine: Machine,
    /// What admission counts it for; `None`: it is not counted.
    pub admitted: Option<Destination>,
    pub started_us: u64,
    pub deadline_us: u64,
    pub timer: Option<TimerKey>,
    /// The reactor's starvation when it began.
    pub starved_us: u64,
    /// It connects once more, for a reason of ours: silence within what is left of its time says nothing of the peer.
    pub anew: bool,
}

/// A probe outside the schedule that waits for admission.
pub struct Order {
    pub check: Check,
    pub timeout_us: u64,
    pub debug: bool,
    /// Of a registered target: its handle, for a connection that is kept.
    pub kept_by: Option<u32>,
}

/// How a probe ended.
pub struct Verdict {
    pub outcome: Outcome,
    /// What an exchange measured, if there was one.
    pub exchange: Option<Box<ExchangeResult>>,
}

impl From<Outcome> for Verdict {
    fn from(outcome: Outcome) -> Self {
        Self {
            outcome,
            exchange: None,
        }
    }
}

impl From<Reason> for Verdict {
    fn from(reason: Reason) -> Self {
        Outcome::of(reason).into()
    }
}

impl From<Box<ExchangeResult>> for Verdict {
    fn from(result: Box<ExchangeResult>) -> Self {
        Self {
            outcome: result.outcome,
            exchange: Some(result),
        }
    }
}

impl Verdict {
    /// With a line for people.
    pub fn explained(reason: Reason, message: &str) -> Self {
        Self::told(Outcome::of(reason), Details::default(), Some(message))
    }

    /// With what was measured.
    pub fn measured(outcome: Outcome, details: Details) -> Self {
        Self::told(outcome, details, None)
    }

    fn told(outcome: Outcome, details: Details, message: Option<&str>) -> Self {
        Self {
            outcome,
            exchange: Some(Box::new(ExchangeResult {
                outcome,
                details,
                warnings: Vec::new(),
                message: message.map(Into::into),
                transcript: None,
                reusable: false,
            })),
        }
    }

    pub fn into_report(self, duration_us: u64) -> ProbeReport {
        let exchange = self.exchange;
        let (details, warnings, message, transcript) = match exchange.map(|exchange| *exchange) {
            Some(exchange) => (
                exchange.details,
                exchange.warnings,
                exchange.message,
                exchange.transcript,
            ),
            None => (Details::default(), Vec::new(), None, None),
        };
        ProbeReport {
            outcome: self.outcome,
            duration_us,
            details,
            warnings,
            message,
            transcript,
        }
    }
}
