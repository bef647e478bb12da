//! Cookies: which probe a reply answers is written in the packet itself, sealed so that only who saw it can answer.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use vmpulse_proto::packet::icmp::{Echo, Stamp};

/// The two ends of a half-open probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    pub remote: IpAddr,
    pub remote_port: u16,
    pub local_port: u16,
}

/// Seals with a random key of its own (SipHash-1-3 of the standard library).
#[derive(Default)]
pub struct Cookies {
    keys: RandomState,
}

impl Cookies {
    /// The sequence number of a SYN: a probe's ticket under a pad that only its two ends have. Who does not see the
    /// packet hits it once in 2^32 tries, and what one target sees of its own tells nothing of another's.
    pub fn seal(&self, ends: &Ends, ticket: u32) -> u32 {
        let (low, high) = self.pad(ends);
        // Without scrambling, the numbers of two probes to one port would be close to each other, and a server that
        // still had the first in mind would take the second for a part of it.
        scramble(ticket ^ low) ^ high
    }

    /// The ticket of a sequence number. It means something only if a probe of that ticket to these ends is in flight.
    pub fn open(&self, ends: &Ends, sequence: u32) -> u32 {
        let (low, high) = self.pad(ends);
        unscramble(sequence ^ high) ^ low
    }

    /// The same in all echos, for the kernel's filter.
    pub fn magic(&self) -> u32 {
        self.keys.hash_one(0u8) as u32
    }

    /// An echo request: its id is the target's own (random, the same while we live), its sequence number is told by the
    /// ticket and `index`, and its seal proves that a reply is one to this very packet.
    pub fn stamp(&self, remote: IpAddr, ticket: u32, index: u8, sent_us: u32) -> Echo {
        let mut echo = Echo {
            id: self.keys.hash_one((1u8, remote)) as u16,
            sequence: (ticket as u16) << 8 | u16::from(index),
            stamp: Stamp {
                magic: self.magic(),
                ticket,
                sent_us,
                seal: 0,
            },
        };
        echo.stamp.seal = self.echo_seal(remote, &echo);
        echo
    }

    /// True for an echo that we have stamped for this target.
    pub fn knows(&self, remote: IpAddr, echo: &Echo) -> bool {
        echo.stamp.seal == self.echo_seal(remote, echo)
    }

    fn echo_seal(&self, remote: IpAddr, echo: &Echo) -> u64 {
        let Stamp {
            ticket, sent_us, ..
        } = echo.stamp;
        let head = u32::from(echo.id) << 16 | u32::from(echo.sequence);
        let rest = u64::from(ticket) << 32 | u64::from(sent_us);
        match remote {
            IpAddr::V4(ip) => self
                .keys
                .hash_one((u64::from(u32::from(ip)) << 32 | u64::from(head), rest)),
            IpAddr::V6(ip) => self.keys.hash_one((u128::from(ip), head, rest)),
        }
    }

    fn pad(&self, ends: &Ends) -> (u32, u32) {
        let ports = u32::from(ends.remote_port) << 16 | u32::from(ends.local_port);
        let pad = match ends.remote {
            IpAddr::V4(ip) => self
                .keys
                .hash_one(u64::from(u32::from(ip)) << 32 | u64::from(ports)),
            IpAddr::V6(ip) => self.keys.hash_one((u128::from(ip), ports)),
        };
        (pad as u32, (pad >> 32) as u32)
    }
}

/// A permutation of all 32-bit numbers in which neighbours do not stay together.
fn scramble(mut x: u32) -> u32 {
    x ^= x >> 16;
    x = x.wrapping_mul(0x7feb_352d);
    x ^= x >> 15;
    x = x.wrapping_mul(0x846c_a68b);
    x ^ x >> 16
}

/// Its inverse.
fn unscramble(mut x: u32) -> u32 {
    x ^= x >> 16;
    x = x.wrapping_mul(0x4302_1123);
    x ^= x >> 15 ^ x >> 30;
    x = x.wrapping_mul(0x1d69_e2a5);
    x ^ x >> 16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(remote: &str) -> Ends {
        Ends {
            remote: remote.parse().unwrap(),
            remote_port: 22,
            local_port: 40_001,
        }
    }

    #[test]
    fn what_was_sealed_opens_for_its_own_ends_alone() {
        let cookies = Cookies::default();
        for remote in ["192.0.2.1", "2001:db8::1"] {
            let ends = ends(remote);
            for ticket in [0, 1, 4095, 4096, 0xdead_beef, u32::MAX] {
                assert_eq!(cookies.open(&ends, cookies.seal(&ends, ticket)), ticket);
            }
            let sealed = cookies.seal(&ends, 7);
            let mut other = ends;
            other.local_port += 1;
            // Each of these agrees by chance once in 2^32 runs.
            assert_ne!(cookies.open(&other, sealed), 7);
            assert_ne!(Cookies::default().open(&ends, sealed), 7);
        }
    }

    #[test]
    fn an_echo_is_known_by_its_seal() {
        let cookies = Cookies::default();
        let (ours, other): (IpAddr, IpAddr) =
            ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let echo = cookies.stamp(ours, 7, 3, 1234);
        assert!(cookies.knows(ours, &echo));
        assert!(!cookies.knows(other, &echo) && !Cookies::default().knows(ours, &echo));
        let changes: [fn(&mut Echo); 4] = [
            |echo| echo.id ^= 1,
            |echo| echo.sequence ^= 1,
            |echo| echo.stamp.ticket ^= 1,
            |echo| echo.stamp.sent_us ^= 1,
        ];
        for change in changes {
            let mut forged = echo;
            change(&mut forged);
            assert!(!cookies.knows(ours, &forged), "{forged:?}");
        }
    }

    #[test]
    fn neighbouring_tickets_are_far_apart() {
        let (cookies, ends) = (Cookies::default(), ends("192.0.2.1"));
        let close = (0..1000u32)
            .filter(|&ticket| {
                let apart = cookies
                    .seal(&ends, ticket)
                    .wrapping_sub(cookies.seal(&ends, ticket + 1));
                !(65_536..=u32::MAX - 65_536).contains(&apart)
            })
            .count();
        assert!(close < 10, "{close} of 1000");
    }
}
