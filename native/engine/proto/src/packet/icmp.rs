//! ICMP for both families: echo, and errors about packets of ours.

use super::checksum;
use super::ip::{self, Packet};
use crate::reason::Reason;

const HEADER: usize = 8;
/// Bytes of a stamp, at the start of an echo's payload.
pub const STAMP_BYTES: usize = 20;
/// Bytes of an echo up to the end of its stamp.
pub const ECHO_BYTES: usize = HEADER + STAMP_BYTES;

/// What we write into an echo, to know our own again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The same in all echos of a process, for the kernel's filter.
    pub magic: u32,
    pub ticket: u32,
    /// Low bits of a clock, microseconds.
    pub sent_us: u32,
    pub seal: u64,
}

/// An echo request or reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Echo {
    pub id: u16,
    pub sequence: u16,
    pub stamp: Stamp,
}

/// Writes an echo request up to the end of its stamp; zeros may follow. The kernel fills in the checksum of ICMPv6.
pub fn write_echo(out: &mut [u8], v6: bool, echo: &Echo) -> Option<usize> {
    let message: &mut [u8; ECHO_BYTES] = out.first_chunk_mut()?;
    message.fill(0);
    message[0] = if v6 { 128 } else { 8 };
    message[4..6].copy_from_slice(&echo.id.to_be_bytes());
    message[6..8].copy_from_slice(&echo.sequence.to_be_bytes());
    message[8..12].copy_from_slice(&echo.stamp.magic.to_be_bytes());
    message[12..16].copy_from_slice(&echo.stamp.ticket.to_be_bytes());
    message[16..20].copy_from_slice(&echo.stamp.sent_us.to_be_bytes());
    message[20..28].copy_from_slice(&echo.stamp.seal.to_be_bytes());
    if !v6 {
        let sum = checksum::plain(message);
        message[2..4].copy_from_slice(&sum.to_be_bytes());
    }
    Some(ECHO_BYTES)
}

/// Reads an echo reply.
pub fn read_reply(message: &[u8], v6: bool) -> Option<Echo> {
    (*message.first()? == if v6 { 129 } else { 0 }).then(|| read_echo(message))?
}

/// Reads a request of ours that an error quotes, if it quotes enough.
pub fn read_request(message: &[u8], v6: bool) -> Option<Echo> {
    (*message.first()? == if v6 { 128 } else { 8 }).then(|| read_echo(message))?
}

fn read_echo(message: &[u8]) -> Option<Echo> {
    let message: &[u8; ECHO_BYTES] = message.first_chunk()?;
    let word = |at: usize| {
        u32::from_be_bytes([
            message[at],
            message[at + 1],
            message[at + 2],
            message[at + 3],
        ])
    };
    Some(Echo {
        id: u16::from_be_bytes([message[4], message[5]]),
        sequence: u16::from_be_bytes([message[6], message[7]]),
        stamp: Stamp {
            magic: word(8),
            ticket: word(12),
            sent_us: word(16),
            seal: u64::from(word(20)) << 32 | u64::from(word(24)),
        },
    })
}

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
