//! ARP for IPv4 over Ethernet.

use std::net::Ipv4Addr;

pub type Mac = [u8; 6];

pub const BYTES: usize = 28;
/// Ethernet, IPv4, and the lengths of their addresses.
const KIND: [u8; 6] = [0, 1, 8, 0, 6, 4];

/// What a reply says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    pub ip: Ipv4Addr,
    pub mac: Mac,
}

/// Writes a question: who has `target`? Never with an empty sender: that would be the probe of RFC 5227, which makes a
/// guest that just takes its address believe that somebody else wants it.
pub fn write_request(
    out: &mut [u8],
    (mac, ip): (Mac, Ipv4Addr),
    target: Ipv4Addr,
) -> Option<usize> {
    let packet: &mut [u8; BYTES] = out.first_chunk_mut()?;
    packet.fill(0);
    packet[..6].copy_from_slice(&KIND);
    packet[7] = 1;
    packet[8..14].copy_from_slice(&mac);
    packet[14..18].copy_from_slice(&ip.octets());
    packet[24..28].copy_from_slice(&target.octets());
    Some(BYTES)
}

/// Reads a reply.
pub fn read_reply(packet: &[u8]) -> Option<Reply> {
    let packet: &[u8; BYTES] = packet.first_chunk()?;
    if packet[..6] != KIND || packet[6..8] != [0, 2] {
        return None;
    }
    Some(Reply {
        ip: Ipv4Addr::new(packet[14], packet[15], packet[16], packet[17]),
        mac: packet[8..14].try_into().expect("six bytes"),
    })
}
