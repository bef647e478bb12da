//! Raw probes in flight: small, and without anything to free.

use super::cookie::Ends;
use super::lane::LaneId;
use super::links::Link;
use super::sources::SourceId;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use vmpulse_proto::Outcome;
use vmpulse_proto::Reason;
use vmpulse_proto::packet::arp::Mac;

pub enum RawProbe {
    HalfOpen(HalfOpen),
    Ping(Ping),
    Neighbour(Neighbour),
}

#[derive(Clone, Copy)]
pub struct HalfOpen {
    pub ends: Ends,
    pub source: SourceId,
}

/// What a ping asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PingPlan {
    pub count: u8,
    /// Bytes after the ICMP header.
    pub payload_bytes: u16,
    /// `None`: one answer is enough.
    pub max_loss_percent: Option<u8>,
    /// Of the mean.
    pub max_latency_us: Option<u32>,
}

#[derive(Clone, Copy)]
pub struct Ping {
    pub remote: IpAddr,
    pub plan: PingPlan,
    pub sent: u8,
    /// A bit an answer.
    pub answered: u32,
    pub total_us: u32,
}

impl Ping {
    pub fn received(&self) -> u8 {
        self.answered.count_ones() as u8
    }

    pub fn mean_us(&self) -> Option<u32> {
        self.total_us.checked_div(u32::from(self.received()))
    }

    /// Counts an answer, once.
    pub fn count(&mut self, index: u8, after_us: u32) {
        let bit = 1u32.checked_shl(index.into()).unwrap_or(0);
        if index < self.sent && self.answered & bit == 0 {
            self.answered |= bit;
            self.total_us = self.total_us.saturating_add(after_us);
        }
    }

    /// The verdict when no further answer is waited for.
    pub fn outcome(&self) -> Outcome {
        let (sent, received) = (u32::from(self.sent.max(1)), u32::from(self.received()));
        let lost_percent = (sent - received.min(sent)) * 100 / sent;
        let is_lossy = self
            .plan
            .max_loss_percent
            .is_some_and(|most| lost_percent > most.into());
        let is_slow = match (self.plan.max_latency_us, self.mean_us()) {
            (Some(most), Some(mean)) => mean > most,
            _ => false,
        };
        match (received, is_lossy, is_slow) {
            (0, ..) => Outcome::Failed(Reason::NoReply),
            (_, true, _) => Outcome::Failed(Reason::PacketLoss),
            (_, _, true) => Outcome::Failed(Reason::Latency),
            _ => Outcome::Ok,
        }
    }
}

/// How a neighbour is asked for.
#[derive(Debug)]
pub struct NeighbourPlan {
    /// `None`: the one that the route takes.
    pub interface: Option<Box<str>>,
    /// Who must have the address; `None`: anybody.
    pub mac: Option<Mac>,
}

pub struct Neighbour {
    pub ip: IpAddr,
    pub plan: Arc<NeighbourPlan>,
    pub link: Link,
    /// The IPv4 address to ask from.
    pub ours: Option<Ipv4Addr>,
}

impl RawProbe {
    /// The raw socket that it shares with others.
    pub fn lane(&self) -> LaneId {
        match self {
            Self::HalfOpen(probe) => LaneId::tcp(probe.ends.remote),
            Self::Ping(ping) => LaneId::ping(ping.remote, ping.plan.payload_bytes),
            Self::Neighbour(neighbour) => LaneId::neighbour(neighbour.ip),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ping(max_loss_percent: Option<u8>, max_latency_us: Option<u32>) -> Ping {
        let plan = PingPlan {
            count: 4,
            payload_bytes: 56,
            max_loss_percent,
            max_latency_us,
        };
        Ping {
            remote: "192.0.2.1".parse().unwrap(),
            plan,
            sent: 4,
            answered: 0,
            total_us: 0,
        }
    }

    #[test]
    fn answers_count_once_and_only_to_what_was_sent() {
        let mut ping = ping(None, None);
        for (index, after_us) in [(0, 100), (0, 900), (3, 300), (4, 1), (31, 1), (200, 1)] {
            ping.count(index, after_us);
        }
        assert_eq!((ping.received(), ping.mean_us()), (2, Some(200)));
    }

    #[test]
    fn loss_and_latency_fail_only_beyond_what_was_asked_for() {
        assert_eq!(ping(None, None).outcome(), Outcome::Failed(Reason::NoReply));
        let cases = [
            (3, None, None, Outcome::Ok),
            (3, Some(25), None, Outcome::Ok),
            (3, Some(24), None, Outcome::Failed(Reason::PacketLoss)),
            (4, Some(0), Some(1000), Outcome::Ok),
            (4, Some(0), Some(999), Outcome::Failed(Reason::Latency)),
            (3, Some(0), Some(999), Outcome::Failed(Reason::PacketLoss)),
        ];
        for (answers, loss, latency, expected) in cases {
            let mut ping = ping(loss, latency);
            (0..answers).for_each(|index| ping.count(index, 1000));
            assert_eq!(ping.outcome(), expected, "{answers} {loss:?} {latency:?}");
        }
    }
}
