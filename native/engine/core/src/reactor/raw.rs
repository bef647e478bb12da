//! Raw probes: their starts, and packets out in batches.

use super::{Reactor, Token};
use crate::check::Check;
use crate::endpoint::Destination;
use crate::errno;
use crate::raw::{HalfOpen, LaneId, Neighbour, Ping, RawProbe, SourceId};
use crate::running::{Machine, Order, Owner, Verdict};
use crate::slab::Key;
use std::io;
use std::net::SocketAddr;
use vmpulse_proto::Reason;

impl Reactor {
    /// Lets go who waits for the pace of raw packets.
    pub(super) fn admit_raw(&mut self) {
        if !self.pace.is_waiting() {
            return;
        }
        self.pace.advance(self.now_us);
        while let Some(handle) = self.pace.next() {
            if let Some(target) = self.target(handle) {
                let (destination, packets) = (target.check.destination(), target.check.packets());
                self.pace.spend(packets);
                self.admission.request(u64::from(handle), destination);
            }
        }
    }

    pub(super) fn start_raw(&mut self, owner: Owner, order: &Order, destination: Destination) {
        let Some(lane) = order.check.lane() else {
            return self.admission.release(destination);
        };
        // Until the probe runs and holds the lane itself.
        self.raw.hold(lane);
        let kind = order.check.kind();
        match self.prepare_raw(owner, &order.check, lane) {
            Ok(probe) => {
                let deadline_us = self.now_us + order.timeout_us;
                let machine = Machine::Raw(probe);
                let key = self.run_probe(owner, kind, machine, Some(destination), deadline_us);
                self.send_raw(key);
            }
            Err(verdict) => {
                self.admission.release(destination);
                self.conclude(owner, kind, verdict, 0);
            }
        }
        self.raw.release(lane);
    }

    fn prepare_raw(
        &mut self,
        owner: Owner,
        check: &Check,
        lane: LaneId,
    ) -> Result<RawProbe, Verdict> {
        let opened = self.raw.open(lane, self.now_us, &self.poller, |token| {
            Token::Raw(token).bits()
        });
        opened.map_err(|error| cannot_open(&error))?;
        match check {
            Check::HalfOpen { address } => self.prepare_half_open(owner, *address),
            Check::Ping { remote, plan } => Ok(RawProbe::Ping(Ping {
                remote: *remote,
                plan: *plan,
                sent: 0,
                answered: 0,
                total_us: 0,
            })),
            Check::Neighbour { ip, plan } => {
                let (link, ours) = self.raw.link(plan, *ip).map_err(|error| no_link(&error))?;
                Ok(RawProbe::Neighbour(Neighbour {
                    ip: *ip,
                    plan: std::sync::Arc::clone(plan),
                    link,
                    ours,
                }))
            }
            _ => Err(Reason::Cancelled.into()),
        }
    }

    fn prepare_half_open(
        &mut self,
        owner: Owner,
        address: SocketAddr,
    ) -> Result<RawProbe, Verdict> {
        let known = match owner {
            Owner::Target(handle) => self
                .target(handle)
                .map_or(SourceId::default(), |target| target.source),
            Owner::Call(_) => SourceId::default(),
        };
        let source = self.raw.source(known, address.ip());
        let source = source.map_err(|_| Verdict::from(Reason::NoLocalRoute))?;
        if source != known {
            self.remember_source(owner, source);
        }
        let ends = self.raw.ends(address.ip(), address.port());
        Ok(RawProbe::HalfOpen(HalfOpen { ends, source }))
    }

    pub(super) fn remember_source(&mut self, owner: Owner, source: SourceId) {
        if let Owner::Target(handle) = owner
            && let Some(target) = self.target(handle)
        {
            target.source = source;
        }
    }

    /// Puts a probe's next packet into its lane's queue.
    fn send_raw(&mut self, key: Key) {
        let Some(running) = self.running.get_mut(key) else {
            return;
        };
        let Machine::Raw(probe) = &mut running.machine else {
            return;
        };
        let Some(ticket) = key.ticket() else {
            return self.finish(key, Reason::ProberResources.into());
        };
        let lane = probe.lane();
        let is_full = match probe {
            RawProbe::HalfOpen(probe) => self.raw.send_syn(key, ticket, probe),
            RawProbe::Ping(ping) => self.raw.send_echo(key, ticket, ping),
            RawProbe::Neighbour(neighbour) => self.raw.ask_neighbour(key, neighbour),
        };
        let next_us = match probe {
            RawProbe::Ping(ping) if ping.sent < ping.plan.count => {
                // All have left by the middle of the time, so that the last one has time to come back.
                let span_us = running.deadline_us - running.started_us;
                Some(
                    running.started_us
                        + span_us * u64::from(ping.sent) / (2 * u64::from(ping.plan.count)),
                )
            }
            RawProbe::Neighbour(neighbour) => {
                self.neighbours
                    .insert((neighbour.link.index, neighbour.ip, key.bits()));
                None
            }
            _ => None,
        };
        if let Some(next_us) = next_us {
            self.wake_probe(key, next_us);
        }
        if is_full {
            self.flush_lane(lane);
        }
    }

    /// The timer of a probe fired before its deadline: a ping has more to send.
    pub(super) fn ping_again(&mut self, key: Key) -> bool {
        let now_us = self.now_us;
        let Some(running) = self.running.get_mut(key) else {
            return false;
        };
        let Machine::Raw(RawProbe::Ping(ping)) = &running.machine else {
            return false;
        };
        if ping.sent >= ping.plan.count || now_us >= running.deadline_us {
            return false;
        }
        let deadline_us = running.deadline_us;
        self.wake_probe(key, deadline_us);
        self.send_raw(key);
        true
    }

    /// Moves the timer of a probe.
    fn wake_probe(&mut self, key: Key, at_us: u64) {
        let timer = self.arm(at_us, Token::Probe(key));
        let before = match self.running.get_mut(key) {
            Some(running) => running.timer.replace(timer),
            None => Some(timer),
        };
        if let Some(before) = before {
            self.wheel.cancel(before);
        }
    }

    /// Sends what this turn has queued.
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
            self.finish(key, errno::of_packet(&error).into());
        }
        self.unsent = failed;
    }
}

fn cannot_open(error: &io::Error) -> Verdict {
    match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => Verdict::explained(
            Reason::ProberResources,
            "raw sockets need CAP_NET_RAW: run as root, or give it (systemd: AmbientCapabilities=CAP_NET_RAW; \
             else: setcap cap_net_raw+ep on the node binary)",
        ),
        Some(libc::EADDRINUSE) => Verdict::explained(
            Reason::ProberResources,
            "no TCP port to probe from: those of net.ipv4.ip_local_port_range and above are in use (TIME_WAIT counts)",
        ),
        _ => Verdict::explained(
            Reason::ProberResources,
            &format!("no raw socket could be opened: {error}"),
        ),
    }
}

fn no_link(error: &io::Error) -> Verdict {
    let text = match error.raw_os_error() {
        Some(libc::ENODEV) => "there is no such Ethernet interface here".to_owned(),
        Some(libc::ENETUNREACH) => {
            "the address is no neighbour of this host; name the interface".to_owned()
        }
        _ => format!("the interface cannot be looked up: {error}"),
    };
    Verdict::explained(Reason::NoLocalRoute, &text)
}
