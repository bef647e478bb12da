//! Raw sockets: opening, queues of the kernel, losses.

use super::filter;
use crate::poller::check;
use crate::socket::set;
use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// Bytes that the kernel may keep for us in each direction: some thousand packets, a burst of several ticks.
const QUEUE_BYTES: i32 = 8 * 1024 * 1024;
/// Place of the losses in SO_MEMINFO (SK_MEMINFO_DROPS), and the number of its values.
const DROPS: usize = 8;
const MEMORY_VALUES: usize = 9;
/// Not in the libc crate for all targets: `ICMP_FILTER`, at the level SOL_RAW.
const SOL_RAW: i32 = 255;
const ICMP_FILTER: i32 = 1;
const ICMP6_FILTER: i32 = 1;

pub struct RawSocket {
    fd: OwnedFd,
}

impl RawSocket {
    /// Opens a socket of a protocol. What comes before the filter is attached is
    /// dropped by it (`receive` checks everything again).
    pub fn open(v6: bool, protocol: i32) -> io::Result<Self> {
        let family = if v6 { libc::AF_INET6 } else { libc::AF_INET };
        Self::of(family, libc::SOCK_RAW, protocol)
    }

    /// Opens a socket for ARP on all interfaces.
    pub fn open_arp() -> io::Result<Self> {
        let protocol = i32::from((libc::ETH_P_ARP as u16).to_be());
        Self::of(libc::AF_PACKET, libc::SOCK_DGRAM, protocol)
    }

    fn of(family: i32, kind: i32, protocol: i32) -> io::Result<Self> {
        let kind = kind | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        // SAFETY: no pointers are passed.
        let fd = check(unsafe { libc::socket(family, kind, protocol) })?;
        // SAFETY: `fd` was just created and nothing else owns it.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        for (forced, plain) in [
            (libc::SO_RCVBUFFORCE, libc::SO_RCVBUF),
            (libc::SO_SNDBUFFORCE, libc::SO_SNDBUF),
        ] {
            // Without CAP_NET_ADMIN as much as the system allows.
            if set(&fd, libc::SOL_SOCKET, forced, &QUEUE_BYTES).is_err() {
                set(&fd, libc::SOL_SOCKET, plain, &QUEUE_BYTES)?;
            }
        }
        Ok(Self { fd })
    }

    /// We write the IP header ourselves.
    pub fn write_headers(&self, v6: bool) -> io::Result<()> {
        if v6 {
            set(&self.fd, libc::IPPROTO_IPV6, libc::IPV6_HDRINCL, &1i32)
        } else {
            set(&self.fd, libc::IPPROTO_IP, libc::IP_HDRINCL, &1i32)
        }
    }

    /// Packets come with the time at which the kernel had them.
    pub fn take_times(&self) -> io::Result<()> {
        set(&self.fd, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, &1i32)
    }

    /// As neighbour discovery wants it: sent with a hop limit of 255, received with the interface.
    pub fn discover(&self) -> io::Result<()> {
        set(
            &self.fd,
            libc::IPPROTO_IPV6,
            libc::IPV6_MULTICAST_HOPS,
            &255i32,
        )?;
        set(&self.fd, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, &1i32)
    }

    /// Of ICMP, only these types are wanted (of IPv4 below 32).
    pub fn take_types(&self, v6: bool, types: &[u8]) -> io::Result<()> {
        if v6 {
            let mut blocked = [u32::MAX; 8];
            for kind in types {
                blocked[usize::from(kind >> 5)] &= !(1 << (kind & 31));
            }
            return set(&self.fd, libc::IPPROTO_ICMPV6, ICMP6_FILTER, &blocked);
        }
        let blocked = types
            .iter()
            .fold(u32::MAX, |mask, kind| mask & !(1 << kind));
        set(&self.fd, SOL_RAW, ICMP_FILTER, &blocked)
    }

    pub fn filter(&self, program: &[libc::sock_filter]) -> io::Result<()> {
        filter::attach(self.fd(), program)
    }

    /// Packets that the kernel dropped because its queue was full, in total.
    pub fn drops(&self) -> u32 {
        let mut values = [0u32; MEMORY_VALUES];
        let mut length = size_of::<[u32; MEMORY_VALUES]>() as libc::socklen_t;
        // SAFETY: the buffer is valid for `length` bytes. On an error the values stay 0: nothing is known of losses.
        unsafe {
            libc::getsockopt(
                self.fd.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_MEMINFO,
                values.as_mut_ptr().cast(),
                &mut length,
            )
        };
        values[DROPS]
    }

    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
