//! Calls outside the schedule: single probes and commands to channels.

use super::start::CALL_BIT;
use super::{Reactor, Token};
use crate::check::Check;
use crate::error::{EngineError, ErrorCode};
use crate::news::Answer;
use crate::running::Order;
use crate::slab::Key;
use crate::wheel::TimerKey;

/// Where a call is.
pub(super) enum Call {
    /// Waits for admission.
    Ordered(Box<Order>),
    Running(Key),
    Request {
        channel: u32,
        id: u64,
        timer: TimerKey,
    },
}

impl Reactor {
    pub(super) fn probe_now(&mut self, call: u32, handle: u32, timeout_us: Option<u64>) {
        let Some(target) = self.target(handle) else {
            let error = EngineError::argument("the target was removed");
            return self.complete_error(call, error);
        };
        let order = Order {
            check: target.check.clone(),
            timeout_us: timeout_us.unwrap_or(target.timing.timeout_us),
            debug: false,
            kept_by: None,
        };
        self.order(call, order);
    }

    pub(super) fn order(&mut self, call: u32, order: Order) {
        if matches!(order.check, Check::External) {
            let error = EngineError::new(
                ErrorCode::Unsupported,
                "an external target is probed by whoever reports for it; ask there",
            );
            return self.complete_error(call, error);
        }
        let destination = order.check.destination();
        self.calls.insert(call, Call::Ordered(Box::new(order)));
        self.admission
            .request_urgent(u64::from(call) | CALL_BIT, destination);
    }

    /// Nobody waits any more: ends what runs, without an answer.
    pub(super) fn cancel(&mut self, call: u32) {
        match self.calls.remove(&call) {
            Some(Call::Running(key)) => self.abort(key),
            Some(Call::Request { channel, id, timer }) => {
                self.wheel.cancel(timer);
                self.forget_request(channel, id);
            }
            // Admission skips it when its turn comes.
            Some(Call::Ordered(_)) | None => {}
        }
    }

    pub(super) fn complete_error(&mut self, call: u32, error: EngineError) {
        self.complete(call, Answer::Error { error, class: None });
    }

    /// The deadline of a command passed.
    pub(super) fn request_timed_out(&mut self, call: u32) {
        let Some(Call::Request { channel, id, .. }) = self.calls.remove(&call) else {
            return;
        };
        let reason = self.forget_request(channel, id);
        let error = EngineError::new(
            ErrorCode::Timeout,
            format!("no answer before the deadline ({})", reason.code()),
        );
        self.complete_error(call, error);
    }

    /// Answers everything that is outstanding, when the reactor ends or begins anew.
    pub(super) fn end_calls(&mut self, error: fn() -> EngineError) {
        for call in std::mem::take(&mut self.calls).into_keys() {
            self.complete_error(call, error());
        }
    }

    pub(super) fn arm_call(&mut self, call: u32, at_us: u64) -> TimerKey {
        self.arm(at_us, Token::Call(call))
    }
}
