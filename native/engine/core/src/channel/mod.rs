//! The one owner of a monitor or agent socket: queue, deadlines, reconnection.

mod backlog;
mod connection;
mod event_source;
mod link;
mod request;

pub use backlog::Backlog;
pub use request::{ChannelOptions, Context, Effect, Origin, Protocol, Reply};

use crate::news::ChannelNews;
use crate::poller::READ;
use crate::wheel::TimerKey;
use link::{Down, Link};
use std::collections::VecDeque;
use vmpulse_proto::{ChannelMessage, Reason, SendError};

/// Requests of one channel that wait for their turn or their answer.
const MAX_PENDING: usize = 256;
/// How often a plain file of events is looked at.
const FILE_POLL_US: u64 = 100_000;
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
    /// The last connection that ended had answered something, or there was none. Only then a new connection to an API,
    /// which greets nobody, is told before its first answer: else a peer that hangs up would come and go without end.
    proven: bool,
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
            proven: true,
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
            _ if self.options.protocol == Protocol::CloudHypervisorEvents => {
                Some(Reply::Unsupported)
            }
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
        let waited = self.pending.iter().any(|p| p.id == id && !p.sent);
        self.pending.retain(|request| request.id != id);
        let Ok(link) = &mut self.link else {
            return Reason::AgentNotConnected;
        };
        if self.options.protocol.is_rest() {
            return self.forget_rest(id, waited, context);
        }
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
        let session = self.link.as_ref().map(|link| &link.session);
        match end {
            Ok(()) if session.is_ok_and(|session| session.is_spent()) => self.connect(context),
            Ok(()) => self.pump(context),
            // A peer that closes a connection after its work: what waits goes over the next one.
            Err(Down {
                reason: Reason::ConnectionClosed,
                ..
            }) if session.is_ok_and(|session| session.is_replaceable()) => {
                self.connect(context);
            }
            Err(down) => self.disconnect(down, context),
        }
    }

    /// The timer that was armed last fired.
    pub fn on_timer(&mut self, context: &mut Context<'_>) {
        self.timer = None;
        let Ok(link) = &mut self.link else {
            return self.connect(context);
        };
        if link.is_polled() {
            self.on_ready(READ, context);
            return self.watch_file(context);
        }
        if self.options.protocol.is_rest() {
            return self.on_silence_of_api(context);
        }
        self.on_silence(context);
    }

    /// Ends the channel: its requests and its timer.
    pub fn close(&mut self, context: &mut Context<'_>) {
        self.disarm(context);
        for request in self.pending.drain(..) {
            context
                .effects
                .push(Effect::Reply(request.origin, Reply::Closed));
        }
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
                self.disarm(context);
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
            ChannelMessage::EventLost => {
                let lost = ChannelNews::Dropped { count: 1 };
                context.effects.push(Effect::News(lost));
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
