//! Raw probes: packets of our own making over sockets that all probes of a protocol share.

mod address;
mod batch;
mod cookie;
mod filter;
mod lane;
mod ports;
mod route;
mod socket;
mod sources;

pub use cookie::Ends;
pub use lane::LaneId;
pub use sources::SourceId;

use crate::poller::{Poller, READ};
use crate::slab::Key;
use address::Address;
use batch::{Inbox, Outgoing, PACKET_ROOM};
use cookie::Cookies;
use lane::Lane;
use sources::Sources;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::IpAddr;
use vmpulse_proto::Reason;
use vmpulse_proto::packet::{icmp, ip, tcp};

/// Packets that are sent at once at the latest.
const FLUSH_AT: usize = 256;
/// System calls of one look at a socket; more wait for the next.
const READS_A_LOOK: usize = 64;

/// A half-open probe in flight.
#[derive(Clone, Copy, Debug)]
pub struct HalfOpen {
    pub ends: Ends,
    pub source: SourceId,
}

/// What a packet says about a probe: its ticket, to be believed only if it is in flight to these ends.
#[derive(Clone, Copy, Debug)]
pub struct Heard {
    pub ends: Ends,
    pub ticket: u32,
    /// `None`: accepted.
    pub failure: Option<Reason>,
}

#[derive(Default)]
struct Place {
    /// Registered targets and probes in flight.
    users: u32,
    lane: Option<Lane>,
}

/// The raw sockets of a reactor: opened for their first user, closed with their last.
pub struct Raw {
    places: [Place; LaneId::ALL.len()],
    cookies: Cookies,
    sources: Sources,
    inbox: Inbox,
    random: u64,
}

/// Tokens of a lane's sockets: the lane, and whether it is the one for errors.
pub fn token_of(id: LaneId, errors: bool) -> u32 {
    (id as u32) << 1 | u32::from(errors)
}

impl Default for Raw {
    fn default() -> Self {
        Self {
            places: Default::default(),
            cookies: Cookies::default(),
            sources: Sources::default(),
            inbox: Inbox::default(),
            random: RandomState::new().hash_one(0),
        }
    }
}

impl Raw {
    pub fn hold(&mut self, id: LaneId) {
        self.places[id as usize].users += 1;
    }

    pub fn release(&mut self, id: LaneId) {
        let place = &mut self.places[id as usize];
        place.users -= 1;
        if place.users == 0 {
            place.lane = None;
        }
    }

    /// Opens a lane unless it is open. Only who holds it may.
    pub fn open(
        &mut self,
        id: LaneId,
        poller: &Poller,
        token: impl Fn(u32) -> u64,
    ) -> io::Result<()> {
        if self.places[id as usize].lane.is_some() {
            return Ok(());
        }
        let random = self.random();
        let lane = Lane::open(id, random)?;
        poller.add(lane.socket.fd(), token(token_of(id, false)), READ)?;
        if let Some(errors) = &lane.errors {
            poller.add(errors.fd(), token(token_of(id, true)), READ)?;
        }
        self.places[id as usize].lane = Some(lane);
        Ok(())
    }

    /// The source for a target; asked of the kernel unless it is known.
    pub fn source(&mut self, known: SourceId, to: IpAddr) -> io::Result<SourceId> {
        if known == SourceId::default() {
            self.sources.look_up(to)
        } else {
            Ok(known)
        }
    }

    /// A probe's ends, its source port picked at random: should a server still have the last probe's SYN in mind, this
    /// one is another connection.
    pub fn ends(&mut self, id: LaneId, remote: IpAddr, remote_port: u16) -> Ends {
        let random = self.random();
        let ports = self.places[id as usize]
            .lane
            .as_ref()
            .and_then(|lane| lane.ports.as_ref());
        Ends {
            remote,
            remote_port,
            local_port: ports.map_or(0, |ports| ports.pick(random)),
        }
    }

