//! Packets of probes into the queues of their lanes.

use super::address::Address;
use super::batch::{Outgoing, PACKET_ROOM};
use super::{HalfOpen, LaneId, Neighbour, Ping, Raw};
use crate::clock;
use crate::slab::Key;
use std::net::{IpAddr, Ipv4Addr};
use vmpulse_proto::packet::{arp, icmp, ip, ndp, tcp};

/// Packets that are sent at once at the latest.
const FLUSH_AT: usize = 256;

impl Raw {
    /// Puts a SYN into the queue. True: the queue is to be flushed.
    pub fn send_syn(&mut self, key: Key, ticket: u32, probe: &HalfOpen) -> bool {
        let ends = &probe.ends;
        let sequence = self.cookies.seal(ends, ticket);
        let Some(source) = self.sources.address(probe.source) else {
            return false;
        };
        let from = (source, ends.local_port);
        let to = (ends.remote, ends.remote_port);
        self.queue(
            LaneId::tcp(ends.remote),
            key,
            Address::of(ends.remote),
            0,
            |packet| tcp::write_syn(packet, from, to, sequence),
        )
    }

    /// Puts the next echo of a ping into the queue. True: the queue is to be flushed.
    pub fn send_echo(&mut self, key: Key, ticket: u32, ping: &mut Ping) -> bool {
        // The clock that the kernel's receive times are of.
        let sent_us = clock::wall_us() as u32;
        let echo = self.cookies.stamp(ping.remote, ticket, ping.sent, sent_us);
        ping.sent += 1;
        let lane = LaneId::ping(ping.remote, ping.plan.payload_bytes);
        let zeros = ping
            .plan
            .payload_bytes
            .saturating_sub(icmp::STAMP_BYTES as u16);
        self.queue(lane, key, Address::of(ping.remote), zeros, |packet| {
            let header = match (lane, ping.remote) {
                (LaneId::SmallIcmp4, IpAddr::V4(to)) => {
                    let bytes = icmp::ECHO_BYTES + usize::from(zeros);
                    // The kernel puts in the source address.
                    let from = Ipv4Addr::UNSPECIFIED.into();
                    ip::write(packet, from, to.into(), ip::ICMP, bytes)?
                }
                _ => 0,
            };
            let message = icmp::write_echo(packet.get_mut(header..)?, lane.is_v6(), &echo)?;
            Some(header + message)
        })
    }

    /// Puts a question for a neighbour into the queue. True: the queue is to be flushed.
    pub fn ask_neighbour(&mut self, key: Key, neighbour: &Neighbour) -> bool {
        let link = &neighbour.link;
        match neighbour.ip {
            IpAddr::V4(ip) => {
                let Some(ours) = neighbour.ours else {
                    return false;
                };
                self.queue(
                    LaneId::Arp,
                    key,
                    Address::broadcast(link.index),
                    0,
                    |packet| arp::write_request(packet, (link.mac, ours), ip),
                )
            }
            IpAddr::V6(ip) => {
                let to = Address::on(ndp::solicited_node(ip), link.index);
                self.queue(LaneId::Ndp, key, to, 0, |packet| {
                    ndp::write_solicitation(packet, link.mac, ip)
                })
            }
        }
    }

    fn queue(
        &mut self,
        id: LaneId,
        key: Key,
        to: Address,
        zeros: u16,
        write: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) -> bool {
        let Some(lane) = &mut self.places[id as usize].lane else {
            return false;
        };
        let mut packet = [0u8; PACKET_ROOM];
        let Some(length) = write(&mut packet) else {
            return false;
        };
        lane.queue.push(Outgoing {
            key,
            to,
            packet,
            length: length as u8,
            zeros,
        });
        lane.queue.len() >= FLUSH_AT
    }
}
