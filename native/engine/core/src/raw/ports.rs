//! Source ports of our own: bound, so that the kernel gives them to nobody else.

use crate::poller::check;
use std::io;
use std::mem::size_of;
use std::ops::RangeInclusive;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// Ports of a block; less where so many are not free side by side. Each is a power of two, and a block begins at a
/// multiple of its size, so that a filter knows its ports by a mask.
const SIZES: [u16; 3] = [16, 4, 1];
/// Blocks of a size that are looked at before the next size: a search is some milliseconds at most.
const TRIES: u64 = 64;
/// Linux's ephemeral ports, should they not be told.
const EPHEMERAL: RangeInclusive<u16> = 32_768..=60_999;

/// Ports that are bound and never listen: the kernel answers what comes to them by RST, which ends a half-open probe
/// at its target.
pub struct PortBlock {
    pub first: u16,
    count: u16,
    _bound: Vec<OwnedFd>,
}

impl PortBlock {
    /// Reserves a free block; `random` decides where the search begins. Ports above the ephemeral ones come first: a
    /// connection of this host, or what remains of it in TIME_WAIT, holds none of them.
    pub fn reserve(v6: bool, random: u64) -> io::Result<Self> {
        let ephemeral = ephemeral();
        let above = ephemeral.end().checked_add(1).map(|first| first..=u16::MAX);
        let ranges = [above, Some(ephemeral)];
        for count in SIZES {
            for range in ranges.iter().flatten() {
                if let Some(block) = Self::find(v6, count, range, random)? {
                    return Ok(block);
                }
            }
        }
        Err(io::Error::from_raw_os_error(libc::EADDRINUSE))
    }

    fn find(
        v6: bool,
        count: u16,
        range: &RangeInclusive<u16>,
        random: u64,
    ) -> io::Result<Option<Self>> {
        let size = u32::from(count);
        let begin = u32::from(*range.start()).next_multiple_of(size);
        let blocks = u64::from((u32::from(*range.end()) + 1).saturating_sub(begin) / size);
        for step in 0..blocks.min(TRIES) {
            let first = (begin + ((random + step) % blocks) as u32 * size) as u16;
            match bind_all(v6, first, count) {
                Ok(bound) => {
                    return Ok(Some(Self {
                        first,
                        count,
                        _bound: bound,
                    }));
                }
                Err(error) if error.raw_os_error() == Some(libc::EADDRINUSE) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// What the ports have in common with the first.
    pub fn mask(&self) -> u16 {
        !(self.count - 1)
    }

    /// One of the ports.
    pub fn pick(&self, random: u64) -> u16 {
        self.first | (random as u16 & !self.mask())
    }
}

/// The ports that the kernel gives to connections, of the namespace that we are in.
fn ephemeral() -> RangeInclusive<u16> {
    let told = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range");
    told.ok()
        .and_then(|text| {
            let mut numbers = text.split_whitespace().map(str::parse);
            Some(numbers.next()?.ok()?..=numbers.next()?.ok()?)
        })
        .unwrap_or(EPHEMERAL)
}

fn bind_all(v6: bool, first: u16, count: u16) -> io::Result<Vec<OwnedFd>> {
    (first..=first + (count - 1))
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
            assert_eq!(block.first & block.mask(), block.first);
            assert_eq!(block.pick(u64::MAX), block.first + block.count - 1);
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
