//! Source ports of our own: bound, so that the kernel gives them to nobody else.

use crate::poller::check;
use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// A block begins at a multiple of its size, so that a filter knows its ports by a mask.
const COUNT: u16 = 16;
pub const MASK: u16 = !(COUNT - 1);
/// The kernel's ephemeral ports by default; a bound port outside of the configured ones is as good.
const RANGE: std::ops::Range<u16> = 32_768..61_000;

/// Ports that are bound and never listen: the kernel answers what comes to them by RST, which ends a half-open probe
/// at its target.
pub struct PortBlock {
    pub first: u16,
    _bound: Vec<OwnedFd>,
}

impl PortBlock {
    /// Reserves a free block; `random` decides where the search begins.
    pub fn reserve(v6: bool, random: u64) -> io::Result<Self> {
        let blocks = u64::from((RANGE.end - RANGE.start) / COUNT);
        let mut last = io::Error::from_raw_os_error(libc::EADDRINUSE);
        for step in 0..blocks {
            let first = RANGE.start + ((random + step) % blocks) as u16 * COUNT;
            match bind_all(v6, first) {
                Ok(bound) => {
                    return Ok(Self {
                        first,
                        _bound: bound,
                    });
                }
                Err(error) if error.raw_os_error() == Some(libc::EADDRINUSE) => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    /// One of the ports.
    pub fn pick(&self, random: u64) -> u16 {
        self.first | (random as u16 & !MASK)
    }
}

fn bind_all(v6: bool, first: u16) -> io::Result<Vec<OwnedFd>> {
    (first..first + COUNT)
        .map(|port| bind_one(v6, port))
        .collect()
}

fn bind_one(v6: bool, port: u16) -> io::Result<OwnedFd> {
    let family = if v6 { libc::AF_INET6 } else { libc::AF_INET };
    // SAFETY: no pointers are passed.
    let fd = check(unsafe { libc::socket(family, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) })?;
    // SAFETY: `fd` was just created and nothing else owns it.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    if v6 {
        // The same port of IPv4 is another lane's affair.
        crate::socket::set(&fd, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, &1i32)?;
        let address = libc::sockaddr_in6 {
            sin6_family: libc::AF_INET6 as libc::sa_family_t,
            sin6_port: port.to_be(),
            sin6_flowinfo: 0,
            sin6_addr: libc::in6_addr { s6_addr: [0; 16] },
            sin6_scope_id: 0,
        };
        bind_to(&fd, &address)?;
    } else {
        let address = libc::sockaddr_in {
            sin_family: libc::AF_INET as libc::sa_family_t,
            sin_port: port.to_be(),
            sin_addr: libc::in_addr { s_addr: 0 },
            sin_zero: [0; 8],
        };
        bind_to(&fd, &address)?;
    }
    Ok(fd)
}

fn bind_to<T>(fd: &OwnedFd, address: &T) -> io::Result<()> {
    // SAFETY: `address` is a valid socket address of its own size.
    check(unsafe {
        libc::bind(
            fd.as_raw_fd(),
            std::ptr::from_ref(address).cast(),
            size_of::<T>() as libc::socklen_t,
        )
    })
    .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_ours_alone_until_it_is_dropped() {
        for v6 in [false, true] {
            let block = PortBlock::reserve(v6, 5).unwrap();
            assert_eq!(block.first & MASK, block.first);
            assert_eq!(block.pick(u64::MAX), block.first + COUNT - 1);
            let taken = bind_one(v6, block.pick(3)).unwrap_err();
            assert_eq!(taken.raw_os_error(), Some(libc::EADDRINUSE));
            let other = PortBlock::reserve(v6, 5).unwrap();
            assert_ne!(other.first, block.first);
            drop((block, other));
            // A port that was given back is anybody's: a connection of the host or a test beside this one may have
            // taken it at once, or a child that is about to be another program still holds it. Not of all blocks.
            let given_back = (0..16).any(|random| {
                let first = PortBlock::reserve(v6, random).unwrap().first;
                bind_one(v6, first).is_ok()
            });
            assert!(given_back);
        }
    }
}
