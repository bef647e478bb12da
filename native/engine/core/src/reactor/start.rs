//! Starting of probes, in the order of admission.

use super::calls::Call;
use super::revive::Suspect;
use super::{Reactor, STARTS_A_TURN, Token};
use crate::check::Check;
use crate::endpoint::{Destination, Endpoint};
use crate::proc_state;
use crate::running::{Machine, Order, Owner, Running, Verdict};
use crate::slab::Key;
use crate::socket::{self, ConnectOptions};
use crate::stats::Kind;
use crate::stream_pool::Stream;
use crate::stream_run::{Kept, StreamRun};
use crate::talk::Talk;
use crate::target::Phase;
use vmpulse_proto::{OpenOptions, Reason};

/// A probe error (not a failure) is tried again this often.
const RETRIES: u32 = 3;

/// Admission's tokens: a target's handle, or a call with this bit.
pub(super) const CALL_BIT: u64 = 1 << 32;

impl Reactor {
    pub(super) fn start_admitted(&mut self) {
        for _ in 0..STARTS_A_TURN {
            let Some((token, destination)) = self.admission.next() else {
                break;
            };
            if token & CALL_BIT == 0 {
                self.suspect = Some(Suspect::Target(token as u32));
                self.start_target(token as u32, destination);
            } else {
                self.suspect = Some(Suspect::Call(token as u32));
                self.start_call(token as u32, destination);
            }
        }
    }

    fn start_target(&mut self, handle: u32, destination: Destination) {
        let now_us = self.now_us;
        let Some(target) = self
            .target(handle)
            .filter(|target| target.phase == Phase::Queued)
        else {
            return self.admission.release(destination);
        };
        #[cfg(any(test, feature = "fault"))]
        assert!(!target.panics, "asked to");
        let late_us = now_us.saturating_sub(target.scheduled_us);
        let order = Order {
            check: target.check.clone(),
            timeout_us: target.timing.timeout_us,
            debug: false,
            kept_by: Some(handle),
        };
        self.shared.stats.started(late_us);
        self.start(Owner::Target(handle), order, destination);
    }

    fn start_call(&mut self, call: u32, destination: Destination) {
        match self.calls.remove(&call) {
            Some(Call::Ordered(order)) => {
                self.shared.stats.started(0);
                self.start(Owner::Call(call), *order, destination);
            }
            other => {
                if let Some(other) = other {
                    self.calls.insert(call, other);
                }
                self.admission.release(destination);
            }
        }
    }

    fn start(&mut self, owner: Owner, order: Order, destination: Destination) {
        let deadline_us = self.now_us + order.timeout_us;
        let kind = order.check.kind();
        let started = match &order.check {
            Check::Connect { endpoint, fin, .. } => self.connect(endpoint, *fin),
            Check::HalfOpen { .. } | Check::Ping { .. } | Check::Neighbour { .. } => {
                return self.start_raw(owner, &order, destination);
            }
            Check::Talk { .. } => self.connect_talk(&order),
            Check::AgentPing { channel } | Check::VmState { channel } => {
                return self.start_request(owner, kind, *channel, destination, deadline_us);
            }
            Check::Process(process) => {
                let verdict = proc_state::look(process).into();
                self.admission.release(destination);
                return self.conclude(owner, kind, verdict, 0);
            }
            // Externals never come here: their schedule emits `due`, and calls for them are refused.
            Check::External => Err(Reason::Cancelled.into()),
        };
        match started {
            Ok(machine) => {
                let key = self.run_probe(owner, kind, machine, Some(destination), deadline_us);
                if let Err(reason) = self.watch_stream(key) {
                    self.finish(key, reason.into());
                }
            }
            Err(verdict) => {
                self.admission.release(destination);
                self.conclude(owner, kind, verdict, 0);
            }
        }
    }

    fn connect_talk(&mut self, order: &Order) -> Result<Machine, Verdict> {
        let Check::Talk { endpoint, talk, .. } = &order.check else {
            return Err(Reason::Cancelled.into());
        };
        let hop = talk.first_hop(endpoint)?;
        if let Talk::Http(shared) = talk
            && let Some(kept) = order.kept_by.and_then(|handle| self.kept.remove(&handle))
            && let Some(hop) = hop.clone()
        {
            let options = OpenOptions {
                now_unix_s: crate::clock::wall_ms() / 1000,
                debug: order.debug,
            };
            let Kept {
                stream,
                mut conversation,
            } = kept;
            conversation.reopen(&shared.plan, hop, options);
            let run = StreamRun::reuse(stream, endpoint.clone(), talk.clone(), conversation);
            return Ok(Machine::Stream(Box::new(run)));
        }
        let stream = self.open_stream(endpoint, talk.connect_options(hop.as_ref()))?;
        let run = StreamRun::new(stream, endpoint.clone(), talk.clone(), hop, order.debug);
        Ok(Machine::Stream(Box::new(run)))
    }

    /// Enters a probe with its deadline.
    pub(super) fn run_probe(
        &mut self,
        owner: Owner,
        kind: Kind,
        machine: Machine,
        admitted: Option<Destination>,
        deadline_us: u64,
    ) -> Key {
        if let Some(lane) = machine.lane() {
            self.raw.hold(lane);
        }
        let key = self.running.insert(Running {
            owner,
            kind,
            machine,
            admitted,
            started_us: self.now_us,
            deadline_us,
            timer: None,
            starved_us: self.starved_us,
            anew: false,
        });
        let timer = self.arm(deadline_us, Token::Probe(key));
        if let Some(running) = self.running.get_mut(key) {
            running.timer = Some(timer);
        }
        match owner {
            Owner::Target(handle) => {
                if let Some(target) = self.target(handle) {
                    target.phase = Phase::Running(key);
                }
            }
            Owner::Call(call) => {
                self.calls.insert(call, Call::Running(key));
            }
        }
        key
    }

    fn connect(&mut self, endpoint: &Endpoint, fin: bool) -> Result<Machine, Verdict> {
        let by_ring = if fin {
            None
        } else {
            self.connect_by_ring(endpoint)
        };
        by_ring.map_or_else(|| self.connect_by_call(endpoint, fin), Ok)
    }

    pub(super) fn connect_by_call(
        &self,
        endpoint: &Endpoint,
        fin: bool,
    ) -> Result<Machine, Verdict> {
        let options = ConnectOptions {
            reset: !fin,
            late_ack: !fin,
            no_delay: false,
        };
        Ok(Machine::Connect {
            stream: self.open_stream(endpoint, options)?,
            quirk: endpoint.quirk(),
        })
    }

    /// Connects; an error of our own is tried again at once. What ends by RST takes a socket of the pool.
    pub(super) fn open_stream(
        &self,
        endpoint: &Endpoint,
        options: ConnectOptions,
    ) -> Result<Stream, Reason> {
        let mut tries = 0;
        loop {
            let result = match endpoint {
                Endpoint::Tcp(address) if options.reset && options.late_ack => {
                    let token = |descriptor| Token::Stream(descriptor).bits();
                    self.streams.connect(&self.poller, address, token)
                }
                _ => socket::connect(endpoint, options).map(Stream::from),
            };
            match result {
                Err(reason) if reason.is_inconclusive() && tries < RETRIES => tries += 1,
                result => return result,
            }
        }
    }
}
