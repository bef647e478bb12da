//! One raw socket with what belongs to it: a lane, shared by all probes of one protocol and family.

use super::batch::{self, Outgoing};
use super::filter;
use super::ports::PortBlock;
use super::socket::RawSocket;
use crate::slab::Key;
use std::io;
use std::net::IpAddr;

/// Which lane a probe uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum LaneId {
    Tcp4,
    Tcp6,
    /// Echos that every link carries in one piece: we write their IP headers, which is the kernel's shorter way.
    SmallIcmp4,
    Icmp4,
    Icmp6,
    Arp,
    Ndp,
}

/// Payload up to which an IPv4 echo is small: with its headers far below 576 bytes.
const SMALL_PAYLOAD_BYTES: u16 = 256;

impl LaneId {
    pub const ALL: [Self; 7] = [
        Self::Tcp4,
        Self::Tcp6,
        Self::SmallIcmp4,
        Self::Icmp4,
        Self::Icmp6,
        Self::Arp,
        Self::Ndp,
    ];

    pub fn tcp(to: IpAddr) -> Self {
        if to.is_ipv4() { Self::Tcp4 } else { Self::Tcp6 }
    }

    pub fn ping(to: IpAddr, payload_bytes: u16) -> Self {
        match to {
            IpAddr::V6(_) => Self::Icmp6,
            IpAddr::V4(_) if payload_bytes > SMALL_PAYLOAD_BYTES => Self::Icmp4,
            IpAddr::V4(_) => Self::SmallIcmp4,
        }
    }

    pub fn neighbour(to: IpAddr) -> Self {
        if to.is_ipv4() { Self::Arp } else { Self::Ndp }
    }

    /// A raw IPv4 socket gives the IP header itself, so nobody has to be asked who sent a packet.
    pub fn wants_senders(self) -> bool {
        !matches!(self, Self::Tcp4 | Self::SmallIcmp4 | Self::Icmp4)
    }

    pub fn is_v6(self) -> bool {
        matches!(self, Self::Tcp6 | Self::Icmp6 | Self::Ndp)
    }
}

/// An open lane. Closing its sockets takes them out of epoll, so the order of drops does not matter.
pub struct Lane {
    pub socket: RawSocket,
    /// Hears ICMP errors about segments of this lane.
    pub errors: Option<RawSocket>,
    pub ports: Option<PortBlock>,
    pub queue: Vec<Outgoing>,
    /// Attempts in a row that sent nothing.
    refusals: u32,
    drops: u32,
    dropped_at_us: u64,
}

impl Lane {
    /// `random`: where the search for ports begins; `magic`: the word in all echos.
    pub fn open(id: LaneId, random: u64, magic: u32) -> io::Result<Self> {
        match id {
            LaneId::Tcp4 | LaneId::Tcp6 => Self::open_tcp(id.is_v6(), random),
            LaneId::SmallIcmp4 => {
                let lane = Self::open_icmp(false, magic)?;
                lane.socket.write_headers(false)?;
                Ok(lane)
            }
            LaneId::Icmp4 | LaneId::Icmp6 => Self::open_icmp(id.is_v6(), magic),
            LaneId::Arp => {
                let socket = RawSocket::open_arp()?;
                socket.filter(&filter::arp_replies())?;
                Ok(Self::of(socket))
            }
            LaneId::Ndp => {
                let socket = RawSocket::open(true, libc::IPPROTO_ICMPV6)?;
                socket.take_types(true, &[136])?;
                socket.filter(&filter::from_neighbours())?;
                socket.discover()?;
                Ok(Self::of(socket))
            }
        }
    }

    fn open_tcp(v6: bool, random: u64) -> io::Result<Self> {
        let ports = PortBlock::reserve(v6, random)?;
        let socket = RawSocket::open(v6, libc::IPPROTO_TCP)?;
        socket.filter(&filter::tcp_replies(v6, ports.first, ports.mask()))?;
        socket.write_headers(v6)?;
        let errors = RawSocket::open(v6, icmp(v6))?;
        errors.take_types(v6, if v6 { &[1, 3] } else { &[3, 11] })?;
        errors.filter(&filter::tcp_errors(v6, ports.first, ports.mask()))?;
        Ok(Self {
            errors: Some(errors),
            ports: Some(ports),
            ..Self::of(socket)
        })
    }

    fn open_icmp(v6: bool, magic: u32) -> io::Result<Self> {
        let socket = RawSocket::open(v6, icmp(v6))?;
        socket.take_types(v6, if v6 { &[129, 1, 3] } else { &[0, 3, 11] })?;
        socket.filter(&filter::echos(v6, magic))?;
        socket.take_times()?;
        Ok(Self::of(socket))
    }

    fn of(socket: RawSocket) -> Self {
        Self {
            drops: socket.drops(),
            socket,
            errors: None,
            ports: None,
            queue: Vec::with_capacity(256),
            refusals: 0,
            dropped_at_us: 0,
        }
    }

    /// Sends what waits; `failed` gets what the kernel refused, with its errno. False: some must wait.
    pub fn flush(&mut self, failed: &mut Vec<(Key, i32)>) -> bool {
        /// A queue that is full is given this many further turns.
        const MOST_REFUSALS: u32 = 3;
        let mut done = 0;
        while done < self.queue.len() {
            let (sent, error) = batch::send(self.socket.fd(), &self.queue[done..]);
            done += sent;
            if sent > 0 {
                self.refusals = 0;
            }
            match error.and_then(|error| error.raw_os_error()) {
                None | Some(libc::EINTR) => {}
                Some(libc::EAGAIN | libc::ENOBUFS) if self.refusals < MOST_REFUSALS => {
                    self.refusals += 1;
                    break;
                }
                Some(errno) => {
                    failed.push((self.queue[done].key, errno));
                    done += 1;
                }
            }
        }
        self.queue.drain(..done);
        self.queue.is_empty()
    }

    /// True when replies were lost in the kernel's queue at or after `since_us`, as far as can be known.
    pub fn lost_since(&mut self, since_us: u64, now_us: u64) -> bool {
        let drops = self.socket.drops();
        if drops != self.drops {
            self.drops = drops;
            self.dropped_at_us = now_us;
        }
        self.dropped_at_us > since_us
    }
}

fn icmp(v6: bool) -> i32 {
    if v6 {
        libc::IPPROTO_ICMPV6
    } else {
        libc::IPPROTO_ICMP
    }
}
