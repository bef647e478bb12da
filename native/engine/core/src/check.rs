//! What a target is probed by, checked and compact.

use crate::endpoint::{Destination, Endpoint};
use crate::stats::Kind;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use vmpulse_proto::HttpPlan;

/// An HTTP plan and the host it names, shared by all targets that ask the same.
#[derive(Debug)]
pub struct HttpShared {
    pub plan: Arc<HttpPlan>,
    /// Name for `Host` and SNI; `None`: the address.
    pub host: Option<Box<str>>,
    pub keep_alive: bool,
}

/// A VMM process.
#[derive(Debug)]
pub struct Process {
    /// Our own duplicate; closed with the target.
    pub pidfd: OwnedFd,
    pub pid: i32,
}

#[derive(Clone, Debug)]
pub enum Check {
    Tcp {
        endpoint: Endpoint,
        fin: bool,
    },
    Http {
        endpoint: Endpoint,
        shared: Arc<HttpShared>,
    },
    AgentPing {
        channel: u32,
    },
    VmState {
        channel: u32,
    },
    Process(Arc<Process>),
    External,
}

impl Check {
    pub fn kind(&self) -> Kind {
        match self {
            Self::Tcp { .. } => Kind::TcpSocket,
            Self::Http { .. } => Kind::HttpGet,
            Self::AgentPing { .. } => Kind::GuestAgentPing,
            Self::VmState { .. } => Kind::VmState,
            Self::Process(_) => Kind::VmmProcess,
            Self::External => Kind::External,
        }
    }

    pub fn destination(&self) -> Destination {
        match self {
            Self::Tcp { endpoint, .. } | Self::Http { endpoint, .. } => endpoint.destination(),
            _ => Destination::Nowhere,
        }
    }

    /// The channel that the check is a request on.
    pub fn channel(&self) -> Option<u32> {
        match self {
            Self::AgentPing { channel } | Self::VmState { channel } => Some(*channel),
            _ => None,
        }
    }
}
