//! Requests of a channel: who asks, how they end, what that means.

use crate::news::ChannelNews;
use crate::poller::Poller;
use crate::slab::Key;
use crate::wheel::Wheel;
use std::path::Path;
use std::sync::Arc;
use vmpulse_proto::{Json, Outcome, Reason};

use super::Backlog;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Qmp,
    Qga,
    CloudHypervisor,
    Firecracker,
    /// What Cloud Hypervisor writes to its `--event-monitor`; takes no requests.
    CloudHypervisorEvents,
}

impl Protocol {
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "qmp" => Self::Qmp,
            "qga" => Self::Qga,
            "cloud-hypervisor" => Self::CloudHypervisor,
            "firecracker" => Self::Firecracker,
            "cloud-hypervisor-events" => Self::CloudHypervisorEvents,
            _ => return None,
        })
    }

    /// A REST API: it greets nobody and serves several clients.
    pub fn is_rest(self) -> bool {
        matches!(self, Self::CloudHypervisor | Self::Firecracker)
    }

    /// What a vmState probe asks.
    pub fn state_command(self) -> &'static str {
        match self {
            Self::CloudHypervisor => "GET /api/v1/vm.info",
            Self::Firecracker => "GET /",
            _ => "query-status",
        }
    }
}

#[derive(Clone, Debug)]
pub struct ChannelOptions {
    pub protocol: Protocol,
    pub path: Arc<Path>,
    /// Of an agent: `path` is a hybrid vsock socket, and this the port in the guest.
    pub vsock_port: Option<u32>,
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
    /// The channel takes no requests.
    Unsupported,
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
            Protocol::Qga => (Reason::AgentNotConnected, Reason::AgentError),
            _ => (Reason::ApiUnreachable, Reason::ApiError),
        };
        Some(Outcome::of(match self {
            Self::Value(_) => return None,
            // Cloud Hypervisor runs without a VM until one is created.
            Self::PeerError { class, .. }
                if protocol == Protocol::CloudHypervisor && &**class == "http-404" =>
            {
                Reason::VmNotRunning
            }
            Self::PeerError { .. } | Self::Invalid | Self::Unsupported => error,
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
