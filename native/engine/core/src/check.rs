//! What a target is probed by, checked and compact.

use crate::endpoint::{Destination, Endpoint};
use crate::raw::LaneId;
use crate::stats::Kind;
use std::net::SocketAddr;
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
    HalfOpen {
        address: SocketAddr,
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
            Self::HalfOpen { .. } => Kind::TcpHalfOpen,
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
            Self::HalfOpen { address } => Destination::Address(address.ip()),
            _ => Destination::Nowhere,
        }
    }

    /// The raw socket that the check needs.
    pub fn lane(&self) -> Option<LaneId> {
        match self {
            Self::HalfOpen { address } => Some(LaneId::tcp(address.ip())),
            _ => None,
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
