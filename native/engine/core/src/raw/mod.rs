//! Raw probes: packets of our own making over sockets that all probes of a protocol share.

mod address;
mod batch;
mod cookie;
mod filter;
mod heard;
mod lane;
mod links;
mod pace;
mod ports;
mod probe;
mod route;
mod send;
mod socket;
mod sources;

pub use batch::MOST_ZEROS;
pub use heard::Heard;
pub use lane::LaneId;
pub use pace::Pace;
pub use probe::{HalfOpen, Neighbour, NeighbourPlan, Ping, PingPlan, RawProbe};
pub use sources::SourceId;

use crate::poller::{Poller, READ};
use crate::slab::Key;
use batch::Inbox;
use cookie::{Cookies, Ends};
use lane::Lane;
use links::{Link, Links};
use sources::Sources;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use vmpulse_proto::{Outcome, Reason};

/// System calls of one look at a socket; more wait for the next.
const READS_A_LOOK: usize = 64;
/// A lane that could not be opened is left alone for this long: the search for ports is not free.
const REOPEN_US: u64 = 1_000_000;

#[derive(Default)]
struct Place {
    /// Registered targets and probes in flight.
    users: u32,
    lane: Option<Lane>,
    /// Why it could not be opened, and until when that is taken for granted.
    refused: Option<(i32, u64)>,
}

/// The raw sockets of a reactor: opened for their first user, closed with their last.
pub struct Raw {
    places: [Place; LaneId::ALL.len()],
    cookies: Cookies,
    sources: Sources,
    links: Links,
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
            links: Links::default(),
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
        now_us: u64,
        poller: &Poller,
        token: impl Fn(u32) -> u64,
    ) -> io::Result<()> {
        let place = &self.places[id as usize];
        if place.lane.is_some() {
            return Ok(());
        }
        if let Some((errno, until_us)) = place.refused
            && now_us < until_us
        {
            return Err(io::Error::from_raw_os_error(errno));
        }
        let opened = self.open_new(id, poller, token);
        let place = &mut self.places[id as usize];
        place.refused = match &opened {
            Ok(_) => None,
            Err(error) => error
                .raw_os_error()
                .map(|errno| (errno, now_us + REOPEN_US)),
        };
        place.lane = Some(opened?);
        Ok(())
    }

    fn open_new(
        &mut self,
        id: LaneId,
        poller: &Poller,
        token: impl Fn(u32) -> u64,
    ) -> io::Result<Lane> {
        let random = self.random();
        let lane = Lane::open(id, random, self.cookies.magic())?;
        poller.add(lane.socket.fd(), token(token_of(id, false)), READ)?;
        if let Some(errors) = &lane.errors {
            poller.add(errors.fd(), token(token_of(id, true)), READ)?;
        }
        Ok(lane)
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
    pub fn ends(&mut self, remote: IpAddr, remote_port: u16) -> Ends {
        let random = self.random();
        let lane = self.places[LaneId::tcp(remote) as usize].lane.as_ref();
        let ports = lane.and_then(|lane| lane.ports.as_ref());
        Ends {
            remote,
            remote_port,
            local_port: ports.map_or(0, |ports| ports.pick(random)),
        }
    }

    /// The interface to ask for a neighbour on, and the IPv4 address to ask from.
    pub fn link(
        &mut self,
        plan: &NeighbourPlan,
        to: IpAddr,
    ) -> io::Result<(Link, Option<Ipv4Addr>)> {
        let no_route = || io::Error::from_raw_os_error(libc::ENETUNREACH);
        let link = match &plan.interface {
            Some(name) => self.links.get(name)?,
            None => match self.sources.route(to)? {
                route if route.is_via_gateway => return Err(no_route()),
                route => self.links.by_index(route.interface)?,
            },
        };
        if to.is_ipv6() || link.ip.is_some() {
            return Ok((link, link.ip));
        }
        // As the kernel itself does for an interface without an address (a bridge of guests): any other of the host.
        match self.sources.route(to)?.source {
            Some(IpAddr::V4(ip)) => Ok((link, Some(ip))),
            _ => Err(no_route()),
        }
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
            let more = self
                .inbox
                .receive(socket.fd(), id.wants_senders(), |incoming| {
                    heard.extend(heard::read(id, errors, &incoming, cookies));
                });
            if !more {
                break;
            }
        }
    }

    /// What silence means: the target's trouble, unless we lost answers or asked in a way that does not hold any more.
    /// The second value is the source to use from now on.
    pub fn silence(&mut self, probe: &RawProbe, since_us: u64, now_us: u64) -> (Outcome, SourceId) {
        let lane = self.places[probe.lane() as usize].lane.as_mut();
        let has_lost = lane.is_some_and(|lane| lane.lost_since(since_us, now_us));
        let (outcome, source) = match probe {
            RawProbe::HalfOpen(probe) => self.half_open_silence(probe),
            RawProbe::Ping(ping) => (ping.outcome(), SourceId::default()),
            RawProbe::Neighbour(neighbour) => {
                let name = neighbour.plan.interface.as_deref();
                let changed =
                    name.is_some_and(|name| self.links.has_changed(name, &neighbour.link));
                let reason = if changed {
                    Reason::NoLocalRoute
                } else {
                    Reason::NoReply
                };
                (Outcome::of(reason), SourceId::default())
            }
        };
        if has_lost && outcome != Outcome::Ok {
            return (Outcome::Inconclusive(Reason::ProberResources), source);
        }
        (outcome, source)
    }

    fn half_open_silence(&mut self, probe: &HalfOpen) -> (Outcome, SourceId) {
        match self.sources.look_up(probe.ends.remote) {
            Ok(source) if source == probe.source => {
                (Outcome::Failed(Reason::ConnectTimeout), source)
            }
            Ok(source) => (Outcome::Inconclusive(Reason::NoLocalRoute), source),
            Err(_) => (
                Outcome::Inconclusive(Reason::NoLocalRoute),
                SourceId::default(),
            ),
        }
    }

    /// A number that nobody has to guess right.
    fn random(&mut self) -> u64 {
        const MULTIPLIER: u64 = 0x5851_f42d_4c95_7f2d;
        const INCREMENT: u64 = 0x1405_7b7e_f767_814f;
        self.random = self.random.wrapping_mul(MULTIPLIER).wrapping_add(INCREMENT);
        self.random >> 32
    }
}