    /// Puts a SYN into the queue. True: the queue is to be flushed.
    pub fn send_syn(&mut self, id: LaneId, key: Key, ticket: u32, probe: &HalfOpen) -> bool {
        let ends = &probe.ends;
        let sequence = self.cookies.seal(ends, ticket);
        let (Some(source), Some(lane)) = (
            self.sources.address(probe.source),
            &mut self.places[id as usize].lane,
        ) else {
            return false;
        };
        let mut packet = [0u8; PACKET_ROOM];
        let from = (source, ends.local_port);
        let to = (ends.remote, ends.remote_port);
        let Some(length) = tcp::write_syn(&mut packet, from, to, sequence) else {
            return false;
        };
        lane.queue.push(Outgoing {
            key,
            to: Address::of(ends.remote),
            packet,
            length: length as u8,
        });
        lane.queue.len() >= FLUSH_AT
    }

    /// Sends what waits in a lane; see `Lane::flush`.
    pub fn flush(&mut self, id: LaneId, failed: &mut Vec<(Key, i32)>) -> bool {
        match &mut self.places[id as usize].lane {
            Some(lane) => lane.flush(failed),
            None => true,
        }
    }

    /// Something waits to be sent.
    pub fn has_queue(&self) -> bool {
        let mut lanes = self.places.iter().filter_map(|place| place.lane.as_ref());
        lanes.any(|lane| !lane.queue.is_empty())
    }

    /// Reads a lane's sockets; `heard` gets what may be about probes of ours.
    pub fn listen(&mut self, id: LaneId, errors: bool, heard: &mut Vec<Heard>) {
        let Some(lane) = &self.places[id as usize].lane else {
            return;
        };
        let socket = match (&lane.errors, errors) {
            (Some(socket), true) => socket,
            (None, true) => return,
            (_, false) => &lane.socket,
        };
        let cookies = &self.cookies;
        for _ in 0..READS_A_LOOK {
            let more = self.inbox.receive(socket.fd(), |incoming| {
                let one = if errors {
                    read_error(id, incoming.bytes, cookies)
                } else {
                    read_reply(id, incoming.from, incoming.bytes, cookies)
                };
                heard.extend(one);
            });
            if !more {
                break;
            }
        }
    }

    /// What the silence of a probe means: its target's, unless we lost the answer or asked from an address that the
    /// host does not use any more. The second value is the source to use from now on.
    pub fn silence(&mut self, probe: &HalfOpen, since_us: u64, now_us: u64) -> (Reason, SourceId) {
        let id = LaneId::tcp(probe.ends.remote);
        let lane = self.places[id as usize].lane.as_mut();
        if lane.is_some_and(|lane| lane.lost_since(since_us, now_us)) {
            return (Reason::ProberResources, probe.source);
        }
        match self.sources.look_up(probe.ends.remote) {
            Ok(source) if source == probe.source => (Reason::ConnectTimeout, source),
            Ok(source) => (Reason::NoLocalRoute, source),
            Err(_) => (Reason::NoLocalRoute, SourceId::default()),
        }
    }

    /// A number that nobody has to guess right.
    fn random(&mut self) -> u64 {
        self.random = self
            .random
            .wrapping_mul(0x5851_f42d_4c95_7f2d)
            .wrapping_add(0x1405_7b7e_f767_814f);
        self.random >> 32
    }
}

fn read_reply(id: LaneId, from: Option<IpAddr>, bytes: &[u8], cookies: &Cookies) -> Option<Heard> {
    let (remote, segment) = if id.is_v6() {
        (from?, bytes)
    } else {
        let packet = ip::read_v4(bytes)?;
        (packet.source, packet.payload)
    };
    let reply = tcp::read_reply(segment)?;
    let ends = Ends {
        remote,
        remote_port: reply.source_port,
        local_port: reply.destination_port,
    };
    Some(Heard {
        ends,
        ticket: cookies.open(&ends, reply.answers),
        failure: (!reply.accepts).then_some(Reason::ConnectionRefused),
    })
}

fn read_error(id: LaneId, bytes: &[u8], cookies: &Cookies) -> Option<Heard> {
    let error = if id.is_v6() {
        icmp::read_error_v6(bytes)?
    } else {
        icmp::read_error_v4(ip::read_v4(bytes)?.payload)?
    };
    if error.quoted.protocol != ip::TCP {
        return None;
    }
    let quote = tcp::read_quote(error.quoted.payload)?;
    let ends = Ends {
        remote: error.quoted.destination,
        remote_port: quote.destination_port,
        local_port: quote.source_port,
    };
    Some(Heard {
        ends,
        ticket: cookies.open(&ends, quote.sequence),
        failure: Some(error.reason),
    })
}
