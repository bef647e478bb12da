//! Neighbour discovery of IPv6 (RFC 4861).

use super::arp::Mac;
use std::net::Ipv6Addr;

const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;
/// Header, flags and the target's address.
const FIXED: usize = 24;
pub const SOLICITATION_BYTES: usize = FIXED + 8;
const SOURCE_LINK_ADDRESS: u8 = 1;
const TARGET_LINK_ADDRESS: u8 = 2;
/// The advertisement answers a solicitation.
const SOLICITED: u8 = 0x40;

/// What an advertisement says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advertisement {
    pub ip: Ipv6Addr,
    pub mac: Mac,
}

/// The group that all who might have an address listen to.
pub fn solicited_node(target: Ipv6Addr) -> Ipv6Addr {
    let [.., high, low] = target.segments();
    Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | high & 0xff, low)
}

/// Writes a solicitation: who has `target`? The kernel fills in the checksum.
pub fn write_solicitation(out: &mut [u8], mac: Mac, target: Ipv6Addr) -> Option<usize> {
    let message: &mut [u8; SOLICITATION_BYTES] = out.first_chunk_mut()?;
    message.fill(0);
    message[0] = SOLICITATION;
    message[8..24].copy_from_slice(&target.octets());
    message[24] = SOURCE_LINK_ADDRESS;
    message[25] = 1;
    message[26..32].copy_from_slice(&mac);
    Some(SOLICITATION_BYTES)
}

/// Reads an advertisement that answers a solicitation and says the hardware address.
pub fn read_advertisement(message: &[u8]) -> Option<Advertisement> {
    let (fixed, mut options) = message.split_first_chunk::<FIXED>()?;
    if fixed[0] != ADVERTISEMENT || fixed[4] & SOLICITED == 0 {
        return None;
    }
    let octets: [u8; 16] = fixed[8..24].try_into().expect("sixteen bytes");
    while let [kind, units, ..] = *options {
        let length = usize::from(units) * 8;
        let option = options.get(..length).filter(|option| !option.is_empty())?;
        if kind == TARGET_LINK_ADDRESS {
            let mac = *option.get(2..)?.first_chunk()?;
            return Some(Advertisement {
                ip: octets.into(),
                mac,
            });
        }
        options = &options[length..];
    }
    None
}
