//! Addresses as the kernel takes and gives them.

use std::mem::size_of;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where a packet goes.
#[derive(Clone, Copy)]
pub enum Address {
    V4(libc::sockaddr_in),
    V6(libc::sockaddr_in6),
    /// To all of an interface, by Ethernet.
    Link(libc::sockaddr_ll),
}

impl Address {
    pub fn of(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(ip) => Self::V4(libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: 0,
                sin_addr: libc::in_addr {
                    s_addr: u32::from_ne_bytes(ip.octets()),
                },
                sin_zero: [0; 8],
            }),
            IpAddr::V6(ip) => Self::V6(libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: 0,
                sin6_flowinfo: 0,
                sin6_addr: libc::in6_addr {
                    s6_addr: ip.octets(),
                },
                sin6_scope_id: 0,
            }),
        }
    }

    /// An address on an interface.
    pub fn on(ip: Ipv6Addr, interface: u32) -> Self {
        Self::V6(libc::sockaddr_in6 {
            sin6_family: libc::AF_INET6 as libc::sa_family_t,
            sin6_port: 0,
            sin6_flowinfo: 0,
            sin6_addr: libc::in6_addr {
                s6_addr: ip.octets(),
            },
            sin6_scope_id: interface,
        })
    }

    /// All neighbours on an interface.
    pub fn broadcast(interface: u32) -> Self {
        Self::Link(libc::sockaddr_ll {
            sll_family: libc::AF_PACKET as u16,
            sll_protocol: (libc::ETH_P_ARP as u16).to_be(),
            sll_ifindex: interface as i32,
            sll_hatype: 0,
            sll_pkttype: 0,
            sll_halen: 6,
            sll_addr: [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0],
        })
    }

    /// Start and length for a system call; valid as long as `self` is.
    pub fn as_raw(&self) -> (*const libc::c_void, libc::socklen_t) {
        match self {
            Self::V4(address) => (
                std::ptr::from_ref(address).cast(),
                size_of::<libc::sockaddr_in>() as libc::socklen_t,
            ),
            Self::V6(address) => (
                std::ptr::from_ref(address).cast(),
                size_of::<libc::sockaddr_in6>() as libc::socklen_t,
            ),
            Self::Link(address) => (
                std::ptr::from_ref(address).cast(),
                size_of::<libc::sockaddr_ll>() as libc::socklen_t,
            ),
        }
    }
}

/// Bytes of the longest address that is received.
pub const ROOM: usize = size_of::<libc::sockaddr_in6>();

/// The interface in what the kernel wrote of a packet socket.
pub fn interface_of(bytes: &[u8]) -> Option<u32> {
    let family = u16::from_ne_bytes(*bytes.first_chunk()?);
    let index: [u8; 4] = bytes.get(4..8)?.try_into().ok()?;
    (i32::from(family) == libc::AF_PACKET).then(|| u32::from_ne_bytes(index))
}

/// The IP address in what the kernel wrote, if it is one.
pub fn ip_of(bytes: &[u8]) -> Option<IpAddr> {
    let family = u16::from_ne_bytes(*bytes.first_chunk()?);
    if i32::from(family) == libc::AF_INET {
        let octets: [u8; 4] = bytes.get(4..8)?.try_into().ok()?;
        Some(Ipv4Addr::from(octets).into())
    } else if i32::from(family) == libc::AF_INET6 {
        let octets: [u8; 16] = bytes.get(8..24)?.try_into().ok()?;
        Some(Ipv6Addr::from(octets).into())
    } else {
        None
    }
}
