//! What a target is probed by, checked and compact.

use crate::endpoint::{Destination, Endpoint};
use crate::raw::{LaneId, NeighbourPlan, PingPlan};
use crate::stats::Kind;
use crate::talk::Talk;
use std::net::{IpAddr, SocketAddr};
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
    Ping {
        remote: IpAddr,
        plan: PingPlan,
    },
    Neighbour {
        ip: IpAddr,
        plan: Arc<NeighbourPlan>,
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
            Self::Ping { .. } => Kind::Icmp,
            Self::Neighbour { ip, .. } if ip.is_ipv4() => Kind::Arp,
            Self::Neighbour { .. } => Kind::Ndp,
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
            Self::Ping { remote: ip, .. } | Self::Neighbour { ip, .. } => Destination::Address(*ip),
            _ => Destination::Nowhere,
        }
    }

    /// Raw packets that it sends.
    pub fn packets(&self) -> u8 {
        match self {
            Self::HalfOpen { .. } | Self::Neighbour { .. } => 1,
            Self::Ping { plan, .. } => plan.count,
            _ => 0,
        }
    }

    /// The raw socket that the check needs.
    pub fn lane(&self) -> Option<LaneId> {
        match self {
            Self::HalfOpen { address } => Some(LaneId::tcp(address.ip())),
            Self::Ping { remote, plan } => Some(LaneId::ping(*remote, plan.payload_bytes)),
            Self::Neighbour { ip, .. } => Some(LaneId::neighbour(*ip)),
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
