//! What a target is probed by, checked and compact.

use crate::endpoint::{Destination, Endpoint};
use crate::raw::LaneId;
use crate::stats::Kind;
use crate::talk::Talk;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// A VMM process.
#[derive(Debug)]
pub struct Process {
    /// Our own duplicate; closed with the target.
    pub pidfd: OwnedFd,
    pub pid: i32,
}

#[derive(Clone, Debug)]
pub enum Check {
    /// The kernel's connect is the answer.
    Connect {
        kind: Kind,
        endpoint: Endpoint,
        fin: bool,
    },
    HalfOpen {
        address: SocketAddr,
    },
    /// A conversation over a stream.
    Talk {
        kind: Kind,
        endpoint: Endpoint,
        talk: Talk,
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
            Self::Connect { kind, .. } | Self::Talk { kind, .. } => *kind,
            Self::HalfOpen { .. } => Kind::TcpHalfOpen,
            Self::AgentPing { .. } => Kind::GuestAgentPing,
            Self::VmState { .. } => Kind::VmState,
            Self::Process(_) => Kind::VmmProcess,
            Self::External => Kind::External,
        }
    }

    pub fn destination(&self) -> Destination {
        match self {
            Self::Connect { endpoint, .. } | Self::Talk { endpoint, .. } => endpoint.destination(),
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
