//! The three segments that a half-open probe knows: its SYN, and the SYN-ACK or RST that answers it.

use super::{checksum, ip};
use std::net::IpAddr;

const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;
const HEADER: usize = 20;
/// A SYN of ours: header and the option for the segment size, without which some firewalls distrust it.
pub const SYN_BYTES: usize = HEADER + 4;
const SEGMENT_SIZE: u16 = 1460;
const WINDOW: u16 = 64_240;

/// An answer to a SYN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    pub source_port: u16,
    pub destination_port: u16,
    /// The sequence number of the SYN that it answers.
    pub answers: u32,
    /// SYN-ACK; else RST.
    pub accepts: bool,
}

/// What an ICMP error quotes of a segment of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote {
    pub source_port: u16,
    pub destination_port: u16,
    pub sequence: u32,
}

/// Writes a whole packet with a SYN and gives its length; `None` for addresses of two families.
pub fn write_syn(
    out: &mut [u8],
    (source, source_port): (IpAddr, u16),
    (destination, destination_port): (IpAddr, u16),
    sequence: u32,
) -> Option<usize> {
    let at = ip::write(out, source, destination, ip::TCP, SYN_BYTES)?;
    let segment: &mut [u8; SYN_BYTES] = out.get_mut(at..)?.first_chunk_mut()?;
    segment.fill(0);
    segment[0..2].copy_from_slice(&source_port.to_be_bytes());
    segment[2..4].copy_from_slice(&destination_port.to_be_bytes());
    segment[4..8].copy_from_slice(&sequence.to_be_bytes());
    segment[12] = (SYN_BYTES as u8 / 4) << 4;
    segment[13] = SYN;
    segment[14..16].copy_from_slice(&WINDOW.to_be_bytes());
    segment[20..22].copy_from_slice(&[2, 4]);
    segment[22..24].copy_from_slice(&SEGMENT_SIZE.to_be_bytes());
    let sum = checksum::with_pseudo_header(source, destination, ip::TCP, segment);
    segment[16..18].copy_from_slice(&sum.to_be_bytes());
    Some(at + SYN_BYTES)
}

/// Reads a segment that may answer a SYN. Its checksum is not looked at: interfaces that compute it later leave it
/// open on packets of the same host, and the sequence number is the better proof.
pub fn read_reply(segment: &[u8]) -> Option<Reply> {
    let header: &[u8; HEADER] = segment.first_chunk()?;
    let accepts = match header[13] & (SYN | RST | ACK) {
        flags if flags == SYN | ACK => true,
        flags if flags == RST | ACK => false,
        _ => return None,
    };
    let acknowledged = u32::from_be_bytes([header[8], header[9], header[10], header[11]]);
    Some(Reply {
        source_port: u16::from_be_bytes([header[0], header[1]]),
        destination_port: u16::from_be_bytes([header[2], header[3]]),
        answers: acknowledged.wrapping_sub(1),
        accepts,
    })
}

/// Reads the first eight bytes of a segment, which every ICMP error quotes.
pub fn read_quote(segment: &[u8]) -> Option<Quote> {
    let start: &[u8; 8] = segment.first_chunk()?;
    Some(Quote {
        source_port: u16::from_be_bytes([start[0], start[1]]),
        destination_port: u16::from_be_bytes([start[2], start[3]]),
        sequence: u32::from_be_bytes([start[4], start[5], start[6], start[7]]),
    })
}
