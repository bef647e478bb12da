//! The addresses of all network interfaces, as the C library gives them.

use crate::sys::check;
use std::ffi::CStr;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// One address of a network interface.
pub struct InterfaceAddress {
    pub name: String,
    pub what: AddressOf,
}

pub enum AddressOf {
    /// Its MAC address.
    Link([u8; 6]),
    Ip {
        ip: IpAddr,
        prefix: u32,
    },
    Other,
}

/// Every address of every interface.
pub fn read() -> io::Result<Vec<InterfaceAddress>> {
    let mut list: *mut libc::ifaddrs = std::ptr::null_mut();
    // SAFETY: `list` takes a pointer to what is freed below.
    check(unsafe { libc::getifaddrs(&raw mut list) })?;
    let mut found = Vec::new();
    let mut next = list;
    // SAFETY: `next` is null or an entry of the list, which lives until it is freed.
    while let Some(entry) = unsafe { next.as_ref() } {
        // SAFETY: the name of an entry ends with a zero byte.
        let name = unsafe { CStr::from_ptr(entry.ifa_name) };
        found.push(InterfaceAddress {
            name: name.to_string_lossy().into_owned(),
            // SAFETY: address and mask are null or as long as their family says.
            what: unsafe { address_of(entry.ifa_addr, entry.ifa_netmask) },
        });
        next = entry.ifa_next;
    }
    // SAFETY: `list` came from getifaddrs and is freed once.
    unsafe { libc::freeifaddrs(list) };
    Ok(found)
}

/// # Safety
/// Both are null or point to a socket address as long as its family says.
unsafe fn address_of(address: *const libc::sockaddr, mask: *const libc::sockaddr) -> AddressOf {
    // SAFETY: null or valid, by the caller.
    let Some(family) = (unsafe { address.as_ref() }).map(|address| address.sa_family) else {
        return AddressOf::Other;
    };
    match libc::c_int::from(family) {
        libc::AF_PACKET => {
            // SAFETY: of that family, so it is a whole sockaddr_ll; unaligned reads are allowed here.
            let link = unsafe { address.cast::<libc::sockaddr_ll>().read_unaligned() };
            match link.sll_addr {
                [a, b, c, d, e, f, ..] if link.sll_halen == 6 && (a | b | c | d | e | f) != 0 => {
                    AddressOf::Link([a, b, c, d, e, f])
                }
                _ => AddressOf::Other,
            }
        }
        libc::AF_INET | libc::AF_INET6 => {
            // SAFETY: both are of a family that `ip_of` reads, or null.
            let (ip, mask) = unsafe { (ip_of(address), ip_of(mask)) };
            ip.map_or(AddressOf::Other, |ip| AddressOf::Ip {
                ip,
                prefix: mask.map_or(0, ones),
            })
        }
        _ => AddressOf::Other,
    }
}

/// # Safety
/// Null, or a socket address as long as its family says.
unsafe fn ip_of(address: *const libc::sockaddr) -> Option<IpAddr> {
    // SAFETY: null or valid, by the caller.
    let family = unsafe { address.as_ref() }?.sa_family;
    match libc::c_int::from(family) {
        libc::AF_INET => {
            // SAFETY: of that family, so it is a whole sockaddr_in.
            let ip = unsafe { address.cast::<libc::sockaddr_in>().read_unaligned() };
            Some(Ipv4Addr::from(u32::from_be(ip.sin_addr.s_addr)).into())
        }
        libc::AF_INET6 => {
            // SAFETY: of that family, so it is a whole sockaddr_in6.
            let ip = unsafe { address.cast::<libc::sockaddr_in6>().read_unaligned() };
            Some(Ipv6Addr::from(ip.sin6_addr.s6_addr).into())
        }
        _ => None,
    }
}

fn ones(mask: IpAddr) -> u32 {
    match mask {
        IpAddr::V4(mask) => u32::from(mask).count_ones(),
        IpAddr::V6(mask) => u128::from(mask).count_ones(),
    }
}
