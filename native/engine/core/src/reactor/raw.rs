//! Raw probes in flight: packets out in batches, replies in, and what silence means.

use super::{Reactor, Token};
use crate::endpoint::Destination;
use crate::errno;
use crate::raw::{HalfOpen, LaneId, SourceId};
use crate::running::{Machine, Owner, Running, Verdict};
use crate::stats::Kind;
use std::io;
use std::net::SocketAddr;
use vmpulse_proto::{Outcome, Reason};

impl Reactor {
    pub(super) fn start_half_open(
        &mut self,
        owner: Owner,
        address: SocketAddr,
        destination: Destination,
        deadline_us: u64,
    ) {
        let lane = LaneId::tcp(address.ip());
        // Until the probe runs and holds the lane itself.
        self.raw.hold(lane);
        match self.prepare_half_open(owner, lane, address) {
            Ok(probe) => {
                let machine = Machine::HalfOpen(probe);
                let kind = Kind::TcpHalfOpen;
                let key = self.run_probe(owner, kind, machine, Some(destination), deadline_us);
                match key.ticket() {
                    Some(ticket) if self.raw.send_syn(lane, key, ticket, &probe) => {
                        self.flush_lane(lane)
                    }
                    Some(_) => {}
                    None => self.finish(key, Reason::ProberResources.into()),
                }
            }
            Err(verdict) => {
                self.admission.release(destination);
                self.conclude(owner, Kind::TcpHalfOpen, verdict, 0);
            }
        }
        self.raw.release(lane);
    }

    fn prepare_half_open(
        &mut self,
        owner: Owner,
        lane: LaneId,
        address: SocketAddr,
    ) -> Result<HalfOpen, Verdict> {
        let opened = self
            .raw
            .open(lane, &self.poller, |token| Token::Raw(token).bits());
        opened.map_err(|error| cannot_open(&error))?;
        let known = match owner {
            Owner::Target(handle) => self
                .target(handle)
                .map_or(SourceId::default(), |target| target.source),
            Owner::Call(_) => SourceId::default(),
        };
        let source = self
            .raw
            .source(known, address.ip())
            .map_err(|_| Verdict::from(Reason::NoLocalRoute))?;
        if source != known {
            self.remember_source(owner, source);
        }
        Ok(HalfOpen {
            ends: self.raw.ends(lane, address.ip(), address.port()),
            source,
        })
    }

    fn remember_source(&mut self, owner: Owner, source: SourceId) {
        if let Owner::Target(handle) = owner
            && let Some(target) = self.target(handle)
        {
            target.source = source;
        }
    }

    /// Sends what the starts of this turn have queued.
    pub(super) fn flush_raw(&mut self) {
        for lane in LaneId::ALL {
            self.flush_lane(lane);
        }
    }

    fn flush_lane(&mut self, lane: LaneId) {
        let mut failed = std::mem::take(&mut self.unsent);
        self.raw.flush(lane, &mut failed);
        for (key, errno) in failed.drain(..) {
            let error = io::Error::from_raw_os_error(errno);
            self.finish(key, errno::of_call(&error).into());
        }
        self.unsent = failed;
    }

    pub(super) fn raw_is_ready(&mut self, token: u32) {
        if let Some(lane) = LaneId::ALL.get((token >> 1) as usize) {
            self.listen(*lane, token & 1 == 1);
        }
    }

    /// Before silence is said: what has arrived by now counts. Once a turn is enough, as readiness is older than `now`.
    pub(super) fn listen_once_more(&mut self, lane: LaneId) {
        if self.listened_us != self.now_us {
            self.listened_us = self.now_us;
            self.listen(lane, false);
            self.listen(lane, true);
        }
    }

    fn listen(&mut self, lane: LaneId, errors: bool) {
        let mut heard = std::mem::take(&mut self.heard);
        self.raw.listen(lane, errors, &mut heard);
        for one in heard.drain(..) {
            let Some(key) = self.running.find(one.ticket) else {
                continue;
            };
            let is_about = |running: &mut Running| matches!(&running.machine, Machine::HalfOpen(probe) if probe.ends == one.ends);
            if self.running.get_mut(key).is_some_and(is_about) {
                self.suspect = self.suspect_of(Token::Probe(key));
                self.finish(key, one.failure.map_or(Outcome::Ok, Outcome::of).into());
            }
        }
        self.heard = heard;
    }

    /// Nothing came by the deadline.
    pub(super) fn raw_silence(&mut self, owner: Owner, probe: &HalfOpen, since_us: u64) -> Reason {
        let (reason, source) = self.raw.silence(probe, since_us, self.now_us);
        if source != probe.source {
            self.remember_source(owner, source);
        }
        reason
    }
}

fn cannot_open(error: &io::Error) -> Verdict {
    match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => Verdict::explained(
            Reason::ProberResources,
            "raw sockets need CAP_NET_RAW: run as root, or give it (systemd: AmbientCapabilities=CAP_NET_RAW; \
             else: setcap cap_net_raw+ep on the node binary)",
        ),
        _ => Verdict::explained(
            Reason::ProberResources,
            &format!("no raw socket could be opened: {error}"),
        ),
    }
}
