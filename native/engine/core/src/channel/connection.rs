//! Connections of a channel: how they begin, fall silent, end, and are made again.

use super::link::{Down, Link};
use super::{Channel, Context, FILE_POLL_US, MAX_BACKOFF, Protocol, link_is_busy};
use vmpulse_proto::Reason;

impl Channel {
    /// Begins a connection, in the place of the one there is; requests that were not sent yet go over it.
    pub(super) fn connect(&mut self, context: &mut Context<'_>) {
        let protocol = self.options.protocol;
        let is_first = self.told.is_none();
        let opened = Link::open(&self.options, context.now_us as u32, is_first).and_then(|link| {
            link.register(context.poller, self.token)?;
            Ok(link)
        });
        match opened {
            Ok(link) => self.link = Ok(link),
            Err(error) => return self.disconnect(Down::connecting(&error, protocol), context),
        }
        self.disarm(context);
        if protocol == Protocol::CloudHypervisorEvents || protocol.is_rest() {
            // Nobody greets.
            if self.proven && self.told != Some(Ok(())) {
                self.tell(Ok(()), context);
            }
            if protocol == Protocol::CloudHypervisorEvents {
                self.failures = 0;
                self.watch_file(context);
            }
        } else {
            self.watch_handshake(context);
        }
        self.pump(context);
    }

    /// The reactor panicked: its wheel and whoever asked are gone. Connects anew after `delay_us`.
    pub fn restart(&mut self, delay_us: u64, context: &mut Context<'_>) {
        let down = Down {
            reason: Reason::ProberFault,
            detail: "the reactor of the engine panicked and was restarted".into(),
        };
        self.timer = None;
        self.pending.clear();
        if self.told == Some(Ok(())) {
            self.tell(Err(&down), context);
        }
        self.link = Err(down);
        if delay_us == 0 {
            self.connect(context);
        } else {
            self.arm(delay_us, context);
        }
    }

    pub(super) fn disconnect(&mut self, down: Down, context: &mut Context<'_>) {
        if let Ok(link) = &self.link {
            self.proven = link.session.is_proven();
        }
        let delay_us = self.options.reconnect_us << self.failures.min(MAX_BACKOFF);
        self.failures += 1;
        self.arm(delay_us, context);
        if self
            .told
            .as_ref()
            .is_none_or(|told| *told != Err(down.reason))
        {
            self.tell(Err(&down), context);
        }
        self.fail_pending(&down, context);
        self.link = Err(down);
    }

    /// As `forget`. `waited`: it was not sent yet.
    pub(super) fn forget_rest(
        &mut self,
        id: u64,
        waited: bool,
        context: &mut Context<'_>,
    ) -> Reason {
        let Ok(link) = &mut self.link else {
            return Reason::ResponseTimeout;
        };
        let session = &mut link.session;
        // A long command of our own is at work, so nothing is known of the API.
        let behind_another = waited && !session.is_ready() && !session.is_stuck();
        session.forget(id);
        if session.is_stuck() && self.timer.is_none() {
            self.watch_handshake(context);
        }
        self.pump(context);
        if behind_another {
            Reason::ChannelBusy
        } else {
            Reason::ResponseTimeout
        }
    }

    /// No greeting, or no answer to the sync: stay in the peer's backlog, it will serve us when it can. A port of a guest
    /// is connected to anew: what leads nowhere, as after a reboot or a pause of the guest, never will.
    pub(super) fn on_silence(&mut self, context: &mut Context<'_>) {
        let Ok(link) = &mut self.link else { return };
        let mut reason = link.session.timeout_reason();
        if self.options.protocol == Protocol::Qga {
            let unaccepted = context.backlog.holds(&self.options.path, context.now_us);
            if self.options.vsock_port.is_some() && !unaccepted {
                return self.disconnect(Down::silent_agent(), context);
            }
            link.session.forget(0);
            if unaccepted {
                reason = Reason::ChannelBusy;
            }
        }
        link.busy = reason == Reason::ChannelBusy;
        let down = match reason {
            Reason::ChannelBusy => Down::busy(),
            reason => Down {
                reason,
                ..Down::silent_agent()
            },
        };
        if self.told.as_ref().is_none_or(|told| *told != Err(reason)) {
            self.tell(Err(&down), context);
        }
        if link_is_busy(&self.link) {
            self.fail_pending(&down, context);
        }
        if self.options.protocol == Protocol::Qga {
            self.watch_handshake(context);
        }
        self.pump(context);
    }

    /// The answer to a request that was given up did not come either.
    pub(super) fn on_silence_of_api(&mut self, context: &mut Context<'_>) {
        let Ok(link) = &self.link else { return };
        if !link.session.is_stuck() {
            return;
        }
        if context.backlog.holds(&self.options.path, context.now_us) {
            // Nobody accepts: one connection that waits is enough, and is served when the API lives again.
            self.watch_handshake(context);
        } else {
            self.connect(context);
        }
    }

    pub(super) fn watch_file(&mut self, context: &mut Context<'_>) {
        if self.link.as_ref().is_ok_and(Link::is_polled) {
            self.arm(FILE_POLL_US, context);
        }
    }

    pub(super) fn watch_handshake(&mut self, context: &mut Context<'_>) {
        self.arm(self.options.greeting_timeout_us, context);
    }

    pub(super) fn disarm(&mut self, context: &mut Context<'_>) {
        if let Some(timer) = self.timer.take() {
            context.wheel.cancel(timer);
        }
    }

    pub(super) fn arm(&mut self, delay_us: u64, context: &mut Context<'_>) {
        self.disarm(context);
        let tick = (context.now_us + delay_us).div_ceil(context.tick_us);
        self.timer = Some(context.wheel.insert(tick, self.timer_token));
    }
}
