//! Connects by the ring: whether there is one, what goes into it, what comes out.

use super::{Reactor, Token};
use crate::clock;
use crate::endpoint::Endpoint;
use crate::errno;
use crate::poller::READ;
use crate::ring::{End, Ended, Ring};
use crate::running::{Machine, Verdict};
use crate::slab::Key;
use std::os::fd::AsFd;
use std::sync::atomic::Ordering;
use vmpulse_proto::{Outcome, Reason};

impl Reactor {
    /// Opens the ring, if it may be used and the kernel has one.
    pub(super) fn open_ring(&mut self) {
        let opened = self.options.ring.then(Ring::new).and_then(Result::ok);
        self.ring = opened.filter(|ring| {
            self.poller
                .add(ring.as_fd(), Token::Ring.bits(), READ)
                .is_ok()
        });
        self.tell_ring();
    }

    /// Makes it the ring of this thread.
    pub(super) fn enable_ring(&mut self) {
        self.ring = self.ring.take().filter(|ring| ring.enable().is_ok());
        self.tell_ring();
    }

    fn tell_ring(&self) {
        let has_ring = self.ring.is_some();
        self.shared.stats.ring.store(has_ring, Ordering::Relaxed);
    }

    /// `None`: not this one; a call will do it, or say why not.
    pub(super) fn connect_by_ring(&mut self, endpoint: &Endpoint) -> Option<Machine> {
        let Endpoint::Tcp(address) = endpoint else {
            return None;
        };
        let slot = self.ring.as_mut()?.connect(address, endpoint.quirk());
        slot.ok().map(Machine::Ring)
    }

    pub(super) fn give_to_ring(&mut self, slot: Key, key: Key) {
        if let Some(ring) = &mut self.ring {
            ring.give_to(slot, key);
        }
    }

    pub(super) fn leave_ring(&mut self, slot: Key, key: Key) {
        if let Some(ring) = &mut self.ring {
            ring.abandon(slot, key);
        }
    }

    pub(super) fn has_unsubmitted(&mut self) -> bool {
        self.ring.as_mut().is_some_and(Ring::has_unsubmitted)
    }

    pub(super) fn submit_to_ring(&mut self) {
        if self.has_unsubmitted() {
            self.turn_ring();
        }
    }

    /// Submits what is due, and ends probes whose connects have ended.
    pub(super) fn turn_ring(&mut self) {
        self.ask_ring(Ring::turn);
    }

    /// The same with all that have ended by now.
    pub(super) fn drain_ring(&mut self) {
        self.ask_ring(Ring::drain);
    }

    fn ask_ring(&mut self, ask: fn(&mut Ring, &mut Vec<Ended>)) {
        let Some(ring) = &mut self.ring else {
            return;
        };
        let mut ended = std::mem::take(&mut self.ended);
        ask(ring, &mut ended);
        let left = ring.is_broken().then(|| ring.waiting());
        if left.is_some() {
            self.ring = None;
            self.tell_ring();
        }
        // A peer that is near has answered within the turn, which goes on: it is judged as a whole.
        self.now_us = clock::mono_us();
        // It may be asked on behalf of another probe, whose deadline passed.
        let suspect = self.suspect;
        for one in ended.drain(..) {
            self.suspect = self.suspect_of(Token::Probe(one.key));
            self.connect_ended(&one);
        }
        self.anew.extend(left.into_iter().flatten());
        self.suspect = suspect;
        self.ended = ended;
    }

    fn connect_ended(&mut self, Ended { key, address, end }: &Ended) {
        let outcome = match *end {
            // A reset can only come after the connect completed (a refusal is another error).
            End::Connected | End::Failed(libc::ECONNRESET | libc::EPIPE) => Outcome::Ok,
            End::MetItself => Outcome::Failed(Reason::ConnectionRefused),
            End::Failed(errno @ (libc::ECONNREFUSED | libc::EHOSTUNREACH | libc::ETIMEDOUT)) => {
                Outcome::of(errno::of_connection(errno))
            }
            // A ring does not tell whether the call failed, which would be about us, or the connection.
            End::Failed(_) => return self.anew.push((*key, *address)),
        };
        self.finish(*key, outcome.into());
    }

    /// The same probes by calls, with what is left of their time. Once the events of the turn are handled: one of them may
    /// be of a socket that is used again here.
    pub(super) fn connect_anew(&mut self) {
        for (key, address) in std::mem::take(&mut self.anew) {
            self.suspect = self.suspect_of(Token::Probe(key));
            if self.running.get_mut(key).is_none() {
                continue;
            }
            let connected = self.connect_by_call(&Endpoint::Tcp(address), false);
            if let Err(verdict) = connected.and_then(|machine| self.go_on_with(key, machine)) {
                self.finish(key, verdict);
            }
        }
    }

    fn go_on_with(&mut self, key: Key, machine: Machine) -> Result<(), Verdict> {
        if let Some(running) = self.running.get_mut(key) {
            running.machine = machine;
            running.anew = true;
        }
        self.watch_stream(key).map_err(Verdict::from)
    }
}
