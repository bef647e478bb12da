#![allow(dead_code, reason = "each test file uses a part")]
//! Somebody who sees packets of an interface, and writes any he likes.

use std::io;
use std::mem::size_of;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

pub struct Forger {
    /// Sees all packets of the namespace from their IP header on.
    ears: OwnedFd,
    mouth: OwnedFd,
}

fn socket(family: i32, kind: i32, protocol: i32) -> OwnedFd {
    // SAFETY: no pointers are passed.
    let fd = unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, protocol) };
    assert!(fd >= 0, "{}", io::Error::last_os_error());
    // SAFETY: `fd` was just created and nothing else owns it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

impl Forger {
    /// In the namespace of the calling thread.
    pub fn new() -> Self {
        let ears = socket(
            libc::AF_PACKET,
            libc::SOCK_DGRAM,
            i32::from((libc::ETH_P_IP as u16).to_be()),
        );
        let patience = libc::timeval {
            tv_sec: 20,
            tv_usec: 0,
        };
        // SAFETY: the option takes a timeval, whose own size is passed.
        unsafe {
            libc::setsockopt(
                ears.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_RCVTIMEO,
                std::ptr::from_ref(&patience).cast(),
                size_of::<libc::timeval>() as libc::socklen_t,
            )
        };
        Self {
            ears,
            mouth: socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_RAW),
        }
    }

    /// The next packet that `matches` likes.
    pub fn hear(&self, matches: impl Fn(&[u8]) -> bool) -> Vec<u8> {
        let mut buffer = [0u8; 2048];
        loop {
            // SAFETY: the buffer is valid for its own length.
            let count = unsafe {
                libc::recv(
                    self.ears.as_raw_fd(),
                    buffer.as_mut_ptr().cast(),
                    buffer.len(),
                    0,
                )
            };
            assert!(count > 0, "heard nothing: {}", io::Error::last_os_error());
            let packet = &buffer[..count as usize];
            if matches(packet) {
                return packet.to_vec();
            }
        }
    }

    /// The next SYN to an address.
    pub fn hear_syn(&self, to: Ipv4Addr) -> Vec<u8> {
        self.hear(|packet| {
            packet.len() >= 40
                && packet[9] == 6
                && packet[16..20] == to.octets()
                && packet[33] == 0x02
        })
    }

    /// The next echo request to an address.
    pub fn hear_echo(&self, to: Ipv4Addr) -> Vec<u8> {
        self.hear(|packet| {
            packet.len() >= 48 && packet[9] == 1 && packet[16..20] == to.octets() && packet[20] == 8
        })
    }

    /// Sends a whole IPv4 packet.
    pub fn say(&self, packet: &[u8]) {
        let destination: [u8; 4] = packet[16..20].try_into().unwrap();
        let address = libc::sockaddr_in {
            sin_family: libc::AF_INET as libc::sa_family_t,
            sin_port: 0,
            sin_addr: libc::in_addr {
                s_addr: u32::from_ne_bytes(destination),
            },
            sin_zero: [0; 8],
        };
        // SAFETY: packet and address are valid for the lengths that are passed.
        let sent = unsafe {
            libc::sendto(
                self.mouth.as_raw_fd(),
                packet.as_ptr().cast(),
                packet.len(),
                0,
                std::ptr::from_ref(&address).cast(),
                size_of::<libc::sockaddr_in>() as libc::socklen_t,
            )
        };
        assert_eq!(
            sent,
            packet.len() as isize,
            "{}",
            io::Error::last_os_error()
        );
    }
}

/// An answer to a SYN: addresses and ports swapped, acknowledging `off` more than it should.
pub fn answer_to(syn: &[u8], flags: u8, off: u32) -> Vec<u8> {
    let mut packet = vec![0u8; 40];
    packet[0] = 0x45;
    packet[2..4].copy_from_slice(&40u16.to_be_bytes());
    packet[8] = 64;
    packet[9] = 6;
    packet[12..16].copy_from_slice(&syn[16..20]);
    packet[16..20].copy_from_slice(&syn[12..16]);
    packet[20..22].copy_from_slice(&syn[22..24]);
    packet[22..24].copy_from_slice(&syn[20..22]);
    let sequence = u32::from_be_bytes(syn[24..28].try_into().unwrap());
    packet[28..32].copy_from_slice(&sequence.wrapping_add(1).wrapping_add(off).to_be_bytes());
    packet[32] = 0x50;
    packet[33] = flags;
    packet
}

/// The reply to an echo request.
pub fn echo_of(request: &[u8]) -> Vec<u8> {
    let mut packet = request.to_vec();
    packet[12..16].copy_from_slice(&request[16..20]);
    packet[16..20].copy_from_slice(&request[12..16]);
    packet[20] = 0;
    packet
}
