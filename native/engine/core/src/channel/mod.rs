//! The one owner of a monitor or agent socket: queue, deadlines, reconnection.

mod backlog;
mod link;
mod request;

pub use backlog::Backlog;
pub use request::{ChannelOptions, Context, Effect, Origin, Protocol, Reply};

use crate::news::ChannelNews;
use crate::socket;
use crate::wheel::TimerKey;
use link::{Down, Link};
use std::collections::VecDeque;
use vmpulse_proto::{ChannelMessage, Reason, SendError};

/// Requests of one channel that wait for their turn or their answer.
const MAX_PENDING: usize = 256;
/// The delay of reconnection doubles up to 2^4 times.
const MAX_BACKOFF: u32 = 4;

struct Request {
    id: u64,
    origin: Origin,
    command: Box<str>,
    arguments: Option<Box<str>>,
    sent: bool,
}

/// Owns its socket (closed with the link, which leaves epoll by that) and its timer.
pub struct Channel {
    options: ChannelOptions,
    token: u64,
    timer_token: u64,
    timer: Option<TimerKey>,
    link: Result<Link, Down>,
    pending: VecDeque<Request>,
    next_id: u64,
    failures: u32,
    /// What the caller was told last: connected, or why not.
    told: Option<Result<(), Reason>>,
}

impl Channel {
    /// `token` and `timer_token`: what epoll and the wheel say for this channel.
    pub fn open(
        options: ChannelOptions,
        token: u64,
        timer_token: u64,
        context: &mut Context<'_>,
    ) -> Self {
        let mut channel = Self {
            options,
            token,
            timer_token,
            timer: None,
            link: Err(Down {
                reason: Reason::Cancelled,
                detail: "not tried yet".into(),
            }),
            pending: VecDeque::new(),
            next_id: 1,
            failures: 0,
            told: None,
        };
        channel.connect(context);
        channel
    }

