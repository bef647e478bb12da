//! The end of a VMM process, as an event.

use super::{Reactor, Token};
use crate::check::{Check, Process};
use crate::clock;
use crate::poller::READ;
use crate::proc_state;
use std::os::fd::AsFd;
use std::sync::Arc;
use vmpulse_proto::Reason;

impl Reactor {
    /// Waits for the end of a target's process; one that ended already is told at once.
    pub(super) fn watch_process(&mut self, handle: u32) {
        let Some((process, watched)) = self.process_of(handle) else {
            return;
        };
        if proc_state::has_ended(&process) {
            return self.process_ended(handle);
        }
        if watched {
            return;
        }
        // Without room in epoll the periodic look finds the end.
        let token = Token::Target(handle).bits();
        let added = self.poller.add(process.pidfd.as_fd(), token, READ).is_ok();
        if let Some(target) = self.target(handle) {
            target.watched = added;
        }
    }

    pub(super) fn unwatch_process(&mut self, handle: u32) {
        if let Some((process, true)) = self.process_of(handle) {
            self.poller.remove(process.pidfd.as_fd());
            if let Some(target) = self.target(handle) {
                target.watched = false;
            }
        }
    }

    /// The pidfd says the end. A command of the same turn may have ended the watch already.
    pub(super) fn process_is_ready(&mut self, handle: u32) {
        if self.target(handle).is_some_and(|target| target.watched) {
            self.process_ended(handle);
        }
    }

    /// Dead is dead: no threshold applies.
    fn process_ended(&mut self, handle: u32) {
        self.unwatch_process(handle);
        let Some(target) = self.target(handle) else {
            return;
        };
        target.last_duration_us = 0;
        let change = target
            .thresholds
            .fail_at_once(Reason::ProcessGone, clock::wall_ms());
        if let Some(change) = change {
            self.emit(handle, change);
            self.telling.now();
        }
    }

    fn process_of(&mut self, handle: u32) -> Option<(Arc<Process>, bool)> {
        let target = self.target(handle)?;
        match &target.check {
            Check::Process(process) => Some((Arc::clone(process), target.watched)),
            _ => None,
        }
    }
}
