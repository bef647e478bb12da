//! The checksum of the Internet protocols (RFC 1071).

use std::net::IpAddr;

/// Sum of big-endian words, to be folded at the end. A 32-bit sum holds 65,535 words.
fn sum(bytes: &[u8]) -> u32 {
    let (words, rest) = bytes.as_chunks::<2>();
    let total: u32 = words
        .iter()
        .map(|word| u32::from(u16::from_be_bytes(*word)))
        .sum();
    total + rest.first().map_or(0, |last| u32::from(*last) << 8)
}

fn folded(mut total: u32) -> u16 {
    while total > 0xffff {
        total = (total & 0xffff) + (total >> 16);
    }
    !(total as u16)
}

/// Checksum of bytes whose own field is zero.
pub fn plain(bytes: &[u8]) -> u16 {
    folded(sum(bytes))
}

/// Checksum of a segment with its pseudo-header.
pub fn with_pseudo_header(source: IpAddr, destination: IpAddr, protocol: u8, bytes: &[u8]) -> u16 {
    let address = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => sum(&ip.octets()),
        IpAddr::V6(ip) => sum(&ip.octets()),
    };
    let length = bytes.len() as u32;
    folded(address(source) + address(destination) + u32::from(protocol) + length + sum(bytes))
}
