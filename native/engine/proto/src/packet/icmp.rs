//! ICMP for both families: errors about packets of ours.

use super::ip::{self, Packet};
use crate::reason::Reason;

const HEADER: usize = 8;

/// An error, and the start of the packet that it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error<'a> {
    pub reason: Reason,
    pub quoted: Packet<'a>,
}

/// Reads an ICMP error that ends a probe. What its codes mean is what Linux says of them to a connecting socket.
pub fn read_error_v4(message: &[u8]) -> Option<Error<'_>> {
    let (header, quoted) = message.split_first_chunk::<HEADER>()?;
    let reason = match (header[0], header[1]) {
        (3, 2 | 3) => Reason::ConnectionRefused,
        (3, 0 | 6 | 9 | 11) => Reason::NetworkUnreachable,
        // A hint about the path's packet size, which no packet of ours exceeds.
        (3, 4) => return None,
        (3, _) | (11, 0) => Reason::HostUnreachable,
        _ => return None,
    };
    Some(Error {
        reason,
        quoted: ip::read_v4(quoted)?,
    })
}

/// The same for ICMPv6.
pub fn read_error_v6(message: &[u8]) -> Option<Error<'_>> {
    let (header, quoted) = message.split_first_chunk::<HEADER>()?;
    let reason = match (header[0], header[1]) {
        (1, 0) => Reason::NetworkUnreachable,
        (1, 1 | 4 | 5 | 6) => Reason::ConnectionRefused,
        (1, _) | (3, 0) => Reason::HostUnreachable,
        _ => return None,
    };
    Some(Error {
        reason,
        quoted: ip::read_v6(quoted)?,
    })
}
