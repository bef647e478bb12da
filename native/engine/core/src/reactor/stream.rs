//! Stream probes in flight: readiness in, verdicts out.

use super::{Reactor, Token};
use crate::clock;
use crate::endpoint::Quirk;
use crate::errno;
use crate::poller::{EDGE, ERROR, HANG_UP, PEER_CLOSED, READ, WRITE, poll_once};
use crate::running::{Machine, Owner, Verdict};
use crate::slab::Key;
use crate::socket;
use crate::stream_run::Step;
use std::os::fd::{AsFd, BorrowedFd};
use vmpulse_proto::{ExchangeResult, HttpHop, Outcome, Reason};

impl Reactor {
    /// Puts a probe's socket into epoll.
    pub(super) fn watch_stream(&mut self, key: Key) -> Result<(), Reason> {
        let Some(running) = self.running.get_mut(key) else {
            return Ok(());
        };
        let (stream, flags) = match &running.machine {
            Machine::Connect { stream, .. } => (stream, WRITE),
            Machine::Stream(run) => (run.stream(), READ | WRITE | PEER_CLOSED | EDGE),
            &Machine::Ring(slot) => {
                self.give_to_ring(slot, key);
                return Ok(());
            }
            Machine::Request { .. } | Machine::Raw(_) | Machine::External => return Ok(()),
        };
        if stream.is_pooled() {
            self.streams.give_to(stream, key);
            return Ok(());
        }
        self.poller
            .add(stream.as_fd(), Token::Probe(key).bits(), flags)
            .map_err(|_| Reason::ProberResources)
    }

    /// The socket of a probe is ready.
    pub(super) fn step_probe(&mut self, key: Key, flags: u32) {
        let Some(running) = self.running.get_mut(key) else {
            return;
        };
        let step = match &mut running.machine {
            Machine::Connect { stream, quirk } => {
                let outcome = connected(stream.as_fd(), flags, *quirk);
                return self.finish(key, outcome.into());
            }
            Machine::Stream(run) => run.step(flags, &mut self.buffer, clock::wall_ms() / 1000),
            Machine::Request { .. } | Machine::Raw(_) | Machine::Ring(_) | Machine::External => {
                return;
            }
        };
        match step {
            Step::Wait => {}
            Step::Again => self.again.push(key),
            Step::Failed(reason) => self.finish(key, reason.into()),
            Step::Done(result) => self.finish_talk(key, result),
            Step::Redirect(hop) => self.redirect(key, *hop),
            Step::Stale => self.start_afresh(key),
        }
    }

    /// Before a time-out is said: what is ready now counts.
    pub(super) fn look_once_more(&mut self, key: Key) {
        let Some(running) = self.running.get_mut(key) else {
            return;
        };
        let flags = match &running.machine {
            Machine::Connect { stream, .. } => poll_once(stream.as_fd(), WRITE),
            Machine::Stream(run) => poll_once(run.fd(), READ | WRITE),
            Machine::Raw(probe) => {
                let lane = probe.lane();
                return self.listen_once_more(lane);
            }
            Machine::Ring(_) => return self.drain_ring(),
            Machine::Request { .. } | Machine::External => 0,
        };
        if flags != 0 {
            self.step_probe(key, flags);
        }
    }

    fn finish_talk(&mut self, key: Key, result: Box<ExchangeResult>) {
        let Some(mut running) = self.take_running(key) else {
            return;
        };
        let duration_us = self.now_us.saturating_sub(running.started_us);
        let machine = std::mem::replace(&mut running.machine, Machine::External);
        if let (Machine::Stream(run), Owner::Target(handle)) = (machine, running.owner)
            && result.reusable
            && run.talk.keeps_alive()
            && let Some(mut kept) = run.keep()
        {
            self.poller.remove(kept.stream.as_fd());
            kept.stream.leave_pool();
            self.kept.insert(handle, kept);
        }
        self.finish_taken(running, Verdict::from(result), duration_us);
    }

    /// Follows a redirect: same address, the hop's port, a new connection, the same deadline.
    fn redirect(&mut self, key: Key, hop: HttpHop) {
        let Some(running) = self.running.get_mut(key) else {
            return;
        };
        let Machine::Stream(run) = &mut running.machine else {
            return;
        };
        let endpoint = run.endpoint.at_port(hop.port());
        let options = run.talk.connect_options(Some(&hop));
        let opened = self.open_stream(&endpoint, options);
        let running = self
            .running
            .get_mut(key)
            .map(|running| &mut running.machine);
        match (opened, running) {
            (Ok(stream), Some(Machine::Stream(run))) => run.follow(stream, hop),
            (Err(reason), _) => return self.finish(key, reason.into()),
            _ => return,
        }
        if let Err(reason) = self.watch_stream(key) {
            self.finish(key, reason.into());
        }
    }

    /// A kept connection had died: the same probe on a fresh one, with what is left of its time.
    fn start_afresh(&mut self, key: Key) {
        let Some(running) = self.running.get_mut(key) else {
            return;
        };
        let Machine::Stream(run) = &mut running.machine else {
            return;
        };
        match run.talk.first_hop(&run.endpoint) {
            Ok(Some(hop)) => self.redirect(key, hop),
            Ok(None) => self.finish(key, Reason::ConnectionClosed.into()),
            Err(reason) => self.finish(key, reason.into()),
        }
    }
}

/// What the readiness of a connecting socket says. A reset or a close can only come after the connect completed (a
/// refusal is another error), so the answer does not depend on how soon we look.
fn connected(fd: BorrowedFd<'_>, flags: u32, quirk: Quirk) -> Outcome {
    if flags & (ERROR | HANG_UP) != 0 {
        match socket::pending_errno(fd) {
            libc::ECONNRESET if quirk == Quirk::ResetIsRefusal => {
                return Outcome::Failed(Reason::ConnectionRefused);
            }
            0 | libc::ECONNRESET | libc::EPIPE => {}
            errno => return Outcome::of(errno::of_connection(errno)),
        }
    }
    if quirk == Quirk::MayMeetItself && socket::is_connected_to_itself(fd) {
        return Outcome::Failed(Reason::ConnectionRefused);
    }
    Outcome::Ok
}
