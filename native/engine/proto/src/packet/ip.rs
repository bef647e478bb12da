//! IP headers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub const TCP: u8 = 6;
pub const ICMP: u8 = 1;
pub const ICMPV6: u8 = 58;
/// Bytes of a header of each family, without options and extensions.
pub const V4_HEADER: usize = 20;
pub const V6_HEADER: usize = 40;
const HOP_LIMIT: u8 = 64;

/// An IP packet, as far as probes look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    pub source: IpAddr,
    pub destination: IpAddr,
    pub protocol: u8,
    pub payload: &'a [u8],
}

/// Reads an IPv4 packet; one that is cut off keeps what is there. A fragment other than the first says nothing.
pub fn read_v4(bytes: &[u8]) -> Option<Packet<'_>> {
    let header: &[u8; V4_HEADER] = bytes.first_chunk()?;
    let length = usize::from(header[0] & 0x0f) * 4;
    let offset = u16::from_be_bytes([header[6], header[7]]) & 0x1fff;
    if header[0] >> 4 != 4 || length < V4_HEADER || offset != 0 {
        return None;
    }
    let address =
        |at: usize| Ipv4Addr::new(header[at], header[at + 1], header[at + 2], header[at + 3]);
    Some(Packet {
        source: address(12).into(),
        destination: address(16).into(),
        protocol: header[9],
        payload: bytes.get(length..)?,
    })
}

/// Reads an IPv6 packet without extension headers, which no packet of ours has.
pub fn read_v6(bytes: &[u8]) -> Option<Packet<'_>> {
    let (header, payload) = bytes.split_first_chunk::<V6_HEADER>()?;
    if header[0] >> 4 != 6 {
        return None;
    }
    let address = |at: usize| {
        let octets: [u8; 16] = header[at..at + 16].try_into().expect("sixteen bytes");
        IpAddr::V6(Ipv6Addr::from(octets))
    };
    Some(Packet {
        source: address(8),
        destination: address(24),
        protocol: header[6],
        payload,
    })
}

/// Writes the header of a packet of ours and gives its length; `None` for addresses of two families. The kernel fills
/// in what is left: identification and checksum.
pub fn write(
    out: &mut [u8],
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    payload_bytes: usize,
) -> Option<usize> {
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let header: &mut [u8; V4_HEADER] = out.first_chunk_mut()?;
            header.fill(0);
            header[0] = 0x45;
            header[2..4].copy_from_slice(&((V4_HEADER + payload_bytes) as u16).to_be_bytes());
            // Do not fragment.
            header[6] = 0x40;
            header[8] = HOP_LIMIT;
            header[9] = protocol;
            header[12..16].copy_from_slice(&source.octets());
            header[16..20].copy_from_slice(&destination.octets());
            Some(V4_HEADER)
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let header: &mut [u8; V6_HEADER] = out.first_chunk_mut()?;
            header.fill(0);
            header[0] = 0x60;
            header[4..6].copy_from_slice(&(payload_bytes as u16).to_be_bytes());
            header[6] = protocol;
            header[7] = HOP_LIMIT;
            header[8..24].copy_from_slice(&source.octets());
            header[24..40].copy_from_slice(&destination.octets());
            Some(V6_HEADER)
        }
        _ => None,
    }
}