    /// Queues a command, or answers at once when there is no use. The id is for [`forget`](Self::forget).
    pub fn request(
        &mut self,
        origin: Origin,
        command: Box<str>,
        arguments: Option<Box<str>>,
        context: &mut Context<'_>,
    ) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        let refusal = match &self.link {
            Err(down) => Some(down.reply()),
            Ok(link) if link.busy => Some(Down::busy().reply()),
            Ok(_) if self.pending.len() >= MAX_PENDING => Some(Reply::Full),
            Ok(_) => None,
        };
        if let Some(reply) = refusal {
            context.effects.push(Effect::Reply(origin, reply));
            return id;
        }
        self.pending.push_back(Request {
            id,
            origin,
            command,
            arguments,
            sent: false,
        });
        self.pump(context);
        id
    }

    /// The deadline of a request passed, or nobody waits for it any more. Says what a deadline means now.
    pub fn forget(&mut self, id: u64, context: &mut Context<'_>) -> Reason {
        self.pending.retain(|request| request.id != id);
        let Ok(link) = &mut self.link else {
            return Reason::AgentNotConnected;
        };
        let reason = link.session.timeout_reason();
        link.session.forget(id);
        let unaccepted = reason == Reason::AgentNotConnected
            && context.backlog.holds(&self.options.path, context.now_us);
        if reason == Reason::ResponseTimeout && !link.session.is_ready() {
            self.watch_handshake(context);
        }
        self.pump(context);
        if unaccepted {
            Reason::ChannelBusy
        } else {
            reason
        }
    }

    /// The socket became ready.
    pub fn on_ready(&mut self, flags: u32, context: &mut Context<'_>) {
        let Ok(link) = &mut self.link else {
            return;
        };
        let mut messages = Vec::new();
        let end = link.receive(flags, context.buffer, &mut messages);
        for message in messages {
            self.on_message(message, context);
        }
        match end {
            Ok(()) => self.pump(context),
            Err(down) => self.disconnect(down, context),
        }
    }

    /// The timer that was armed last fired.
    pub fn on_timer(&mut self, context: &mut Context<'_>) {
        self.timer = None;
        let Ok(link) = &mut self.link else {
            return self.connect(context);
        };
        // No greeting, or no answer to the sync: stay in the peer's backlog, it will serve us when it can.
        let mut reason = link.session.timeout_reason();
        if self.options.protocol == Protocol::Qga {
            link.session.forget(0);
            if context.backlog.holds(&self.options.path, context.now_us) {
                reason = Reason::ChannelBusy;
            }
        }
        link.busy = reason == Reason::ChannelBusy;
        let down = match reason {
            Reason::ChannelBusy => Down::busy(),
            reason => Down {
                reason,
                detail: "the guest agent does not answer".into(),
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

    /// Ends the channel: its requests and its timer.
    pub fn close(&mut self, context: &mut Context<'_>) {
        if let Some(timer) = self.timer.take() {
            context.wheel.cancel(timer);
        }
        for request in self.pending.drain(..) {
            context
                .effects
                .push(Effect::Reply(request.origin, Reply::Closed));
        }
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

    fn connect(&mut self, context: &mut Context<'_>) {
        let opened = socket::connect_unix(&self.options.path).and_then(|fd| {
            let link = Link::new(fd, self.options.protocol, context.now_us as u32);
            link.register(context.poller, self.token)?;
            Ok(link)
        });
        match opened {
            Ok(link) => {
                self.link = Ok(link);
                self.watch_handshake(context);
                self.pump(context);
            }
            Err(error) => self.disconnect(Down::connecting(&error), context),
        }
    }

    fn disconnect(&mut self, down: Down, context: &mut Context<'_>) {
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

    fn fail_pending(&mut self, down: &Down, context: &mut Context<'_>) {
        for request in self.pending.drain(..) {
            context
                .effects
                .push(Effect::Reply(request.origin, down.reply()));
        }
    }

    fn on_message(&mut self, message: ChannelMessage, context: &mut Context<'_>) {
        match message {
            ChannelMessage::Ready => {
                self.failures = 0;
                if let Some(timer) = self.timer.take() {
                    context.wheel.cancel(timer);
                }
                if let Ok(link) = &mut self.link {
                    link.busy = false;
                }
                if self.told != Some(Ok(())) {
                    self.tell(Ok(()), context);
                }
            }
            ChannelMessage::Return { id, value } => self.answer(id, Reply::Value(value), context),
            ChannelMessage::Error {
                id,
                class,
                description,
            } => {
                let reply = Reply::PeerError { class, description };
                if let Some(id) = id {
                    self.answer(id, reply, context);
                }
            }
            ChannelMessage::Event { name, data, .. } => {
                context
                    .effects
                    .push(Effect::News(ChannelNews::Event { name, data }));
            }
        }
    }

    fn answer(&mut self, id: u64, reply: Reply, context: &mut Context<'_>) {
        if let Some(at) = self.pending.iter().position(|request| request.id == id)
            && let Some(request) = self.pending.remove(at)
        {
            context.effects.push(Effect::Reply(request.origin, reply));
        }
    }

    /// Hands queued requests to the session and what the session says to the socket.
    fn pump(&mut self, context: &mut Context<'_>) {
        let Ok(link) = &mut self.link else {
            return;
        };
        let mut invalid = None;
        for request in self.pending.iter_mut().filter(|request| !request.sent) {
            match link
                .session
                .send(request.id, &request.command, request.arguments.as_deref())
            {
                Ok(()) => {
                    request.sent = true;
                    request.arguments = None;
                }
                Err(SendError::Busy) => break,
                Err(SendError::Invalid) => {
                    invalid = Some(request.id);
                    break;
                }
            }
        }
        let flushed = link.flush(context.poller, self.token);
        if let Some(id) = invalid {
            self.answer(id, Reply::Invalid, context);
        }
        match flushed {
            Err(down) => self.disconnect(down, context),
            Ok(()) if invalid.is_some() => self.pump(context),
            Ok(()) => {}
        }
    }

    fn watch_handshake(&mut self, context: &mut Context<'_>) {
        self.arm(self.options.greeting_timeout_us, context);
    }

    fn arm(&mut self, delay_us: u64, context: &mut Context<'_>) {
        if let Some(timer) = self.timer.take() {
            context.wheel.cancel(timer);
        }
        let tick = (context.now_us + delay_us).div_ceil(context.tick_us);
        self.timer = Some(context.wheel.insert(tick, self.timer_token));
    }

    fn tell(&mut self, news: Result<(), &Down>, context: &mut Context<'_>) {
        self.told = Some(news.map_err(|down| down.reason));
        context.effects.push(Effect::News(match news {
            Ok(()) => ChannelNews::Connected,
            Err(down) => ChannelNews::Disconnected {
                reason: down.reason,
                detail: down.detail.clone(),
            },
        }));
    }

    pub fn protocol(&self) -> Protocol {
        self.options.protocol
    }
}

fn link_is_busy(link: &Result<Link, Down>) -> bool {
    link.as_ref().is_ok_and(|link| link.busy)
}
