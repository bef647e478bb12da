//! What the host program is told.

use crate::error::EngineError;
use crate::thresholds::Change;
use vmpulse_proto::{Details, Json, Outcome, Reason, Warning};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    pub handle: u32,
    pub epoch: u32,
    pub change: Change,
    pub duration_us: u32,
    /// Transitions of this target that this one replaced before they could be collected.
    pub coalesced: u32,
}

/// An external target must be probed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    pub handle: u32,
    pub epoch: u32,
    pub deadline_ms: u64,
}

/// What one probe outside the schedule said.
#[derive(Clone, Debug, PartialEq)]
pub struct ProbeReport {
    pub outcome: Outcome,
    pub duration_us: u64,
    pub details: Details,
    pub warnings: Vec<Warning>,
    pub message: Option<Box<str>>,
    pub transcript: Option<Box<str>>,
}

#[derive(Debug)]
pub enum Answer {
    Probe(Box<ProbeReport>),
    /// The `return` value of a channel request.
    Value(Json),
    /// To be given to `restore`.
    Snapshot(Vec<u8>),
    /// `class`: the peer's own error class.
    Error {
        error: EngineError,
        class: Option<Box<str>>,
    },
}

/// The end of a call that was made with this id.
#[derive(Debug)]
pub struct Completion {
    pub call: u32,
    pub answer: Answer,
}

#[derive(Debug)]
pub enum ChannelNews {
    Connected,
    Disconnected {
        reason: Reason,
        detail: Box<str>,
    },
    Event {
        name: Box<str>,
        data: Option<Json>,
    },
    /// Older events were dropped because nobody collected them.
    Dropped {
        count: u64,
    },
}

#[derive(Debug)]
pub struct ChannelEvent {
    pub channel: u32,
    pub at_ms: u64,
    pub news: ChannelNews,
}

/// Everything collected at once.
#[derive(Default)]
pub struct Collected {
    pub transitions: Vec<Transition>,
    pub dues: Vec<Due>,
    pub completions: Vec<Completion>,
    pub channel_events: Vec<ChannelEvent>,
}

impl ChannelNews {
    /// Untrusted bytes that it holds.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Event { name, data } => name.len() + data.as_ref().map_or(0, |d| d.get().len()),
            Self::Disconnected { detail, .. } => detail.len(),
            _ => 0,
        }
    }
}
