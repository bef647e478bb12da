//! Requests of a channel: who asks, how they end, what that means.

use crate::news::ChannelNews;
use crate::poller::Poller;
use crate::slab::Key;
use crate::wheel::Wheel;
use std::path::Path;
use std::sync::Arc;
use vmpulse_proto::{Json, Outcome, Reason};

use super::Backlog;

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    Qmp,
    Qga,
}

#[derive(Clone, Debug)]
pub struct ChannelOptions {
    pub protocol: Protocol,
    pub path: Arc<Path>,
    pub reconnect_us: u64,
    pub greeting_timeout_us: u64,
}

/// Who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    Probe(Key),
    Call(u32),
}

/// How a request ended, other than by its deadline.
#[derive(Debug)]
pub enum Reply {
    Value(Json),
    PeerError {
        class: Box<str>,
        description: Box<str>,
    },
    /// Not connected, or lost on the way.
    Lost {
        reason: Reason,
        detail: Box<str>,
    },
    /// Not a valid command or arguments.
    Invalid,
    /// Too many requests wait.
    Full,
    Closed,
}

/// What a step of a channel leads to.
#[derive(Debug)]
pub enum Effect {
    Reply(Origin, Reply),
    News(ChannelNews),
}

/// What a channel borrows of its reactor for one step.
pub struct Context<'a> {
    pub poller: &'a Poller,
    pub wheel: &'a mut Wheel,
    pub tick_us: u64,
    pub now_us: u64,
    pub backlog: &'a mut Backlog,
    pub buffer: &'a mut [u8],
    pub effects: &'a mut Vec<Effect>,
}

impl Reply {
    /// What a refused, lost or refusing request means for a probe; `None`: an answer that must be read.
    pub fn judge(&self, protocol: Protocol) -> Option<Outcome> {
        let (absent, error) = match protocol {
            Protocol::Qmp => (Reason::ApiUnreachable, Reason::ApiError),
            Protocol::Qga => (Reason::AgentNotConnected, Reason::AgentError),
        };
        Some(Outcome::of(match self {
            Self::Value(_) => return None,
            Self::PeerError { .. } | Self::Invalid => error,
            Self::Full => Reason::ChannelBusy,
            Self::Closed => Reason::Cancelled,
            Self::Lost { reason, .. } if reason.is_inconclusive() => *reason,
            Self::Lost {
                reason: Reason::ProtocolError | Reason::ResponseTooLarge,
                ..
            } => error,
            Self::Lost { .. } => absent,
        }))
    }
}
