//! Raw probes: answers in, and what silence means.

use super::{Reactor, Token};
use crate::raw::{Heard, LaneId, RawProbe};
use crate::running::{Machine, Owner, Running, Verdict};
use crate::slab::Key;
use std::net::IpAddr;
use vmpulse_proto::packet::arp::Mac;
use vmpulse_proto::{Details, Outcome, Reason};

impl Reactor {
    pub(super) fn raw_is_ready(&mut self, token: u32) {
        if let Some(lane) = LaneId::ALL.get((token >> 1) as usize) {
            self.listen(*lane, token & 1 == 1);
        }
    }

    /// Before silence is said: what has arrived by now counts. Once a turn is enough, as readiness is older than `now`.
    pub(super) fn listen_once_more(&mut self, lane: LaneId) {
        let at = &mut self.listened_us[lane as usize];
        if *at != self.now_us {
            *at = self.now_us;
            self.listen(lane, false);
            self.listen(lane, true);
        }
    }

    fn listen(&mut self, lane: LaneId, errors: bool) {
        let mut heard = std::mem::take(&mut self.heard);
        self.raw.listen(lane, errors, &mut heard);
        for one in heard.drain(..) {
            self.hear(one);
        }
        self.heard = heard;
    }

    fn hear(&mut self, heard: Heard) {
        match heard {
            Heard::Tcp {
                ends,
                ticket,
                failure,
            } => {
                let Some(key) = self.running.find(ticket) else {
                    return;
                };
                self.suspect = self.suspect_of(Token::Probe(key));
                if let Some(RawProbe::HalfOpen(probe)) = self.raw_probe(key)
                    && probe.ends == ends
                {
                    self.finish(key, failure.map_or(Outcome::Ok, Outcome::of).into());
                }
            }
            Heard::Echo {
                remote,
                ticket,
                index,
                answer,
            } => {
                if let Some(key) = self.running.find(ticket) {
                    self.suspect = self.suspect_of(Token::Probe(key));
                    self.hear_echo(key, remote, index, answer);
                }
            }
            Heard::Neighbour { interface, ip, mac } => {
                // One at a time: the end of a probe takes it out.
                let first = (interface, ip, 0);
                while let Some(&(_, _, bits)) = self
                    .neighbours
                    .range(first..=(interface, ip, u64::MAX))
                    .next()
                {
                    let key = Key::from_bits(bits);
                    self.suspect = self.suspect_of(Token::Probe(key));
                    self.hear_neighbour(key, mac);
                    self.neighbours.remove(&(interface, ip, bits));
                }
            }
        }
    }

    fn raw_probe(&mut self, key: Key) -> Option<&mut RawProbe> {
        match &mut self.running.get_mut(key)?.machine {
            Machine::Raw(probe) => Some(probe),
            _ => None,
        }
    }

    fn hear_echo(&mut self, key: Key, remote: IpAddr, index: u8, answer: Result<u32, Reason>) {
        let Some(RawProbe::Ping(ping)) = self.raw_probe(key) else {
            return;
        };
        if ping.remote != remote {
            return;
        }
        match answer {
            Ok(after_us) => {
                ping.count(index, after_us);
                if ping.received() == ping.plan.count {
                    let outcome = ping.outcome();
                    self.finish_raw(key, outcome);
                }
            }
            Err(reason) => self.finish_raw(key, Outcome::of(reason)),
        }
    }

    fn hear_neighbour(&mut self, key: Key, mac: Mac) {
        let Some(RawProbe::Neighbour(neighbour)) = self.raw_probe(key) else {
            return;
        };
        let is_other = neighbour.plan.mac.is_some_and(|wanted| wanted != mac);
        let Some(running) = self.running.get_mut(key) else {
            return;
        };
        let outcome = if is_other {
            Outcome::Inconclusive(Reason::IdentityMismatch)
        } else {
            Outcome::Ok
        };
        let details = Details {
            mac: Some(mac),
            ..Details::default()
        };
        let verdict = measured(running.owner, outcome, details);
        self.finish(key, verdict);
    }

    /// Ends a probe with what it measured.
    fn finish_raw(&mut self, key: Key, outcome: Outcome) {
        let Some(running) = self.running.get_mut(key) else {
            return;
        };
        let verdict = verdict_of(running, outcome);
        self.finish(key, verdict);
    }

    /// Nothing, or not enough, came by the deadline.
    pub(super) fn raw_silence(&mut self, running: &Running) -> Verdict {
        let Machine::Raw(probe) = &running.machine else {
            return Reason::Cancelled.into();
        };
        let (outcome, source) = self.raw.silence(probe, running.started_us, self.now_us);
        if let RawProbe::HalfOpen(half_open) = probe
            && half_open.source != source
        {
            self.remember_source(running.owner, source);
        }
        verdict_of(running, outcome)
    }

    /// A raw probe ended, however.
    pub(super) fn forget_raw(&mut self, key: Key, probe: &RawProbe) {
        if let RawProbe::Neighbour(neighbour) = probe {
            let entry = (neighbour.link.index, neighbour.ip, key.bits());
            self.neighbours.remove(&entry);
        }
        self.raw.release(probe.lane());
    }
}

fn verdict_of(running: &Running, outcome: Outcome) -> Verdict {
    let Machine::Raw(RawProbe::Ping(ping)) = &running.machine else {
        return outcome.into();
    };
    let details = Details {
        packets: Some((ping.sent, ping.received())),
        round_trip_us: ping.mean_us(),
        ..Details::default()
    };
    measured(running.owner, outcome, details)
}

/// Details are for whoever called; a schedule needs none.
fn measured(owner: Owner, outcome: Outcome, details: Details) -> Verdict {
    match owner {
        Owner::Target(_) => outcome.into(),
        Owner::Call(_) => Verdict::measured(outcome, details),
    }
}
